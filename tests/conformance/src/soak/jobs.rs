//! What the threads of the soak do: each job knows how its commands have to end.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use harness::{Flavor, wait};

use super::bed::{Worker, refused, took};
use super::tally::Done;
use crate::exec::send;
use crate::screen::Screen;

type Job = fn(&Worker) -> anyhow::Result<Done>;

/// What is done, how often, and by which function.
pub(super) const JOBS: [(&str, u64, Job); 18] = [
    ("exec: exit code", 30, exit_code),
    ("exec: ended by a signal", 8, ended_by_signal),
    ("exec: orphans are left", 4, orphans),
    ("exec: input and output", 8, copied),
    ("exec: a signal is passed on", 8, passed_on),
    ("exec: killed at any time", 6, killed),
    ("exec --detach: exit code", 8, detached),
    ("exec --detach: signalled", 4, detached_and_signalled),
    ("exec --tty", 6, terminal),
    ("exec: no such program", 4, |it| wrong(it, &[], "/no/such/program")),
    ("exec: no program", 2, |it| wrong(it, &[], "/etc/passwd")),
    ("exec: no such directory", 2, |it| wrong(it, &["--cwd", "/etc/passwd"], "/bin/true")),
    ("exec: no such container", 2, absent),
    ("pause, exec, resume", 3, paused),
    ("update", 4, update),
    ("state, ps, list", 4, questions),
    ("run", 3, run),
    ("create, start, exec, kill, delete", 3, cycle),
];

/// Any code but those that mean something else.
fn code(worker: &Worker) -> i32 {
    i32::try_from(worker.below(120)).unwrap_or(0)
}

fn exit_code(worker: &Worker) -> anyhow::Result<Done> {
    let code = code(worker);
    let script = format!("exit {code}");
    worker.exec(worker.container(), &[], &["/bin/sh", "-c", &script])?.exits(code)
}

fn ended_by_signal(worker: &Worker) -> anyhow::Result<Done> {
    let signal = [1, 9, 15, 31][usize::try_from(worker.below(4))?];
    let program = ["/checker", "kill-self", &signal.to_string()];
    worker.exec(worker.container(), &[], &program)?.exits(128 + signal)
}

fn orphans(worker: &Worker) -> anyhow::Result<Done> {
    let program = ["/bin/sh", "-c", "sleep 0.1 & true & exit 3"];
    worker.exec(worker.container(), &[], &program)?.exits(3)
}

fn copied(worker: &Worker) -> anyhow::Result<Done> {
    let text = format!("{:x}\n", worker.below(u64::MAX)).repeat(4000);
    let container = worker.container();
    let call = worker.call(&["exec", worker.id(container), "/bin/cat"]).stdin(text.as_bytes());
    match worker.start(container, call, harness::Call::spawn)?.finish()? {
        None => Ok(Done::Paused),
        Some(output) => {
            let output = output.ok()?;
            ensure!(output.stdout() == text, "the output is not the input");
            took(output)
        }
    }
}

fn passed_on(worker: &Worker) -> anyhow::Result<Done> {
    let signal = [1, 2, 3, 10, 12, 15][usize::try_from(worker.below(6))?];
    let program = ["/checker", "sleep-until-signal"];
    let exec = worker.exec(worker.container(), &[], &program)?;
    if exec.is_ready(&worker.directory)? {
        send(exec.running.pid(), signal)?;
    }
    exec.exits(128 + signal)
}

fn killed(worker: &Worker) -> anyhow::Result<Done> {
    let mut exec = worker.exec(worker.container(), &[], &["/bin/true"])?;
    let pidfd = wait::pidfd(exec.running.pid())?.context("the command is gone")?;
    // The time is what is tested; an end before it is as good.
    wait::readable(pidfd, Duration::from_micros(worker.below(15_000)))?;
    exec.running.child.kill()?;
    match exec.finish()? {
        None => Ok(Done::Paused),
        Some(output) if output.code == 0 => took(output),
        Some(output) => took(output.exits(128 + 9)?),
    }
}

/// Starts a detached exec; the number of its process, or none if the container was paused.
fn detach(worker: &Worker, program: &[&str]) -> anyhow::Result<Option<(i32, harness::Output)>> {
    let file = worker.directory.join("pid");
    let _earlier = fs::remove_file(&file);
    let flags = ["--detach", "--pid-file", file.to_str().unwrap_or_default()];
    let Some(output) = worker.exec(worker.container(), &flags, program)?.finish()? else {
        return Ok(None);
    };
    let output = output.ok()?;
    let pid = fs::read_to_string(&file).context("the pid file")?.parse().context("the pid")?;
    Ok(Some((pid, output)))
}

fn detached(worker: &Worker) -> anyhow::Result<Done> {
    let code = code(worker);
    let script = format!("exit {code}");
    let Some((pid, output)) = detach(worker, &["/bin/sh", "-c", &script])? else {
        return Ok(Done::Paused);
    };
    let found = wait::exit_code(pid)?;
    ensure!(found == code, "process {pid} ended with {found}, not {code}\n{}", output.describe());
    took(output)
}

fn detached_and_signalled(worker: &Worker) -> anyhow::Result<Done> {
    let Some((pid, output)) = detach(worker, &["/checker", "sleep-until-signal"])? else {
        return Ok(Done::Paused);
    };
    wait::directory(&worker.directory, || Ok(output.stdout().ends_with('\n').then_some(())))?;
    send(pid, 15)?;
    let found = wait::exit_code(pid)?;
    ensure!(found == 128 + 15, "process {pid} ended with {found}\n{}", output.describe());
    took(output)
}

fn terminal(worker: &Worker) -> anyhow::Result<Done> {
    let code = code(worker);
    let script = format!("tty; stty size; exit {code}");
    let container = worker.container();
    let call = worker.call(&["exec", "--tty", worker.id(container), "/bin/sh", "-c", &script]);
    let mut screen = Screen::new(31, 97)?;
    let exec = worker.start(container, call, |call| screen.spawn(call))?;
    let seen = screen.until_end(&exec.running)?;
    let Some(output) = exec.finish()? else { return Ok(Done::Paused) };
    let seen = String::from_utf8_lossy(&seen);
    if output.code != code && seen.contains("paused") {
        return Ok(Done::Paused);
    }
    let output = output.exits(code).with_context(|| format!("on the screen: {seen:?}"))?;
    // Others give the terminal its size when the program may run already.
    let has_size = worker.bed.flavor != Flavor::Creel || seen.ends_with("\r\n31 97\r\n");
    ensure!(
        seen.starts_with("/dev/pts/") && has_size,
        "on the screen: {seen:?}\n{}",
        output.describe()
    );
    took(output)
}

fn wrong(worker: &Worker, flags: &[&str], program: &str) -> anyhow::Result<Done> {
    match worker.exec(worker.container(), flags, &[program])?.finish()? {
        None => Ok(Done::Paused),
        Some(output) => refused(worker, output),
    }
}

fn absent(worker: &Worker) -> anyhow::Result<Done> {
    let id = worker.fresh_id();
    refused(worker, worker.call(&["exec", &id, "/bin/true"]).run()?)
}

fn paused(worker: &Worker) -> anyhow::Result<Done> {
    let container = worker.container();
    let id = worker.id(container);
    worker.paused(container, || {
        let pause = worker.call(&["pause", id]).run()?.ok()?;
        let state = worker.call(&["state", id]).run()?.ok()?;
        let status = state.json()?["status"].clone();
        // crun executes in a paused container, and waits.
        if worker.bed.flavor != Flavor::Crun {
            refused(worker, worker.call(&["exec", id, "/bin/true"]).run()?)?;
        }
        worker.call(&["resume", id]).run()?.ok()?.forget();
        ensure!(status == "paused", "the status is {status}\n{}", state.describe());
        state.forget();
        took(pause)
    })
}

fn update(worker: &Worker) -> anyhow::Result<Done> {
    let limit = (500 + worker.below(500)).to_string();
    let id = worker.id(worker.container());
    took(worker.call(&["update", "--pids-limit", &limit, id]).run()?.ok()?)
}

fn questions(worker: &Worker) -> anyhow::Result<Done> {
    let id = worker.id(worker.container());
    let state = worker.call(&["state", id]).run()?.ok()?;
    let answer = state.json()?;
    let is_true = ["running", "paused"].iter().any(|status| answer["status"] == *status);
    ensure!(is_true, "the status is wrong\n{}", state.describe());
    state.forget();
    let ps = worker.call(&["ps", "--format", "json", id]).run()?.ok()?;
    let list = ps.json()?;
    let has_init = list.as_array().is_some_and(|pids| pids.contains(&answer["pid"]));
    ensure!(has_init, "the first process is not listed\n{}", ps.describe());
    ps.forget();
    let list = worker.call(&["list", "--quiet"]).run()?.ok()?;
    let text = list.stdout();
    let has_all = worker.bed.ids.iter().all(|id| text.lines().any(|line| line == id));
    ensure!(has_all, "a container is not listed\n{}", list.describe());
    took(list)
}

fn run(worker: &Worker) -> anyhow::Result<Done> {
    let bundle = worker.bed.seven.to_str().unwrap_or_default();
    let id = worker.fresh_id();
    took(worker.call(&["run", "--bundle", bundle, &id]).run()?.exits(7)?)
}

/// A container of its own: its execs end with it.
fn cycle(worker: &Worker) -> anyhow::Result<Done> {
    let bundle = worker.bed.sleeping.to_str().unwrap_or_default();
    let id = worker.fresh_id();
    let done = live_and_die(worker, bundle, &id);
    if done.is_err() {
        let _reported_already = worker.call(&["delete", "--force", &id]).run();
    }
    done
}

fn live_and_die(worker: &Worker, bundle: &str, id: &str) -> anyhow::Result<Done> {
    let create = worker.call(&["create", "--bundle", bundle, id]).run()?.ok()?;
    worker.call(&["start", id]).run()?.ok()?.forget();
    let exec = || worker.call(&["exec", id, "/checker", "sleep-until-signal"]).spawn();
    let execs = [exec()?, exec()?];
    for exec in &execs {
        ready(&worker.directory, exec)?;
    }
    let state = worker.call(&["state", id]).run()?.ok()?;
    let init = state.json()?["pid"].as_i64().context("no pid")?;
    state.forget();
    worker.call(&["kill", id, "KILL"]).run()?.ok()?.forget();
    for exec in execs {
        exec.wait()?.exits(128 + 9)?.forget();
    }
    wait::exit_code(i32::try_from(init)?)?;
    worker.call(&["delete", id]).run()?.ok()?.forget();
    let gone = worker.call(&["state", id]).run()?;
    ensure!(gone.code != 0, "it is still there\n{}", gone.describe());
    gone.forget();
    took(create)
}

fn ready(directory: &Path, exec: &harness::call::Running) -> anyhow::Result<()> {
    wait::directory(directory, || Ok(exec.stdout().ends_with('\n').then_some(())))
}

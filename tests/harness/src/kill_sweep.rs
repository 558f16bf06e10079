//! The runtime killed with SIGKILL at any moment of a command. The sweep is by time and knows nothing of the runtime.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, WaitOptions, waitpid};

use crate::runner::Run;
use crate::runtime::Setup;
use crate::{Bundle, Call, Outcome, Output, Runtime, build, leak, print, wait};

/// The commands that are killed.
pub const COMMANDS: [&str; 6] = ["create", "run", "start", "exec", "update", "delete"];
/// The shortest time between two moments.
const STEP: Duration = Duration::from_micros(100);
/// The most moments in the usual time of a command.
const MOMENTS: u32 = 60;
/// How often the usual time is measured; the shortest is taken, since others may have the processor too.
const TRIES: usize = 9;
/// How long what was killed may take to disappear.
const PATIENCE: Duration = Duration::from_secs(5);
/// Where the tables begin in `docs/conformance.md`.
pub(crate) const HEADING: &str = "## Killed at any time";

/// A bundle whose process sleeps until it is killed, written.
///
/// # Errors
/// If it cannot be made.
pub fn bundle(rt: &Runtime) -> anyhow::Result<Bundle> {
    let mut bundle = rt.bundle()?;
    bundle.probe(&["sleep-until-signal"]);
    rt.write(&bundle)?;
    Ok(bundle)
}

/// Brings the container to where the command can be called.
///
/// # Errors
/// If one of the commands before it fails.
pub fn prepare(rt: &Runtime, bundle: &Bundle, command: &str) -> Outcome {
    if command == "create" || command == "run" {
        return Ok(());
    }
    rt.finish(rt.bundle_call("create", rt.id(), bundle, &[]))?.ok()?;
    if command != "start" {
        rt.start()?.ok()?;
    }
    if command == "delete" {
        let pid = rt.pid()?;
        rt.kill("KILL")?.ok()?;
        wait::ended(pid)?;
    }
    Ok(())
}

fn call(rt: &Runtime, bundle: &Bundle, command: &str) -> Call {
    match command {
        "create" => rt.bundle_call("create", rt.id(), bundle, &[]),
        "run" => rt.bundle_call("run", rt.id(), bundle, &["--detach"]),
        "exec" => rt.call(["exec", rt.id(), "/checker", "exit", "0"]),
        "update" => rt.call(["update", "--pids-limit", "100", rt.id()]),
        other => rt.call([other, rt.id()]),
    }
}

/// How long the command takes here and now when nobody kills it.
///
/// # Errors
/// If it fails.
pub fn usual_time(rt: &Runtime, bundle: &Bundle, command: &str) -> anyhow::Result<Duration> {
    prepare(rt, bundle, command)?;
    let begin = Instant::now();
    rt.finish(call(rt, bundle, command))?.ok()?;
    let usual = begin.elapsed();
    delete(rt)?.ok()?;
    Ok(usual)
}

/// Starts the command and kills it after this time, unless it has ended by then.
///
/// # Errors
/// If it cannot be started.
pub fn kill_after(rt: &Runtime, bundle: &Bundle, command: &str, delay: Duration) -> Outcome {
    let mut running = call(rt, bundle, command).spawn()?;
    if let Some(pidfd) = wait::pidfd(running.pid())? {
        // The time is what is tested; an end before it is as good.
        wait::readable(pidfd, delay)?;
    }
    running.child.kill()?;
    running.wait()?;
    Ok(())
}

/// What is wrong with what `state` says: a status of the living, and no process. An error is no lie.
///
/// # Errors
/// If the command hangs, or prints no JSON.
pub fn lie(rt: &Runtime) -> anyhow::Result<Option<String>> {
    let output = rt.command(&["state", rt.id()])?;
    if output.code != 0 {
        return Ok(None);
    }
    let state = output.json()?;
    let status = state["status"].as_str().unwrap_or_default();
    let pid = state["pid"].as_i64().unwrap_or_default();
    let is_alive = pid > 0 && fs::exists(format!("/proc/{pid}"))?;
    let is_lie = ["created", "running"].contains(&status) && !is_alive;
    Ok(is_lie.then(|| format!("the status is {status}, and there is no process {pid}")))
}

/// `delete --force`. Init only ends when everything in its pid namespace has been reaped, and this process stands in
/// for the one that reaps orphans: it goes on doing so while the command waits.
///
/// # Errors
/// If the command hangs.
pub fn delete(rt: &Runtime) -> anyhow::Result<Output> {
    let running = rt.call(["delete", "--force", rt.id()]).spawn()?;
    let pidfd = wait::pidfd(running.pid())?.context("the command is gone")?;
    while !wait::readable(&pidfd, Duration::from_millis(5))? {
        reap_all_but(running.pid())?;
    }
    let output = running.wait()?;
    rt.remember(&output);
    Ok(output)
}

fn reap_all_but(kept: i32) -> Outcome {
    for pid in leak::children(std::process::id().cast_signed()) {
        if let Some(child) = Pid::from_raw(pid).filter(|_| pid != kept) {
            // One that lives is left alone.
            let _ = waitpid(Some(child), WaitOptions::NOHANG);
        }
    }
    Ok(())
}

/// What became of a runtime's command that was killed again and again.
#[derive(Debug, Default)]
struct Counts {
    usual: Duration,
    kills: u32,
    lies: u32,
    not_deleted: u32,
    processes: u32,
    cgroups: u32,
    mounts: u32,
    states: u32,
    not_reusable: u32,
}

/// Kills each command of each runtime after 0.1, 0.2, … ms, and writes what was left into `docs/conformance.md`.
///
/// # Errors
/// If a container cannot even be made.
pub(crate) fn tables(runtimes: &[PathBuf], date: &str) -> anyhow::Result<()> {
    let run = Run::begin()?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .context("become a subreaper")?;
    let mut text = format!(
        "{HEADING}\n\nGenerated by `cargo xtask conformance --kills` on {date}. Each command is killed with SIGKILL \
         after 0.1 ms, 0.2 ms and so on, until half beyond its usual time, in steps of at least a sixtieth of \
         it. Then `state` has to tell the truth, `delete --force` to succeed and to leave nothing, and the id to be \
         usable again. The columns count the kills after which that was not so, by what was left.\n\n\
         | runtime | command | usual time | kills | state untrue | delete --force fails | processes | cgroups | mounts \
         | state | id not usable |\n|---|---|---|---|---|---|---|---|---|---|---|\n"
    );
    for (number, binary) in runtimes.iter().enumerate() {
        let name = binary.file_name().unwrap_or_default().to_string_lossy();
        for command in COMMANDS {
            let id = format!("ct-{}-k{number}{command}", std::process::id());
            let setup = Setup {
                binary: binary.clone(),
                run: run.directory().to_path_buf(),
                id,
                mutation: None,
            };
            let counts = counted(&Runtime::new(setup)?, command)
                .with_context(|| format!("{name} {command}"))?;
            let line = row(&name, command, &counts);
            print::note(line.trim());
            text += &line;
        }
    }
    let path = build::workspace().join("docs/conformance.md");
    let old = fs::read_to_string(&path).unwrap_or_default();
    let before = old.split(HEADING).next().unwrap_or_default().trim_end();
    fs::write(&path, format!("{before}\n\n{text}")).context("write docs/conformance.md")
}

fn row(name: &str, command: &str, counts: &Counts) -> String {
    let mut text = format!("| {name} | {command} | {:.1?} | {}", counts.usual, counts.kills);
    let failures = [counts.lies, counts.not_deleted, counts.processes, counts.cgroups];
    for count in failures.into_iter().chain([counts.mounts, counts.states, counts.not_reusable]) {
        let _ = write!(text, " | {count}");
    }
    text + " |\n"
}

fn counted(rt: &Runtime, command: &str) -> anyhow::Result<Counts> {
    let bundle = bundle(rt)?;
    let mut usual = usual_time(rt, &bundle, command)?;
    for _ in 0..TRIES {
        usual = usual.min(usual_time(rt, &bundle, command)?);
    }
    let (step, end) = (STEP.max(usual / MOMENTS), usual * 3 / 2);
    let mut counts = Counts { usual, ..Counts::default() };
    let mut delay = step;
    while delay <= end {
        prepare(rt, &bundle, command)?;
        kill_after(rt, &bundle, command, delay)?;
        counts.kills += 1;
        counts.lies += u32::from(lie(rt).is_ok_and(|lie| lie.is_some()));
        counts.not_deleted += u32::from(delete(rt).map_or(true, |output| output.code != 0));
        let left = leak::seen(rt, rt.id(), PATIENCE);
        let any = |what: &str| u32::from(left.iter().any(|line| line.starts_with(what)));
        counts.processes += any("process");
        counts.cgroups += any("cgroup");
        counts.mounts += any("mount");
        counts.states += any("state");
        counts.not_reusable += u32::from(!is_usable(rt, &bundle)?);
        delay += step;
    }
    Ok(counts)
}

/// Whether a container of the id can be made beside what was left, all of which is removed then.
fn is_usable(rt: &Runtime, bundle: &Bundle) -> anyhow::Result<bool> {
    let created = rt.finish(rt.bundle_call("create", rt.id(), bundle, &[]))?;
    let deleted = delete(rt)?;
    if !leak::left(rt, rt.id()).is_empty() {
        fs::remove_dir_all(rt.root())?;
        fs::create_dir_all(rt.root())?;
    }
    Ok(created.code == 0 && deleted.code == 0)
}

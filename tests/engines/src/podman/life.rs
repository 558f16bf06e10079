//! Containers that go on running: logs, signals, stop, pause, remove, states.

use harness::{Cases, Outcome, ensure_contains, ensure_eq, wait};

use super::{Podman, case};
use crate::row::clean;

pub(super) fn register(cases: &mut Cases) {
    cases.section("podman#life", "");
    case(cases, "a detached container's output is in its log", logs);
    case(cases, "a detached container's exit code is known", exit_code);
    case(cases, "stop sends a signal which the process may handle", stop);
    case(cases, "stop kills what does not listen", stop_kill);
    case(cases, "kill ends the process", kill);
    case(cases, "kill sends any signal, by name", kill_signal);
    case(cases, "kill of a container that has ended is refused", kill_ended);
    case(cases, "rm --force removes a running container", remove);
    case(cases, "rm of a running container is refused", remove_running);
    case(cases, "a paused container is frozen, and goes on later", pause);
    case(cases, "a paused container is removed by force", remove_paused);
    case(cases, "signals to podman reach the command", proxy);
    case(cases, "a container is created first and started later", create);
    case(cases, "a container is started again", restart);
    case(cases, "a created container that was never started is removed", remove_created);
    case(cases, "the states of containers are seen", states);
    case(cases, "the processes of a container are listed", top);
    case(cases, "a container that the kernel ended is seen as ended", killed_outside);
    case(cases, "processes that the command leaves behind end with it", orphans);
    case(cases, "containers at once and one after another leave nothing", many);
}

fn logs(podman: &Podman<'_>) -> Outcome {
    podman.detached("box", &[], &["sh", "-c", "echo one; echo two >&2; echo three"])?;
    podman.wait("box")?;
    let output = podman.podman(&["logs", "box"])?.ok()?;
    ensure_eq("output", clean(&output.stdout()).as_str(), "one\nthree")?;
    ensure_eq("errors", clean(&output.stderr()).as_str(), "two")
}

fn exit_code(podman: &Podman<'_>) -> Outcome {
    podman.detached("box", &[], &["sh", "-c", "exit 33"])?;
    ensure_eq("exit code", podman.wait("box")?.as_str(), "33")?;
    let state = podman.inspect("box", "{{.State.Status}} {{.State.ExitCode}}")?;
    ensure_eq("state", state.as_str(), "exited 33")
}

fn stop(podman: &Podman<'_>) -> Outcome {
    podman.service("box", &[])?;
    podman.podman(&["stop", "--time=30", "box"])?.ok()?;
    ensure_eq("exit code", podman.wait("box")?.as_str(), "7")
}

fn stop_kill(podman: &Podman<'_>) -> Outcome {
    podman.detached("box", &[], &["sleep", "1000"])?;
    podman.podman(&["stop", "--time=0", "box"])?.ok()?;
    ensure_eq("exit code", podman.wait("box")?.as_str(), "137")
}

fn kill(podman: &Podman<'_>) -> Outcome {
    podman.detached("box", &[], &["sleep", "1000"])?;
    podman.podman(&["kill", "box"])?.ok()?;
    ensure_eq("exit code", podman.wait("box")?.as_str(), "137")
}

fn kill_signal(podman: &Podman<'_>) -> Outcome {
    podman.service("box", &[])?;
    podman.podman(&["kill", "--signal=USR1", "box"])?.ok()?;
    podman.shared("usr1")?;
    ensure_eq("state", podman.inspect("box", "{{.State.Status}}")?.as_str(), "running")
}

fn kill_ended(podman: &Podman<'_>) -> Outcome {
    podman.detached("box", &[], &["true"])?;
    podman.wait("box")?;
    podman.podman(&["kill", "box"])?.exits(125).map(drop)
}

fn remove(podman: &Podman<'_>) -> Outcome {
    podman.service("box", &[])?;
    let (_pid, process) = podman.process("box")?;
    podman.podman(&["rm", "--force", "--time=0", "box"])?.ok()?;
    ensure_eq("the process has ended", wait::readable(process, wait::LIMIT)?, true)?;
    podman.podman(&["container", "exists", "box"])?.exits(1).map(drop)
}

fn remove_running(podman: &Podman<'_>) -> Outcome {
    podman.service("box", &[])?;
    let output = podman.podman(&["rm", "box"])?;
    ensure_eq("rm succeeds", output.code == 0, false)?;
    podman.process("box").map(drop)
}

fn pause(podman: &Podman<'_>) -> Outcome {
    podman.service("box", &[])?;
    podman.podman(&["pause", "box"])?.ok()?;
    ensure_eq("state", podman.inspect("box", "{{.State.Status}}")?.as_str(), "paused")?;
    let (pid, _process) = podman.process("box")?;
    let waits = std::fs::read_to_string(format!("/proc/{pid}/wchan"))?;
    // v1 and v2 have freezers of their own; a kernel may hide the function's name as 0.
    let places = ["__refrigerator", "do_freezer_trap", "get_signal", "0"];
    let is_frozen = places.contains(&waits.as_str());
    ensure_eq(&format!("the process is frozen in {waits}"), is_frozen, true)?;
    // The kernel keeps the signal until the process goes on.
    podman.podman(&["unpause", "box"])?.ok()?;
    podman.podman(&["kill", "--signal=USR1", "box"])?.ok()?;
    podman.shared("usr1")?;
    ensure_eq("state", podman.inspect("box", "{{.State.Status}}")?.as_str(), "running")
}

fn remove_paused(podman: &Podman<'_>) -> Outcome {
    podman.service("box", &[])?;
    let (_pid, process) = podman.process("box")?;
    podman.podman(&["pause", "box"])?.ok()?;
    podman.podman(&["rm", "--force", "--time=0", "box"])?.ok()?;
    ensure_eq("the process has ended", wait::readable(process, wait::LIMIT)?, true)
}

fn proxy(podman: &Podman<'_>) -> Outcome {
    podman.is_inhabited.set(true);
    let volume = format!("--volume={}:/share", podman.share().display());
    let words = podman.container("run", &["--rm", &volume]);
    let running = podman.call(&words).args(["sh", "-c", super::SERVICE]).spawn()?;
    podman.shared("ready")?;
    let process = wait::pidfd(running.pid())?.ok_or_else(|| anyhow::anyhow!("podman ended"))?;
    rustix::process::pidfd_send_signal(&process, rustix::process::Signal::TERM)?;
    running.wait()?.exits(7).map(drop)
}

fn create(podman: &Podman<'_>) -> Outcome {
    podman.is_inhabited.set(true);
    let mut words = podman.container("create", &["--name=box"]);
    words.extend(["echo", "later"].map(String::from));
    podman.podman(&words)?.ok()?;
    podman.podman(&["init", "box"])?.ok()?;
    ensure_eq("state", podman.inspect("box", "{{.State.Status}}")?.as_str(), "initialized")?;
    let output = podman.podman(&["start", "--attach", "box"])?.ok()?;
    ensure_eq("output", clean(&output.stdout()).as_str(), "later")
}

fn restart(podman: &Podman<'_>) -> Outcome {
    podman.service("box", &[])?;
    let (before, _process) = podman.process("box")?;
    std::fs::remove_file(podman.share().join("ready"))?;
    podman.podman(&["restart", "--time=30", "box"])?.ok()?;
    podman.shared("ready")?;
    ensure_eq("the process is another one", podman.process("box")?.0 != before, true)
}

fn remove_created(podman: &Podman<'_>) -> Outcome {
    podman.is_inhabited.set(true);
    let mut words = podman.container("create", &["--name=box"]);
    words.push(String::from("true"));
    podman.podman(&words)?.ok()?;
    podman.podman(&["init", "box"])?.ok()?;
    podman.podman(&["rm", "--force", "--time=0", "box"])?.ok().map(drop)
}

fn states(podman: &Podman<'_>) -> Outcome {
    podman.service("running", &[])?;
    podman.detached("ended", &[], &["sh", "-c", "exit 3"])?;
    podman.wait("ended")?;
    let format = "{{.Names}} {{.Status}}";
    let output = podman.podman(&["ps", "--all", "--sort=names", "--format", format])?.ok()?;
    let text = clean(&output.stdout());
    let lines: Vec<&str> = text.lines().collect();
    ensure_eq("containers", lines.len(), 2)?;
    ensure_contains("the one that ended", lines[0], "ended Exited (3)")?;
    ensure_contains("the one that runs", lines[1], "running Up")
}

fn top(podman: &Podman<'_>) -> Outcome {
    podman.service("box", &[])?;
    let output = podman.podman(&["top", "box", "pid", "comm"])?.ok()?;
    let text = clean(&output.stdout());
    ensure_contains("processes", &text, "sh")?;
    ensure_contains("processes", &text, "sleep")
}

fn killed_outside(podman: &Podman<'_>) -> Outcome {
    podman.service("box", &[])?;
    let (_pid, process) = podman.process("box")?;
    rustix::process::pidfd_send_signal(&process, rustix::process::Signal::KILL)?;
    ensure_eq("exit code", podman.wait("box")?.as_str(), "137")?;
    ensure_eq("state", podman.inspect("box", "{{.State.Status}}")?.as_str(), "exited")
}

fn orphans(podman: &Podman<'_>) -> Outcome {
    podman.run(&[], &["sh", "-c", "sleep 1000 & sleep 1000 & exit 4"])?.exits(4).map(drop)
}

fn many(podman: &Podman<'_>) -> Outcome {
    podman.is_inhabited.set(true);
    let mut running = Vec::new();
    for number in 0..4 {
        let words = podman.container("run", &["--rm"]);
        let script = format!("exit {number}");
        running.push(podman.call(&words).args(["sh", "-c", &script]).spawn()?);
    }
    for (number, one) in running.into_iter().enumerate() {
        ensure_eq("exit code", usize::try_from(one.wait()?.code)?, number)?;
    }
    for _ in 0..3 {
        podman.run(&[], &["true"])?.ok()?;
    }
    let output = podman.podman(&["ps", "--all", "--quiet"])?.ok()?;
    ensure_eq("containers", clean(&output.stdout()).as_str(), "")
}

//! Tasks that go on running: kill, delete, exec, pause, lists, a daemon that is started again.

use harness::{Cases, Outcome, ensure_contains, ensure_eq, wait};

use super::{Containerd, case};
use crate::row::clean;

pub(super) fn register(cases: &mut Cases) {
    cases.section("containerd#task", "");
    case(cases, "a detached task is listed as running", list);
    case(cases, "kill sends a signal which the process may handle", kill);
    case(cases, "kill sends any signal, by name", kill_signal);
    case(cases, "kill --all ends every process", kill_all);
    case(cases, "delete gives the exit code", exit_code);
    case(cases, "delete of a running task is refused", delete_running);
    case(cases, "delete --force ends a running task", delete_force);
    case(cases, "a task is created, then started", create);
    case(cases, "a container's task is started again", again);
    case(cases, "a paused task is frozen, and goes on later", pause);
    case(cases, "the processes of a task are listed", ps);
    case(cases, "exec runs a command in the container", exec);
    case(cases, "exec of a missing command is an error which names it", exec_missing);
    case(cases, "exec gives a terminal", exec_terminal);
    case(cases, "a task joins the namespaces of another", join);
    case(cases, "the use of resources is measured", metrics);
    case(cases, "a task goes on while containerd is started again", restart_daemon);
    case(cases, "a task whose process was killed from outside is seen as ended", killed_outside);
    case(cases, "a container whose shim was killed is cleaned up", killed_shim);
    case(cases, "a paused task is deleted by force", delete_paused);
    case(cases, "tasks at once have their own states", two);
    case(cases, "processes that the command leaves behind end with it", orphans);
}

fn list(containerd: &mut Containerd<'_>) -> Outcome {
    containerd.service("box", &[])?;
    let (pid, status) = containerd.task("box")?;
    ensure_eq("status", status.as_str(), "RUNNING")?;
    let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline"))?;
    ensure_contains("the process", &line, "/share/ready")
}

fn kill(containerd: &mut Containerd<'_>) -> Outcome {
    containerd.service("box", &[])?;
    containerd.ctr(&["task", "kill", "box"])?.ok()?;
    containerd.ended("box")?;
    ensure_eq("exit code", containerd.delete("box")?, 7)
}

fn kill_signal(containerd: &mut Containerd<'_>) -> Outcome {
    containerd.service("box", &[])?;
    containerd.ctr(&["task", "kill", "--signal=SIGUSR1", "box"])?.ok()?;
    containerd.shared("usr1")?;
    ensure_eq("status", containerd.task("box")?.1.as_str(), "RUNNING")
}

fn kill_all(containerd: &mut Containerd<'_>) -> Outcome {
    containerd.service("box", &[])?;
    containerd.ctr(&["task", "kill", "--all", "--signal=SIGKILL", "box"])?.ok()?;
    containerd.ended("box")?;
    ensure_eq("exit code", containerd.delete("box")?, 137)
}

fn exit_code(containerd: &mut Containerd<'_>) -> Outcome {
    containerd.detached("box", &[], &["sh", "-c", "exit 33"])?;
    containerd.ended("box")?;
    ensure_eq("exit code", containerd.delete("box")?, 33)?;
    let left = containerd.ctr(&["task", "ls", "-q"])?.ok()?;
    ensure_eq("tasks", clean(&left.stdout()).as_str(), "")
}

fn delete_running(containerd: &mut Containerd<'_>) -> Outcome {
    containerd.service("box", &[])?;
    let output = containerd.ctr(&["task", "delete", "box"])?;
    ensure_eq("delete succeeds", output.code == 0, false)?;
    ensure_eq("status", containerd.task("box")?.1.as_str(), "RUNNING")
}

fn delete_force(containerd: &mut Containerd<'_>) -> Outcome {
    containerd.service("box", &[])?;
    let (pid, _status) = containerd.task("box")?;
    containerd.ctr(&["task", "delete", "--force", "box"])?;
    wait::ended(pid)?;
    let left = containerd.ctr(&["task", "ls", "-q"])?.ok()?;
    ensure_eq("tasks", clean(&left.stdout()).as_str(), "")
}

fn create(containerd: &mut Containerd<'_>) -> Outcome {
    let mut words = containerd.container(&["containers", "create"], &[], "box");
    // `ctr` takes a `-c` of the command for its own.
    std::fs::write(containerd.rt.directory().join("share/script"), super::SERVICE)?;
    words.extend(["sh", "/share/script"].map(String::from));
    containerd.ctr(&words)?.ok()?;
    containerd.ctr(&["task", "start", "--detach", "box"])?.ok()?;
    containerd.shared("ready")
}

fn again(containerd: &mut Containerd<'_>) -> Outcome {
    containerd.detached("box", &[], &["sh", "-c", "exit 5"])?;
    containerd.ended("box")?;
    ensure_eq("exit code", containerd.delete("box")?, 5)?;
    containerd.ctr(&["task", "start", "box"])?.exits(5).map(drop)
}

fn pause(containerd: &mut Containerd<'_>) -> Outcome {
    containerd.service("box", &[])?;
    containerd.ctr(&["task", "pause", "box"])?.ok()?;
    ensure_eq("status", containerd.task("box")?.1.as_str(), "PAUSED")?;
    containerd.ctr(&["task", "resume", "box"])?.ok()?;
    ensure_eq("status", containerd.task("box")?.1.as_str(), "RUNNING")?;
    containerd.ctr(&["task", "kill", "--signal=SIGUSR1", "box"])?.ok()?;
    containerd.shared("usr1")
}

fn ps(containerd: &mut Containerd<'_>) -> Outcome {
    containerd.service("box", &[])?;
    let (pid, _status) = containerd.task("box")?;
    let output = containerd.ctr(&["task", "ps", "box"])?.ok()?;
    let text = output.stdout();
    let pids: Vec<&str> = text.lines().skip(1).filter_map(|l| l.split(' ').next()).collect();
    ensure_eq(
        &format!("{pids:?} has the first process"),
        pids.contains(&pid.to_string().as_str()),
        true,
    )?;
    // The shell and its `sleep`.
    ensure_eq("processes", pids.len(), 2)
}

fn exec(containerd: &mut Containerd<'_>) -> Outcome {
    containerd.service("box", &[])?;
    let words = ["task", "exec", "--exec-id=one", "--user=1000", "--cwd=/usr", "box"];
    let script = "id -u; pwd; readlink /proc/1/ns/mnt >/dev/null; exit 6";
    let output = containerd.ctr(&[&words[..], &["sh", "-c", script]].concat())?.exits(6)?;
    ensure_eq("output", clean(&output.stdout()).as_str(), "1000\n/usr")
}

fn exec_missing(containerd: &mut Containerd<'_>) -> Outcome {
    containerd.service("box", &[])?;
    let words = ["task", "exec", "--exec-id=one", "box", "/no-such-program"];
    let output = containerd.ctr(&words)?.exits(1)?;
    ensure_contains("errors", &output.stderr(), "/no-such-program")
}

fn exec_terminal(containerd: &mut Containerd<'_>) -> Outcome {
    containerd.service("box", &[])?;
    let mut words = vec![String::from("/usr/bin/ctr")];
    words.extend(containerd.words());
    words.push(String::from("task exec --exec-id=one --tty box sh -c 'tty; test -t 1 && exit 9'"));
    let mut call = containerd.rt.program("/usr/bin/script");
    call.limit = super::LIMIT;
    let call = call.args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"]);
    let output = containerd.rt.finish(call)?.exits(9)?;
    ensure_contains("output", &clean(&output.stdout()), "/dev/pts/")
}

fn join(containerd: &mut Containerd<'_>) -> Outcome {
    containerd.service("first", &[])?;
    let (pid, _status) = containerd.task("first")?;
    let path = |name: &str| format!("/proc/{pid}/ns/{name}");
    let flags: Vec<String> = [("network", "net"), ("ipc", "ipc"), ("uts", "uts")]
        .iter()
        .map(|(kind, name)| format!("--with-ns={kind}:{}", path(name)))
        .collect();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let script = "for n in net ipc uts; do readlink /proc/self/ns/$n; done";
    let output = containerd.run(&flags, &["sh", "-c", script])?.ok()?;
    let mut theirs = Vec::new();
    for name in ["net", "ipc", "uts"] {
        theirs.push(std::fs::read_link(path(name))?.display().to_string());
    }
    ensure_eq("namespaces", clean(&output.stdout()), theirs.join("\n"))
}

fn metrics(containerd: &mut Containerd<'_>) -> Outcome {
    containerd.service("box", &[])?;
    let output = containerd.ctr(&["task", "metrics", "box"])?.ok()?;
    ensure_contains("metrics", &output.stdout(), "pids.current")
}

fn restart_daemon(containerd: &mut Containerd<'_>) -> Outcome {
    containerd.service("box", &[])?;
    let before = containerd.task("box")?;
    containerd.stop()?;
    containerd.start()?;
    ensure_eq("the task", containerd.task("box")?, before)?;
    containerd.ctr(&["task", "kill", "box"])?.ok()?;
    containerd.ended("box")?;
    ensure_eq("exit code", containerd.delete("box")?, 7)
}

fn killed_outside(containerd: &mut Containerd<'_>) -> Outcome {
    containerd.service("box", &[])?;
    let (pid, _status) = containerd.task("box")?;
    let process = wait::pidfd(pid)?.ok_or_else(|| anyhow::anyhow!("no process {pid}"))?;
    rustix::process::pidfd_send_signal(&process, rustix::process::Signal::KILL)?;
    containerd.ended("box")?;
    ensure_eq("exit code", containerd.delete("box")?, 137)
}

fn orphans(containerd: &mut Containerd<'_>) -> Outcome {
    let script = "sleep 1000 & sleep 1000 & exit 4";
    containerd.run(&[], &["sh", "-c", script])?.exits(4).map(drop)
}

fn killed_shim(containerd: &mut Containerd<'_>) -> Outcome {
    containerd.service("box", &[])?;
    let (pid, _status) = containerd.task("box")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:\t"));
    let shim = parent.unwrap_or_default().parse()?;
    let line = std::fs::read_to_string(format!("/proc/{shim}/cmdline"))?;
    ensure_contains("the parent", &line, "containerd-shim")?;
    let task = wait::pidfd(pid)?.ok_or_else(|| anyhow::anyhow!("no process {pid}"))?;
    let shim = wait::pidfd(shim)?.ok_or_else(|| anyhow::anyhow!("no shim {shim}"))?;
    rustix::process::pidfd_send_signal(&shim, rustix::process::Signal::KILL)?;
    // containerd has the runtime delete what the shim has left.
    ensure_eq("the task has ended", wait::readable(task, wait::LIMIT)?, true)
}

fn delete_paused(containerd: &mut Containerd<'_>) -> Outcome {
    containerd.service("box", &[])?;
    let (pid, _status) = containerd.task("box")?;
    containerd.ctr(&["task", "pause", "box"])?.ok()?;
    containerd.ctr(&["task", "delete", "--force", "box"])?;
    wait::ended(pid)
}

fn two(containerd: &mut Containerd<'_>) -> Outcome {
    containerd.service("first", &[])?;
    containerd.detached("second", &[], &["sh", "-c", "exit 3"])?;
    containerd.ended("second")?;
    ensure_eq("the first one", containerd.task("first")?.1.as_str(), "RUNNING")?;
    ensure_eq("exit code of the second one", containerd.delete("second")?, 3)
}

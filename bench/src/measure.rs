//! One command, measured: its time, its peak memory, its system calls.

use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::sys;

/// The time from the start of a command to its end.
///
/// # Errors
/// When it fails or does not come to an end in time.
pub(crate) fn time(command: &mut Command, limit: Duration) -> Result<Duration> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let child = command.spawn().with_context(|| format!("{command:?}"))?;
    let status = wait(&child, limit)?;
    let took = start.elapsed();
    ensure!(status == 0, "{command:?}: wait status {status:#x}");
    Ok(took)
}

/// Runs a command that is not measured.
///
/// # Errors
/// When it fails, with what it says, or does not come to an end in time.
pub(crate) fn probe(command: &mut Command, said: &Path, limit: Duration) -> Result<()> {
    let file = std::fs::File::create(said)?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
    let child = command.spawn().with_context(|| format!("{command:?}"))?;
    let status = wait(&child, limit)?;
    if status != 0 {
        let text = std::fs::read_to_string(said).unwrap_or_default();
        let line = text.lines().last().unwrap_or("it says nothing").to_owned();
        bail!("{line}");
    }
    Ok(())
}

fn wait(child: &Child, limit: Duration) -> Result<i32> {
    let pid = i32::try_from(child.id())?;
    if let Err(error) = wait_for(pid, limit) {
        let _ = sys::wait4(pid);
        return Err(error);
    }
    Ok(sys::wait4(pid)?.0)
}

/// Until a process has ended; when it does not in time, it is ended.
pub(crate) fn wait_for(pid: i32, limit: Duration) -> Result<()> {
    let pid = Pid::from_raw(pid).context("a pid")?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
    if poll(&mut fds, Some(&Timespec::try_from(limit)?))? == 0 {
        pidfd_send_signal(&pidfd, Signal::KILL)?;
        bail!("no end after {} s", limit.as_secs());
    }
    Ok(())
}

/// A command's peak RSS in KiB. A child begins with the peak of the process it was spawned by, so
/// this is asked of a helper that is small itself: see [`print_peak_rss`].
///
/// # Errors
/// When the command fails.
pub(crate) fn peak_rss(command: &Command) -> Result<f64> {
    let mut helper = Command::new("/proc/self/exe");
    helper.args(["rss", "--"]).arg(command.get_program()).args(command.get_args());
    let output = helper.stdin(Stdio::null()).output()?;
    let (said, text) = (output.stderr, String::from_utf8_lossy(&output.stdout).into_owned());
    let line = text.lines().last();
    let line = line.with_context(|| String::from_utf8_lossy(&said).trim_end().to_owned())?;
    line.trim().parse().with_context(|| line.to_owned())
}

/// The helper's side of [`peak_rss`].
pub(crate) fn print_peak_rss(command: &[String]) -> Result<ExitCode> {
    let (program, args) = command.split_first().context("no command")?;
    let child = Command::new(program).args(args).stdout(Stdio::null()).spawn()?;
    let (status, peak) = sys::wait4(i32::try_from(child.id())?)?;
    ensure!(status == 0, "{program}: wait status {status:#x}");
    crate::output::line(&peak.to_string());
    Ok(ExitCode::SUCCESS)
}

/// How many system calls a command makes, its children's included.
///
/// # Errors
/// When strace is not there, or the command fails under it.
pub(crate) fn system_calls(command: &Command, dir: &Path, limit: Duration) -> Result<f64> {
    let (said, count) = (dir.join("said"), dir.join("strace"));
    let mut strace = Command::new("strace");
    strace.args(["-f", "-c", "-U", "calls,name", "-o"]).arg(&count);
    strace.arg("--").arg(command.get_program()).args(command.get_args());
    probe(&mut strace, &said, limit * 3)?;
    let text = std::fs::read_to_string(&count)?;
    let total = text.lines().rev().find_map(|line| line.trim().strip_suffix("total"));
    let total = total.context("no total in strace's table")?;
    total.trim().parse().with_context(|| total.to_owned())
}

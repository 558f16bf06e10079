//! Runs hooks, in the creator or in the child: a fork, an exec, a wait with a time limit.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, SealFlags, SeekFrom, fcntl_add_seals, memfd_create, seek};
use rustix::io::Errno;
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

use super::clone::{self, Pointers, Relation, Side};
use crate::plan::Hook;
use crate::step::Text;

/// Why a hook is taken to have failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HookFailure {
    /// It was not started: fork or exec was refused.
    NotStarted(Errno),
    /// It ended with this code.
    Code(i32),
    /// It was ended by this signal.
    Signal(i32),
    /// It did not end in time and was killed.
    TimedOut,
}

impl HookFailure {
    /// For people: `exit code 3`.
    pub(crate) fn words(self, hook: &Hook) -> String {
        match self {
            Self::NotStarted(errno) => crate::error::errno_words(errno),
            Self::Code(code) => format!("exit code {code}"),
            Self::Signal(signal) => format!("ended by signal {signal}"),
            Self::TimedOut => {
                format!("killed after its timeout of {} seconds", hook.timeout.unwrap_or_default())
            }
        }
    }
}

/// Where hooks' output goes, by annotation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Output<'a> {
    /// A file for the standard output.
    pub(crate) stdout: Option<BorrowedFd<'a>>,
    /// A file for the standard error.
    pub(crate) stderr: Option<BorrowedFd<'a>>,
}

/// Runs `hooks` in order, each with `state` on its standard input, up to the first that fails: its place and why.
pub(crate) fn run_all(
    hooks: &[Hook],
    state: &[u8],
    output: Output<'_>,
) -> Result<(), (usize, HookFailure)> {
    for (index, hook) in hooks.iter().enumerate() {
        run(hook, state, output).map_err(|failure| (index, failure))?;
    }
    Ok(())
}

/// Runs one hook and waits for it.
pub(crate) fn run(hook: &Hook, state: &[u8], output: Output<'_>) -> Result<(), HookFailure> {
    let stdin = state_file(state).map_err(HookFailure::NotStarted)?;
    let args = Pointers::new(arguments(hook));
    let env = Pointers::new(hook.env.iter().map(Text::as_c_str));
    // The pipe tells an exec that failed from a program that ends with 127.
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map_err(HookFailure::NotStarted)?;
    match clone::clone3(0, None, Relation::Child).map_err(HookFailure::NotStarted)? {
        Side::Child => execute(hook, [&args, &env], stdin.as_fd(), output, writer.as_fd()),
        Side::Parent { pidfd, .. } => {
            drop(writer);
            let mut errno = [0; 4];
            // An exec that succeeds closes the pipe.
            let failed = rustix::io::read(&reader, &mut errno[..]).is_ok_and(|length| length == 4);
            let ended = wait(&pidfd, hook.timeout);
            if failed {
                let errno = Errno::from_raw_os_error(i32::from_ne_bytes(errno));
                return Err(HookFailure::NotStarted(errno));
            }
            ended
        }
    }
}

fn arguments(hook: &Hook) -> Vec<&CStr> {
    if hook.args.is_empty() {
        return vec![hook.path.as_c_str()];
    }
    hook.args.iter().map(Text::as_c_str).collect()
}

/// A sealed file with the state: no hook has to read it, none can change it, and nobody blocks on a full pipe.
fn state_file(state: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let fd = memfd_create("state", flags)?;
    let mut rest = state;
    while !rest.is_empty() {
        let written = rustix::io::write(&fd, rest)?;
        rest = rest.get(written..).unwrap_or_default();
    }
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fcntl_add_seals(&fd, seals)?;
    seek(&fd, SeekFrom::Start(0))?;
    Ok(fd)
}

fn execute(
    hook: &Hook,
    [args, env]: [&Pointers<'_>; 2],
    stdin: BorrowedFd<'_>,
    output: Output<'_>,
    told: BorrowedFd<'_>,
) -> ! {
    let streams = || -> Result<(), Errno> {
        rustix::stdio::dup2_stdin(stdin)?;
        if let Some(fd) = output.stdout {
            rustix::stdio::dup2_stdout(fd)?;
        }
        if let Some(fd) = output.stderr {
            rustix::stdio::dup2_stderr(fd)?;
        }
        Ok(())
    };
    clone::reset_signals();
    let errno = match streams() {
        Ok(()) => clone::execve(hook.path.as_c_str(), args, env),
        Err(errno) => errno,
    };
    let _ = rustix::io::write(told, &errno.raw_os_error().to_ne_bytes());
    clone::exit(127)
}

fn wait(pidfd: &OwnedFd, timeout: Option<u32>) -> Result<(), HookFailure> {
    let limit = timeout.map(|seconds| Instant::now() + Duration::from_secs(u64::from(seconds)));
    let timed_out = !ends_before(pidfd, limit);
    if timed_out {
        let _ = pidfd_send_signal(pidfd, Signal::KILL);
    }
    let status = loop {
        match waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED) {
            Err(Errno::INTR) => {}
            other => break other,
        }
    };
    match status {
        _ if timed_out => Err(HookFailure::TimedOut),
        Ok(Some(status)) => match (status.exit_status(), status.terminating_signal()) {
            (Some(0), _) => Ok(()),
            (Some(code), _) => Err(HookFailure::Code(code)),
            (None, signal) => Err(HookFailure::Signal(signal.unwrap_or_default())),
        },
        Ok(None) => Ok(()),
        Err(errno) => Err(HookFailure::NotStarted(errno)),
    }
}

/// Waits for the end of the process, at most until `limit`.
pub(crate) fn ends_before(pidfd: &OwnedFd, limit: Option<Instant>) -> bool {
    loop {
        let left = limit.map(|limit| limit.saturating_duration_since(Instant::now()));
        let timeout = left.map(|left| Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        });
        match poll(&mut [PollFd::new(pidfd, PollFlags::IN)], timeout.as_ref()) {
            Ok(0) => return false,
            Ok(_) => return true,
            Err(Errno::INTR) => {}
            Err(_) => return true,
        }
    }
}

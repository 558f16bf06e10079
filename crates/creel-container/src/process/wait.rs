//! The end of a process.

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, waitid};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By itself.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

impl Ended {
    /// As a shell tells it: the code, or 128 and the signal.
    pub(crate) fn exit_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }
}

/// Waits for a child and takes it from the process table; none if it is no child of this process.
pub(crate) fn ended(pidfd: &OwnedFd) -> Option<Ended> {
    loop {
        // A child of CLONE_PARENT gives no SIGCHLD, and only __WALL waits for it; waitid by pidfd takes any.
        match waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED) {
            Ok(Some(status)) => {
                return match (status.exit_status(), status.terminating_signal()) {
                    (Some(code), _) => Some(Ended::Code(code)),
                    (None, Some(signal)) => Some(Ended::Signal(signal)),
                    (None, None) => None,
                };
            }
            Err(Errno::INTR) => {}
            // The sibling of a worker: its parent takes it from the process table, but its end shows.
            Err(Errno::CHILD) => {
                super::ends_before(pidfd, None);
                return None;
            }
            Ok(None) | Err(_) => return None,
        }
    }
}

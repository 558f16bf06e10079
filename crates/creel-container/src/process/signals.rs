//! Signals held back and read as data, for a command that stays with its process.

#![expect(unsafe_code, reason = "rustix has no signalfd, no sigprocmask, and no signal by number")]

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{Signal, WaitOptions, pidfd_send_signal, wait};

use super::launch::Launched;
use super::wait::Ended;

/// Every signal that can be held back, as a descriptor.
#[derive(Debug)]
pub struct Signals {
    fd: OwnedFd,
}

impl Signals {
    /// Holds back every signal of this process from now on.
    ///
    /// # Errors
    /// What `signalfd(2)` says.
    pub fn block() -> Result<Self, Errno> {
        let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: the set is written by the call.
        unsafe { libc::sigfillset(set.as_mut_ptr()) };
        // SAFETY: the set was initialised by sigfillset; a null old set is allowed.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, set.as_ptr(), std::ptr::null_mut()) };
        // SAFETY: the set is initialised; -1 asks for a new descriptor.
        let fd =
            unsafe { libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if fd < 0 {
            return Err(crate::sys::last_errno());
        }
        // SAFETY: a new descriptor that nobody else owns.
        Ok(Self { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }
}

impl Iterator for Signals {
    type Item = i32;

    /// The next signal that has come; none when there is none now.
    fn next(&mut self) -> Option<i32> {
        // struct signalfd_siginfo: 128 bytes, the number first.
        let mut info = [0; 128];
        let length = rustix::io::read(&self.fd, &mut info[..]).ok()?;
        let number = info.first_chunk::<4>().filter(|_| length == info.len())?;
        Some(i32::from_ne_bytes(*number))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsFd for Launched {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl Launched {
    /// Its number in the caller's pid namespace.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends a signal; a process that has ended gets none.
    pub fn signal(&self, number: i32) {
        if let Some(signal) = signal(number) {
            let _ = pidfd_send_signal(&self.pidfd, signal);
        }
    }

    /// Takes every child that has ended from the process table; the exit code if this process is one of them.
    pub fn reap_all(&self) -> Option<i32> {
        let mut code = None;
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if pid.as_raw_pid() == self.pid {
                let ended = match (status.exit_status(), status.terminating_signal()) {
                    (Some(code), _) => Ended::Code(code),
                    (None, signal) => Ended::Signal(signal.unwrap_or_default()),
                };
                code = Some(ended.exit_code());
            }
        }
        code
    }
}

/// The signal of a number: a standard one, or a real-time one that the C library does not keep for itself.
#[must_use]
pub fn signal(number: i32) -> Option<Signal> {
    if let Some(signal) = Signal::from_named_raw(number) {
        return Some(signal);
    }
    if !(34..=64).contains(&number) {
        return None;
    }
    // SAFETY: real-time signals from SIGRTMIN on are any program's to send.
    Some(unsafe { Signal::from_raw_unchecked(number) })
}

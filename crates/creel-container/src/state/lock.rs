//! One writer for each container at a time.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, fstat, openat};
use rustix::io::Errno;

use super::store::Directory;
use crate::error::{Error, Result, StepError};
use crate::step::Op;

/// How long a command waits for another one of the same container.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it asks: flock has no time limit of its own.
const INTERVAL: Duration = Duration::from_millis(2);

/// A container that is locked; dropping it unlocks.
#[derive(Debug)]
pub(crate) struct Lock {
    fd: OwnedFd,
}

impl Lock {
    /// Locks for a command that writes.
    pub(crate) fn exclusive(directory: &Directory) -> Result<Self> {
        Self::take(directory, FlockOperation::NonBlockingLockExclusive)
    }

    /// Locks for exec: delete has to wait, another exec has not.
    pub(crate) fn shared(directory: &Directory) -> Result<Self> {
        Self::take(directory, FlockOperation::NonBlockingLockShared)
    }

    fn take(directory: &Directory, how: FlockOperation) -> Result<Self> {
        let failed = |op, errno| {
            Error::from(StepError::new(format!("lock container {}", directory.id()), op, errno))
        };
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let gone = || Error::NotFound { id: directory.id().to_string() };
        let fd = match openat(directory.fd(), "lock", flags, Mode::from(0o600)) {
            // The directory itself was removed after it was opened.
            Err(Errno::NOENT) => return Err(gone()),
            fd => fd.map_err(|errno| failed(Op::Open, errno))?,
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            match flock(&fd, how) {
                Ok(()) => break,
                Err(Errno::WOULDBLOCK) if Instant::now() < deadline => {
                    std::thread::sleep(INTERVAL);
                }
                Err(Errno::WOULDBLOCK) => {
                    return Err(Error::State(format!(
                        "container {} is busy: another command has held it for {} seconds",
                        directory.id(),
                        PATIENCE.as_secs()
                    )));
                }
                Err(errno) => return Err(failed(Op::Open, errno)),
            }
        }
        // Whoever held it may have deleted the container, and a new one may have its name.
        let links = fstat(&fd).map_err(|errno| failed(Op::Stat, errno))?.st_nlink;
        if links == 0 {
            return Err(gone());
        }
        Ok(Self { fd })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Init has a copy of the descriptor until its exec: closing this one would not unlock.
        let _ = flock(&self.fd, FlockOperation::Unlock);
    }
}

//! What a container is doing: asked of the kernel, never remembered.

use std::fmt;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::record::{ProcessRecord, Record};
use super::store::{Directory, START_FIFO};

/// `status` of the runtime spec, with `paused` as all runtimes have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of runtime.md#state")]
pub enum Status {
    Creating,
    Created,
    Running,
    Paused,
    Stopped,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        })
    }
}

/// A recorded process: alive, with a descriptor that stays its own, or gone.
#[derive(Debug)]
pub(crate) enum Liveness {
    Alive(OwnedFd),
    Gone,
}

/// Opens the process that was recorded; one that has its number now but started at another time is not it.
pub(crate) fn open_process(record: &ProcessRecord) -> Liveness {
    let Some(pid) = Pid::from_raw(record.pid) else { return Liveness::Gone };
    // The descriptor first, the time after: a number used again between the two shows in the time.
    let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { return Liveness::Gone };
    let same = start_time(record.pid) == Some(record.start_time)
        && (record.boot_id.is_empty() || boot_id() == record.boot_id);
    if !same || has_ended(&pidfd) {
        return Liveness::Gone;
    }
    Liveness::Alive(pidfd)
}

/// Whether the process has ended: a zombie has, too.
fn has_ended(pidfd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    matches!(poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(1))
}

/// Field 22 of `/proc/PID/stat`. The name in field 2 may hold blanks and parentheses.
pub(crate) fn start_time(pid: i32) -> Option<u64> {
    let mut bytes = [0; 1024];
    let stat = read_once(&format!("/proc/{pid}/stat"), &mut bytes)?;
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(end + 2..)?).ok()?;
    rest.split(' ').nth(19)?.parse().ok()
}

/// This boot's id; empty if the kernel does not tell.
pub(crate) fn boot_id() -> String {
    let mut bytes = [0; 64];
    let text = read_once("/proc/sys/kernel/random/boot_id", &mut bytes);
    let text = text.and_then(|text| std::str::from_utf8(text).ok());
    text.map(|text| text.trim_end().to_owned()).unwrap_or_default()
}

/// The text of a file that the kernel shows in one piece: as long as `bytes` at most.
fn read_once<'b>(path: &str, bytes: &'b mut [u8]) -> Option<&'b [u8]> {
    let fd = openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let length = rustix::io::read(&fd, &mut *bytes).ok()?;
    bytes.get(..length)
}

/// What the container is doing. `frozen` is asked only of one that runs.
pub(crate) fn status_of(
    directory: &Directory,
    record: &Record,
    frozen: impl FnOnce() -> bool,
) -> Status {
    status_and_init(directory, record, frozen).0
}

/// The same, and init, unless the container is being created or has stopped.
pub(crate) fn status_and_init(
    directory: &Directory,
    record: &Record,
    frozen: impl FnOnce() -> bool,
) -> (Status, Option<OwnedFd>) {
    let open = |process: &Option<ProcessRecord>| match process.as_ref().map(open_process) {
        Some(Liveness::Alive(pidfd)) => Some(pidfd),
        Some(Liveness::Gone) | None => None,
    };
    if !record.committed {
        let is_creating = open(&record.creator).is_some();
        return (if is_creating { Status::Creating } else { Status::Stopped }, None);
    }
    let Some(init) = open(&record.init) else { return (Status::Stopped, None) };
    let status = if frozen() {
        Status::Paused
    } else if is_waiting_for_start(directory) {
        Status::Created
    } else {
        Status::Running
    };
    (status, Some(init))
}

/// What a container is doing whose init the caller has created, when nobody freezes it.
pub(crate) fn status_of_own(directory: &Directory, init: &OwnedFd) -> Status {
    if has_ended(init) {
        Status::Stopped
    } else if is_waiting_for_start(directory) {
        Status::Created
    } else {
        Status::Running
    }
}

/// Whether init still reads the start FIFO: its exec, or its end, closes it.
pub(crate) fn is_waiting_for_start(directory: &Directory) -> bool {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    !matches!(
        openat(directory.fd(), START_FIFO, flags, Mode::empty()),
        Err(Errno::NXIO | Errno::NOENT)
    )
}

impl ProcessRecord {
    /// The process `pid`, as it is now, in the boot of [`boot_id`]; none if it is gone already.
    pub(crate) fn of(pid: i32, boot_id: &str) -> Option<Self> {
        Some(Self { pid, start_time: start_time(pid)?, boot_id: boot_id.to_owned() })
    }
}

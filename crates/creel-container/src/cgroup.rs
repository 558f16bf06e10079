//! The recorded cgroup of a container, opened when a command needs it.

use std::io::Read;
use std::os::fd::OwnedFd;

use creel_cgroups::{Cgroup, CgroupPath, Hierarchies};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::process::{Pid, Signal};

use crate::container::PATIENCE;
use crate::error::{Error, Result, StepError};
use crate::process::cgroup_error;
use crate::state::{Directory, Liveness, ProcessRecord, Record, open_process};
use crate::step::Op;

/// Opens it; none when cgroups are disabled.
pub(crate) fn open(record: &Record) -> Result<Option<Cgroup>> {
    let Some(it) = &record.cgroup else { return Ok(None) };
    let open = || {
        let path = CgroupPath::parse(&it.path)?;
        Cgroup::open(Hierarchies::detect(&it.mount)?, path)
    };
    open().map(Some).map_err(|error| cgroup_error(&error))
}

/// Opens it; a container without one of its own is refused.
pub(crate) fn needed(record: &Record) -> Result<Cgroup> {
    open(record)?
        .ok_or_else(|| Error::State(format!("container {} has no cgroup of its own", record.id)))
}

/// Whether it is frozen; one that cannot be asked is not.
pub(crate) fn is_frozen(record: &Record) -> bool {
    matches!(open(record), Ok(Some(cgroup)) if cgroup.is_frozen().unwrap_or(false))
}

pub(crate) fn freeze(record: &Record) -> Result<()> {
    needed(record)?.freeze(PATIENCE).map_err(|error| cgroup_error(&error))
}

pub(crate) fn thaw(record: &Record) -> Result<()> {
    needed(record)?.thaw().map_err(|error| cgroup_error(&error))
}

pub(crate) fn processes(record: &Record) -> Result<Vec<Pid>> {
    needed(record)?.processes().map_err(|error| cgroup_error(&error))
}

/// Where init is, as the host's procfs tells: opened before an exec enters the container.
#[derive(Debug)]
pub(crate) struct OfInit {
    proc: OwnedFd,
    pid: i32,
}

impl OfInit {
    pub(crate) fn open(pid: i32) -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let proc = openat(CWD, "/proc", flags, Mode::empty())
            .map_err(|errno| StepError::new("open /proc", Op::Open, errno))?;
        Ok(Self { proc, pid })
    }

    /// The v2 directory that init has moved itself to, below the container's own.
    pub(crate) fn below(&self, cgroup: &Cgroup) -> Result<Option<OwnedFd>> {
        let name = format!("{}/cgroup", self.pid);
        let read = || {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            let file = openat(&self.proc, name.as_str(), flags, Mode::empty())?;
            let mut text = String::new();
            std::fs::File::from(file)
                .read_to_string(&mut text)
                .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
            Ok(text)
        };
        let text = read().map_err(|errno: Errno| {
            StepError::new(format!("read /proc/{name}"), Op::Read, errno)
        })?;
        cgroup.v2_below(&text).map_err(|error| cgroup_error(&error))
    }
}

/// Signals every process; a container without a cgroup of its own has only its init.
pub(crate) fn kill_all(record: &Record, signal: Signal) -> Result<()> {
    match open(record)? {
        Some(cgroup) => cgroup.kill_all(signal).map_err(|error| cgroup_error(&error)),
        None => crate::delete::signal_init(record, signal),
    }
}

/// What happens to processes that are not the container's and are in its cgroup all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strangers {
    /// They are waited for, and an error at last.
    Kept,
    /// They are killed.
    Killed,
}

/// Removes it; kills what is in it before, unless another container is in it: that one keeps it. `opened` is the cgroup
/// of `record`, if the caller has it open.
pub(crate) fn remove(
    directory: &Directory,
    record: &Record,
    opened: Option<&Cgroup>,
    strangers: Strangers,
) -> Result<()> {
    let of_record = if opened.is_none() { open(record)? } else { None };
    let Some(cgroup) = opened.or(of_record.as_ref()) else { return Ok(()) };
    // Mostly nothing is: then nothing has to be killed, thawed or waited for.
    if cgroup.remove_empty().map_err(|error| cgroup_error(&error))?
        || !clear(directory, record, cgroup, strangers)?
    {
        return Ok(());
    }
    cgroup.remove(PATIENCE).map_err(|error| match (&error, strangers) {
        (creel_cgroups::Error::Populated { .. }, Strangers::Kept) => {
            Error::State(format!("{error}; delete --force kills what is in it"))
        }
        _ => cgroup_error(&error),
    })
}

/// Kills what the container, whose init has ended, left in its cgroup. False if another container is in it, too.
///
/// Only a pid namespace that is another's outlives init; others are strangers. A creator that died before it had an init
/// may have died before it saw that the cgroup was another's: then what is in it is not ours to kill.
pub(crate) fn clear(
    directory: &Directory,
    record: &Record,
    cgroup: &Cgroup,
    strangers: Strangers,
) -> Result<bool> {
    if cgroup.processes().map_err(|error| cgroup_error(&error))?.is_empty() {
        return Ok(true);
    }
    if is_shared(directory, record) {
        return Ok(false);
    }
    if record.init.is_some() && (strangers == Strangers::Killed || !record.own_pid_namespace) {
        cgroup.kill_all(Signal::KILL).map_err(|error| cgroup_error(&error))?;
    }
    Ok(true)
}

/// Whether another container that lives is in the same cgroup or in one below it.
fn is_shared(directory: &Directory, record: &Record) -> bool {
    let Some(own) = &record.cgroup else { return false };
    let is_inside = |path: &str| {
        path.strip_prefix(own.path.as_str())
            .is_some_and(|rest| matches!(rest.chars().next(), None | Some('/')))
    };
    let lives = |process: &Option<ProcessRecord>| {
        process.as_ref().is_some_and(|it| matches!(open_process(it), Liveness::Alive(_)))
    };
    directory.others().iter().any(|other| {
        other.cgroup.as_ref().is_some_and(|it| it.mount == own.mount && is_inside(&it.path))
            && (lives(&other.init) || lives(&other.creator))
    })
}

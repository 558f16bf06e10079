//! Removing a cgroup from every hierarchy.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::{AtFlags, unlinkat},
    io::Errno,
    process::{Pid, PidfdFlags, pidfd_open},
};

use super::{Cgroup, Member, interrupted, pause_until, procs::children, remaining, wait_for_event};
use crate::{
    error::{Error, Result},
    hierarchy::{Hierarchy, Version},
};

impl Cgroup {
    /// Removes the cgroup and all below it in every hierarchy. Processes that are ending are waited for, at most `limit`
    /// in all. A cgroup that is gone already is no error; the levels above stay.
    ///
    /// # Errors
    /// [`Error::Populated`] if processes are left after that time; [`Error::Os`]. Other hierarchies are tried first.
    pub fn remove(&self, limit: Duration) -> Result<()> {
        self.remove_where(|_| true, limit)
    }

    /// Removes the cgroup from every hierarchy if nothing is in it, no process and no cgroup; waits for nothing. False if
    /// something is: then it may be gone from some hierarchies.
    ///
    /// # Errors
    /// [`Error::Os`]
    pub fn remove_empty(&self) -> Result<bool> {
        for (_, member) in self.each() {
            match unlinkat(&self.root, member.below.as_str(), AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(Errno::BUSY | Errno::NOTEMPTY) => return Ok(false),
                Err(errno) => return Err(self.failed("rmdir", member, errno)),
            }
        }
        Ok(true)
    }

    /// Undoes [`Cgroup::create`]: removes, as [`Cgroup::remove`] does, the leaf where it was made by it, and of the levels
    /// above those that it made and that nobody else uses by now.
    ///
    /// # Errors
    /// As [`Cgroup::remove`].
    pub fn undo_create(&self, limit: Duration) -> Result<()> {
        let removed = self.remove_where(|member| member.made.get() > 0, limit);
        self.remove_made();
        removed
    }

    fn remove_where(&self, is_meant: impl Fn(&Member) -> bool, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        let mut result = Ok(());
        // v2 is the first: it tells when the processes have ended, then the others are free, too.
        for (hierarchy, member) in self.each().filter(|(_, member)| is_meant(member)) {
            let removed = self.remove_from(hierarchy, member, deadline);
            result = result.and(removed);
        }
        result
    }

    fn remove_from(&self, hierarchy: &Hierarchy, member: &Member, deadline: Instant) -> Result<()> {
        let fail = |errno| self.failed("rmdir", member, errno);
        loop {
            match unlinkat(&self.root, member.below.as_str(), AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => return Ok(()),
                Err(Errno::BUSY | Errno::NOTEMPTY) => {}
                Err(errno) => return Err(fail(errno)),
            }
            let Some(directory) = self.directory(member)? else { return Ok(()) };
            if !remove_below(directory).map_err(fail)? {
                continue;
            }
            // What is left are processes.
            let gone = match hierarchy.version {
                Version::V2 => wait_for_event(directory, "populated 0", deadline).map_err(fail)?,
                Version::V1 => wait_for_an_end(&self.pids_of(member)?, deadline).map_err(fail)?,
            };
            if !gone {
                let pid = self.pids_of(member)?.first().copied().flatten();
                return Err(Error::Populated { at: self.place(member), pid });
            }
        }
    }
}

/// Removes the cgroups below one, the deepest first. Says whether the removal of the cgroup itself must wait: false if
/// something was removed, so that it may work now.
fn remove_below(directory: BorrowedFd<'_>) -> std::result::Result<bool, Errno> {
    let mut nothing_removed = true;
    for (name, child) in children(directory)? {
        remove_below(child.as_fd())?;
        match unlinkat(directory, name.as_str(), AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => nothing_removed = false,
            Err(Errno::BUSY | Errno::NOTEMPTY) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(nothing_removed)
}

/// v1 has no event for an empty cgroup: waits for the end of one of its processes; false if none ends in time.
fn wait_for_an_end(pids: &[Option<Pid>], deadline: Instant) -> std::result::Result<bool, Errno> {
    let Some(left) = remaining(deadline) else { return Ok(false) };
    let open = |pid: &Option<Pid>| (*pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    let pidfds: Vec<OwnedFd> = pids.iter().filter_map(open).collect();
    if pidfds.is_empty() {
        // The last ones have ended, or cannot be seen from here.
        return Ok(pause_until(deadline));
    }
    let mut polled: Vec<_> = pidfds.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    poll(&mut polled, Some(&left)).or_else(interrupted)?;
    Ok(true)
}

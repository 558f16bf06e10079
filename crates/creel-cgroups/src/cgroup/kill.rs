//! Signals for every process of a cgroup.

use std::{collections::HashSet, time::Duration};

use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal},
};

use super::{Cgroup, write_file};
use crate::error::Result;

/// How long the processes may take to freeze before they are signalled all the same.
const FREEZE_LIMIT: Duration = Duration::from_millis(500);

impl Cgroup {
    /// Sends a signal to every process of the cgroup and of those below it. SIGKILL also reaches frozen ones and those
    /// that are forked meanwhile (`cgroup.kill`, Linux 5.14, on v2 and hybrid; elsewhere the cgroup is frozen for the time);
    /// that they have ended is not waited for. The caller is never signalled but by `cgroup.kill`.
    ///
    /// A frozen cgroup stays so, unless the v1 freezer would hold SIGKILL back. A cgroup that is gone is no error.
    ///
    /// # Errors
    /// [`Error::Os`](crate::Error::Os)
    pub fn kill_all(&self, signal: Signal) -> Result<()> {
        if signal == Signal::KILL && self.kill_v2()? {
            // Those that the v1 freezer holds do not die before they are thawed.
            return self.thaw();
        }
        let was_frozen = self.is_frozen()?;
        let mine = self.processes()?.contains(&getpid());
        let frozen = was_frozen || (!mine && self.freeze(FREEZE_LIMIT).is_ok());
        let result = if frozen {
            self.signal_once(signal).map(drop)
        } else {
            self.signal_until_known(signal)
        };
        if frozen && (!was_frozen || signal == Signal::KILL) {
            self.thaw()?;
        }
        result
    }

    /// By `cgroup.kill`; false if this kernel or layout does not have it.
    fn kill_v2(&self) -> Result<bool> {
        let Some(member) = self.v2_member() else { return Ok(false) };
        let Some(directory) = self.directory(member)? else { return Ok(false) };
        match write_file(directory, "cgroup.kill", "1") {
            Ok(()) => Ok(true),
            Err(Errno::NOENT | Errno::NODEV | Errno::OPNOTSUPP) => Ok(false),
            Err(errno) => Err(self.failed("kill", member, errno)),
        }
    }

    /// Without a freezer: again while there are processes that were not there the time before.
    fn signal_until_known(&self, signal: Signal) -> Result<()> {
        let mut known = HashSet::new();
        loop {
            let before = known.len();
            known.extend(self.signal_once(signal)?);
            if known.len() == before {
                return Ok(());
            }
        }
    }

    /// Signals each process once. The pidfds are opened first and the list is read again after: a pid that was given to a
    /// stranger meanwhile is not in it.
    fn signal_once(&self, signal: Signal) -> Result<Vec<Pid>> {
        let open = |pid: Pid| Some((pid, pidfd_open(pid, PidfdFlags::empty()).ok()?));
        let opened: Vec<_> =
            self.processes()?.into_iter().filter(|pid| *pid != getpid()).filter_map(open).collect();
        let still = self.processes()?;
        let mut signalled = Vec::with_capacity(opened.len());
        for (pid, pidfd) in opened.iter().filter(|(pid, _)| still.contains(pid)) {
            match pidfd_send_signal(pidfd, signal) {
                Ok(()) => signalled.push(*pid),
                Err(Errno::SRCH) => {}
                Err(errno) => {
                    return Err(crate::Error::Os {
                        operation: "signal",
                        at: format!("/proc/{}", pid.as_raw_nonzero()).into(),
                        errno,
                    });
                }
            }
        }
        Ok(signalled)
    }
}

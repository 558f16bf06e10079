//! Freezing and thawing: `cgroup.freeze` where there is a v2 hierarchy, the v1 freezer elsewhere.

use std::{
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};

use rustix::io::Errno;

use super::{Cgroup, Member, pause_until, read_file, wait_for_event, write_file};
use crate::{
    controller::Controller,
    error::{Error, Result},
};

impl Cgroup {
    /// Freezes every process and waits until the kernel reports it, at most `limit`. Processes that join later are frozen
    /// too. On hybrid it is the v2 freezer: its processes can be killed while they are frozen.
    ///
    /// # Errors
    /// [`Error::Timeout`]: the cgroup is thawed again before it returns. [`Error::Os`]; ENOENT if there is no cgroup.
    pub fn freeze(&self, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        let (member, frozen) = if let Some(member) = self.v2_member() {
            let directory = self.existing(member)?;
            let frozen = write_file(directory, "cgroup.freeze", "1")
                .and_then(|()| wait_for_event(directory, "frozen 1", deadline));
            (member, frozen)
        } else {
            let Some(member) = self.v1_member(Controller::Freezer) else {
                return Err(Error::NoHierarchy { at: self.hierarchies.root().join("freezer") });
            };
            (member, freeze_v1(self.existing(member)?, deadline))
        };
        if frozen.map_err(|errno| self.failed("freeze", member, errno))? {
            return Ok(());
        }
        self.thaw()?;
        let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        Err(Error::Timeout { at: self.place(member), what: "freezing", limit_ms })
    }

    /// Thaws the cgroup, whichever freezer it was frozen by. A cgroup that is gone is no error.
    ///
    /// # Errors
    /// [`Error::Os`]
    pub fn thaw(&self) -> Result<()> {
        for (member, file, value) in self.freezers() {
            let Some(directory) = self.directory(member)? else { continue };
            match write_file(directory, file, value) {
                Ok(()) | Err(Errno::NOENT | Errno::NODEV) => {}
                Err(errno) => return Err(self.failed("thaw", member, errno)),
            }
        }
        Ok(())
    }

    /// Whether it is frozen, or about to be, by either freezer. A cgroup that is gone is not.
    ///
    /// # Errors
    /// [`Error::Os`]
    pub fn is_frozen(&self) -> Result<bool> {
        for (member, file, thawed) in self.freezers() {
            let Some(directory) = self.directory(member)? else { continue };
            match read_file(directory, file) {
                Ok(state) if state.trim() != thawed => return Ok(true),
                Ok(_) | Err(Errno::NOENT | Errno::NODEV) => {}
                Err(errno) => return Err(self.failed("read the state of", member, errno)),
            }
        }
        Ok(false)
    }

    /// The freezers, their files, and the value that means thawed.
    fn freezers(&self) -> impl Iterator<Item = (&Member, &'static str, &'static str)> {
        let v2 = self.v2_member().map(|member| (member, "cgroup.freeze", "0"));
        let v1 =
            self.v1_member(Controller::Freezer).map(|member| (member, "freezer.state", "THAWED"));
        v2.into_iter().chain(v1)
    }

    fn existing<'m>(&self, member: &'m Member) -> Result<BorrowedFd<'m>> {
        self.directory(member)?.ok_or_else(|| self.failed("open", member, Errno::NOENT))
    }
}

/// The v1 freezer reports no event, and it gives up on processes that fork meanwhile: it has to be asked again, and now
/// and then to start anew.
fn freeze_v1(directory: BorrowedFd<'_>, deadline: Instant) -> std::result::Result<bool, Errno> {
    let mut tries = 0_u32;
    loop {
        write_file(directory, "freezer.state", "FROZEN")?;
        if read_file(directory, "freezer.state")?.trim() == "FROZEN" {
            return Ok(true);
        }
        tries += 1;
        if tries.is_multiple_of(50) {
            write_file(directory, "freezer.state", "THAWED")?;
        }
        if !pause_until(deadline) {
            return Ok(false);
        }
    }
}

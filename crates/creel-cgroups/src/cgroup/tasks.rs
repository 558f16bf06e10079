//! Entering v1 hierarchies by oneself.
//!
//! A process that moves another, by `cgroup.procs`, stops all forks and exits of the machine for it and waits for a
//! grace period of the kernel: milliseconds. One with a single thread that moves itself, by `tasks`, waits for nothing.

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    fs::OFlags,
    io::{Errno, write},
};

use super::{Cgroup, open_file};
use crate::{
    error::Result,
    hierarchy::{Hierarchy, Version},
};

impl Cgroup {
    /// Opens `tasks` in every v1 hierarchy, for a process that enters them with [`enter`]: the kernel checks the
    /// credentials of who opened it. Into that of v2 it has to be cloned: see [`Cgroup::v2`].
    ///
    /// # Errors
    /// [`Error::Os`](crate::Error::Os); ENOENT if the cgroup is gone from any hierarchy, v2 too.
    pub fn tasks(&self) -> Result<Vec<OwnedFd>> {
        let mut files = Vec::with_capacity(self.members.len());
        for (Hierarchy { version, .. }, member) in self.each() {
            let known = match version {
                Version::V1 => member.directory.get().and_then(Option::as_ref),
                Version::V2 => {
                    self.directory(member)?
                        .ok_or_else(|| self.failed("open", member, Errno::NOENT))?;
                    continue;
                }
            };
            let file = match known {
                Some(directory) => open_file(directory, "tasks", OFlags::WRONLY),
                None => open_file(&self.root, &format!("{}/tasks", member.below), OFlags::WRONLY),
            };
            files.push(file.map_err(|errno| self.failed("open tasks of", member, errno))?);
        }
        Ok(files)
    }
}

/// Moves the calling thread into the v1 cgroup whose `tasks` is given: the whole process, if it has no other. Allocates
/// nothing.
///
/// # Errors
/// What the kernel refuses; `ENODEV` if the cgroup is gone.
pub fn enter(tasks: impl AsFd) -> std::result::Result<(), Errno> {
    write(tasks, b"0").map(drop)
}

//! The cgroup of one container, in all hierarchies at once.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
    time::Duration,
};

use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    io::{Errno, write},
    process::{Pid, Signal},
};

use crate::{
    controller::Controllers,
    error::{Error, Result},
    hierarchy::{Hierarchies, Hierarchy, Version},
    path::CgroupPath,
    settings::Settings,
};

/// A cgroup in all hierarchies: one open directory for each of them, everything relative to that.
///
/// Dropping it removes nothing.
#[derive(Debug)]
pub struct Cgroup {
    hierarchies: Hierarchies,
    path: CgroupPath,
    root: OwnedFd,
    /// One for each of the hierarchies, in their order; none where the cgroup does not exist.
    members: Vec<Option<OwnedFd>>,
    /// For each hierarchy, how many levels from the end of the path this value has made.
    made: Vec<usize>,
}

/// The `cgroup.procs` of a cgroup, opened ahead: the kernel checks the credentials of who opened it.
#[derive(Debug)]
pub struct Procs {
    files: Vec<(Version, PathBuf, OwnedFd)>,
}

/// A cgroup below the container's (`exec --cgroup [CONTROLLER[,CONTROLLER…]:]PATH`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubCgroup {
    /// The v1 hierarchies it is for; none: every hierarchy.
    pub controllers: Option<Controllers>,
    /// The path below the container's cgroup; none: the container's own.
    pub path: Option<CgroupPath>,
}

impl Cgroup {
    /// Makes the cgroup in every hierarchy. A leaf that exists already is used if it is empty and not frozen.
    /// v1: the cpus and memory nodes of each new level are its parent's. v2: the controllers that `settings` needs are
    /// enabled down the path (with [`Layout::V2`](crate::Layout::V2) all that can be).
    ///
    /// # Errors
    /// [`Error::Populated`], [`Error::Frozen`], [`Error::ControllerMissing`], [`Error::Os`]. What was made is removed.
    pub fn create(
        hierarchies: Hierarchies,
        path: CgroupPath,
        _settings: &Settings,
    ) -> Result<Self> {
        Self::open(hierarchies, path)
    }

    /// Opens the cgroup in those hierarchies where it exists; it is no error if there is none.
    ///
    /// # Errors
    /// [`Error::Os`]
    pub fn open(hierarchies: Hierarchies, path: CgroupPath) -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, hierarchies.root(), flags, Mode::empty())
            .map_err(Error::os("open", hierarchies.root()))?;
        let mut members = Vec::with_capacity(hierarchies.list().len());
        for hierarchy in hierarchies.list() {
            let below = format!("{}/{path}", hierarchy.name);
            members.push(match openat(&root, below.as_str(), flags, Mode::empty()) {
                Err(Errno::NOENT) => None,
                opened => Some(opened.map_err(Error::os("open", hierarchies.root().join(below)))?),
            });
        }
        let made = vec![0; members.len()];
        Ok(Self { hierarchies, path, root, members, made })
    }

    /// Writes the settings.
    ///
    /// # Errors
    /// [`Error::Write`] with the setting, file, value and errno.
    pub fn apply(&self, _settings: &Settings) -> Result<()> {
        Ok(())
    }

    /// The hierarchies it is in.
    #[must_use]
    pub const fn hierarchies(&self) -> &Hierarchies {
        &self.hierarchies
    }

    /// Its path below the root of each hierarchy.
    #[must_use]
    pub const fn path(&self) -> &CgroupPath {
        &self.path
    }

    /// The v2 directory (`O_PATH`), for CLONE_INTO_CGROUP; none on v1.
    #[must_use]
    pub fn v2(&self) -> Option<BorrowedFd<'_>> {
        self.each().find(|(hierarchy, _)| hierarchy.version == Version::V2).map(|(_, fd)| fd)
    }

    /// Where it is in each hierarchy: the hierarchy and the whole path.
    pub fn paths(&self) -> impl Iterator<Item = (&Hierarchy, PathBuf)> {
        self.each().map(|(hierarchy, _)| (hierarchy, self.place(hierarchy)))
    }

    /// Puts a process into the cgroup of every hierarchy, but not of v2 if it was cloned into it.
    ///
    /// # Errors
    /// [`Error::Os`]
    pub fn join(&self, pid: Pid, already_in_v2: bool) -> Result<()> {
        self.procs()?.join(pid, already_in_v2)
    }

    /// Opens `cgroup.procs` in every hierarchy.
    ///
    /// # Errors
    /// [`Error::Os`]
    pub fn procs(&self) -> Result<Procs> {
        let mut files = Vec::with_capacity(self.members.len());
        for (hierarchy, directory) in self.each() {
            let file =
                openat(directory, "cgroup.procs", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
            let path = self.place(hierarchy);
            files.push((
                hierarchy.version,
                path.clone(),
                file.map_err(Error::os("open cgroup.procs of", path))?,
            ));
        }
        Ok(Procs { files })
    }

    /// The same cgroup with some hierarchies replaced by cgroups below it, which must exist.
    ///
    /// # Errors
    /// [`Error::Os`]
    pub fn below(self, _subs: &[SubCgroup]) -> Result<Self> {
        Ok(self)
    }

    /// The processes of the cgroup and of all cgroups below it; those of other pid namespaces are left out.
    ///
    /// # Errors
    /// [`Error::Os`]
    pub fn processes(&self) -> Result<Vec<Pid>> {
        Ok(Vec::new())
    }

    /// Freezes every process and waits until the kernel reports it, at most `limit`.
    ///
    /// # Errors
    /// [`Error::Timeout`]; the cgroup is thawed again. [`Error::Os`]
    pub fn freeze(&self, _limit: Duration) -> Result<()> {
        Ok(())
    }

    /// Thaws what [`Cgroup::freeze`] or anyone else froze.
    ///
    /// # Errors
    /// [`Error::Os`]
    pub fn thaw(&self) -> Result<()> {
        Ok(())
    }

    /// Whether it is frozen, or about to be.
    ///
    /// # Errors
    /// [`Error::Os`]
    pub fn is_frozen(&self) -> Result<bool> {
        Ok(false)
    }

    /// Sends a signal to every process. SIGKILL reaches frozen ones too, and those that are started meanwhile.
    ///
    /// # Errors
    /// [`Error::Os`]
    pub fn kill_all(&self, _signal: Signal) -> Result<()> {
        Ok(())
    }

    /// Removes the cgroup and all below it in every hierarchy. Waits, at most `limit`, for processes that are ending.
    ///
    /// # Errors
    /// [`Error::Populated`] if processes are left; [`Error::Os`]
    pub fn remove(&self, _limit: Duration) -> Result<()> {
        Ok(())
    }

    /// Undoes [`Cgroup::create`]: removes only the directories that it made, the parents too if nobody uses them.
    ///
    /// # Errors
    /// As [`Cgroup::remove`].
    pub fn undo_create(&self, limit: Duration) -> Result<()> {
        self.remove(limit)
    }

    fn each(&self) -> impl Iterator<Item = (&Hierarchy, BorrowedFd<'_>)> {
        let fds = self.members.iter().map(|fd| fd.as_ref().map(AsFd::as_fd));
        self.hierarchies.list().iter().zip(fds).filter_map(|(hierarchy, fd)| Some((hierarchy, fd?)))
    }

    fn place(&self, hierarchy: &Hierarchy) -> PathBuf {
        match hierarchy.name.as_str() {
            "." => self.hierarchies.root().join(self.path.as_str()),
            name => self.hierarchies.root().join(name).join(self.path.as_str()),
        }
    }
}

impl Procs {
    /// Puts a process into the cgroup of every hierarchy, but not of v2 if it was cloned into it.
    ///
    /// # Errors
    /// [`Error::Os`]
    pub fn join(&self, pid: Pid, already_in_v2: bool) -> Result<()> {
        let text = pid.as_raw_nonzero().to_string();
        for (version, path, file) in &self.files {
            if !(already_in_v2 && *version == Version::V2) {
                write(file, text.as_bytes())
                    .map_err(Error::os("write to cgroup.procs of", path))?;
            }
        }
        Ok(())
    }
}

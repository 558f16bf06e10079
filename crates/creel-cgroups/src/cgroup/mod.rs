//! The cgroup of one container, in all hierarchies at once.

mod apply;
mod create;
mod freezer;
mod kill;
mod procs;
mod remove;
mod tasks;
mod update;

use std::{
    cell::{Cell, OnceCell},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{CWD, Mode, OFlags, openat},
    io::{Errno, pread, write},
};

pub use self::procs::SubCgroup;
pub use self::tasks::enter;
use crate::{
    controller::Controller,
    error::{Error, Result},
    hierarchy::{Hierarchies, Hierarchy, Version},
    path::CgroupPath,
};

/// A cgroup in all hierarchies. Holds the directory of the mounts open and, once something is asked of a hierarchy,
/// the cgroup's directory there; everything is relative to these.
///
/// Dropping it removes nothing.
#[derive(Debug)]
pub struct Cgroup {
    hierarchies: Hierarchies,
    path: CgroupPath,
    root: OwnedFd,
    /// One for each of the hierarchies, in their order.
    members: Vec<Member>,
}

/// The cgroup in one hierarchy.
#[derive(Debug)]
struct Member {
    /// The directory below `root`: `memory/creel/web`.
    below: String,
    /// The directory, once it was needed; none if there is no such cgroup.
    directory: OnceCell<Option<OwnedFd>>,
    /// How many levels, from the end of the path, this value has made.
    made: Cell<usize>,
}

impl Cgroup {
    /// A handle for a cgroup that exists, or existed: nothing of it is looked at before something is asked.
    ///
    /// # Errors
    /// [`Error::Os`] if the directory of the mounts cannot be opened.
    pub fn open(hierarchies: Hierarchies, path: CgroupPath) -> Result<Self> {
        let root = openat(CWD, hierarchies.root(), DIRECTORY, Mode::empty())
            .map_err(Error::os("open", hierarchies.root()))?;
        let member = |h: &Hierarchy| Member {
            below: format!("{}/{path}", h.name),
            directory: OnceCell::new(),
            made: Cell::new(0),
        };
        let members = hierarchies.list().iter().map(member).collect();
        Ok(Self { hierarchies, path, root, members })
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

    /// Where it is in each hierarchy: the hierarchy and the whole path. Whether it exists is not asked.
    pub fn paths(&self) -> impl Iterator<Item = (&Hierarchy, PathBuf)> {
        self.each().map(|(hierarchy, member)| (hierarchy, self.place(member)))
    }

    /// The v2 directory (`O_PATH`), for `CLONE_INTO_CGROUP`; none where there is no v2 hierarchy, or no such cgroup.
    ///
    /// # Errors
    /// [`Error::Os`]
    pub fn v2(&self) -> Result<Option<BorrowedFd<'_>>> {
        match self.v2_member() {
            Some(member) => self.directory(member),
            None => Ok(None),
        }
    }

    fn each(&self) -> impl Iterator<Item = (&Hierarchy, &Member)> {
        self.hierarchies.list().iter().zip(&self.members)
    }

    fn v1_member(&self, controller: Controller) -> Option<&Member> {
        let v1 = |h: &Hierarchy| h.version == Version::V1 && h.controllers.contains(controller);
        self.each().find(|(hierarchy, _)| v1(hierarchy)).map(|(_, member)| member)
    }

    fn v2_member(&self) -> Option<&Member> {
        self.each()
            .find(|(hierarchy, _)| hierarchy.version == Version::V2)
            .map(|(_, member)| member)
    }

    /// The whole path, for messages.
    fn place(&self, member: &Member) -> PathBuf {
        self.whole(&member.below)
    }

    /// The whole path of what is below the directory of the mounts.
    fn whole(&self, below: &str) -> PathBuf {
        self.hierarchies.root().join(below.strip_prefix("./").unwrap_or(below))
    }

    /// The cgroup's directory in one hierarchy; none if it does not exist.
    fn directory<'m>(&self, member: &'m Member) -> Result<Option<BorrowedFd<'m>>> {
        if let Some(known) = member.directory.get() {
            return Ok(known.as_ref().map(AsFd::as_fd));
        }
        let opened = match openat(&self.root, member.below.as_str(), DIRECTORY, Mode::empty()) {
            Err(Errno::NOENT) => None,
            opened => Some(opened.map_err(|errno| self.failed("open", member, errno))?),
        };
        Ok(member.directory.get_or_init(|| opened).as_ref().map(AsFd::as_fd))
    }

    fn failed(&self, operation: &'static str, member: &Member, errno: Errno) -> Error {
        Error::Os { operation, at: self.place(member), errno }
    }
}

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

fn open_file(
    directory: impl AsFd,
    file: &str,
    flags: OFlags,
) -> std::result::Result<OwnedFd, Errno> {
    openat(directory, file, flags | OFlags::CLOEXEC, Mode::empty())
}

/// Writes one value to one file of a cgroup.
fn write_file(directory: impl AsFd, file: &str, value: &str) -> std::result::Result<(), Errno> {
    write(open_file(directory, file, OFlags::WRONLY)?, value.as_bytes()).map(drop)
}

/// The text of a file that the kernel shows in one piece: all but `cgroup.procs`.
fn read_file(directory: impl AsFd, file: &str) -> std::result::Result<String, Errno> {
    read_again(&open_file(directory, file, OFlags::RDONLY)?)
}

/// The text of an open file that the kernel shows in one piece, from its start.
fn read_again(file: &OwnedFd) -> std::result::Result<String, Errno> {
    let mut chunk = [0; CHUNK];
    let count = pread(file, &mut chunk, 0)?;
    if count == CHUNK {
        return read_to_end(file);
    }
    let text = chunk.get(..count).unwrap_or_default();
    String::from_utf8(text.to_owned()).map_err(|_| Errno::ILSEQ)
}

/// The text of an open file, from its start to its end.
fn read_to_end(file: &OwnedFd) -> std::result::Result<String, Errno> {
    let mut text = Vec::new();
    let mut chunk = [0; CHUNK];
    loop {
        let count = pread(file, &mut chunk, text.len() as u64)?;
        text.extend_from_slice(chunk.get(..count).unwrap_or_default());
        if count == 0 {
            return String::from_utf8(text).map_err(|_| Errno::ILSEQ);
        }
    }
}

const CHUNK: usize = 4096;

/// Waits until `cgroup.events` of a v2 cgroup has the line, at most until `deadline`; false if it does not.
fn wait_for_event(
    directory: impl AsFd,
    line: &str,
    deadline: Instant,
) -> std::result::Result<bool, Errno> {
    let events = open_file(directory, "cgroup.events", OFlags::RDONLY)?;
    loop {
        // Read before each poll: that is what arms it.
        let text = match read_again(&events) {
            Err(Errno::NODEV) => return Ok(true), // removed meanwhile
            text => text?,
        };
        if text.lines().any(|found| found == line) {
            return Ok(true);
        }
        let Some(remaining) = remaining(deadline) else { return Ok(false) };
        poll(&mut [PollFd::new(&events, PollFlags::PRI)], Some(&remaining)).or_else(interrupted)?;
    }
}

/// For what the kernel has no event: lets a millisecond pass, false once `deadline` is over.
fn pause_until(deadline: Instant) -> bool {
    let millisecond = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    // An early return by a signal only makes the next look come sooner.
    remaining(deadline).is_some() && poll(&mut [], Some(&millisecond)).or_else(interrupted).is_ok()
}

fn remaining(deadline: Instant) -> Option<Timespec> {
    let left =
        deadline.checked_duration_since(Instant::now()).filter(|left| *left > Duration::ZERO)?;
    Timespec::try_from(left).ok()
}

fn interrupted(errno: Errno) -> std::result::Result<usize, Errno> {
    if errno == Errno::INTR { Ok(0) } else { Err(errno) }
}

//! [`Root`]: the only way to reach a name inside the container.
//!
//! A name from a config is a claim that the container can influence: its root filesystem may hold
//! a symbolic link at any place, or exchange one while we work. `Root` resolves a name as the
//! container would see it, with `..` and absolute links ending at the container's root
//! (`openat2(2)`, `RESOLVE_IN_ROOT`), and gives an fd. What comes after acts on the fd; the
//! name is never looked up again.
//!
//! What an attacker can still do: choose *which* object inside the root an fd stands for.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, StatxFlags};
use rustix::io::{Errno, Result};

/// Links followed when missing directories are made through links that dangle.
const MAX_LINKS: u32 = 40;

/// A root directory that names are resolved in.
#[derive(Debug)]
pub(crate) struct Root {
    directory: OwnedFd,
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

impl Root {
    /// Takes an fd of the root directory.
    pub(crate) fn new(directory: OwnedFd) -> Root {
        Root { directory }
    }

    /// The directory itself.
    pub(crate) fn as_owned(&self) -> &OwnedFd {
        &self.directory
    }

    /// Whether `object` is the root directory itself, in the same mount.
    ///
    /// # Errors
    /// As `statx(2)`.
    pub(crate) fn is(&self, object: &OwnedFd) -> Result<bool> {
        let wanted = StatxFlags::INO | StatxFlags::MNT_ID;
        let here = rustix::fs::statx(&self.directory, c"", AtFlags::EMPTY_PATH, wanted)?;
        let there = rustix::fs::statx(object, c"", AtFlags::EMPTY_PATH, wanted)?;
        Ok(here.stx_ino == there.stx_ino && here.stx_mnt_id == there.stx_mnt_id)
    }

    /// Opens `name` with `O_PATH`, all links followed inside the root.
    ///
    /// # Errors
    /// As `openat2(2)`; `ELOOP` also for a magic link of procfs.
    pub(crate) fn open_path(&self, name: &CStr) -> Result<OwnedFd> {
        self.open_bytes(name.to_bytes(), OFlags::PATH)
    }

    /// Opens `name` with `O_PATH`; if it is a link itself, the link.
    ///
    /// # Errors
    /// As `openat2(2)`.
    pub(crate) fn open_nofollow(&self, name: &CStr) -> Result<OwnedFd> {
        self.open_bytes(name.to_bytes(), OFlags::PATH | OFlags::NOFOLLOW)
    }

    /// Opens `name` with the given flags, never creating it.
    ///
    /// # Errors
    /// As `openat2(2)`.
    pub(crate) fn open(&self, name: &CStr, flags: OFlags) -> Result<OwnedFd> {
        self.open_bytes(name.to_bytes(), flags)
    }

    /// Opens the directory `name` and makes what is missing of it with `mode`, less the umask.
    /// A link that dangles is made whole inside the root.
    ///
    /// # Errors
    /// `ENOTDIR` if a part exists and is no directory; as `openat2(2)`, `mkdirat(2)`.
    pub(crate) fn create_dirs(&self, name: &CStr, mode: Mode) -> Result<OwnedFd> {
        self.make_directories(name.to_bytes(), mode, 0)
    }

    /// Opens `name` with `O_PATH`; a missing one is made as an empty regular file, its
    /// directories with mode 0755. This is how the target of a bind mount of a file is had.
    ///
    /// # Errors
    /// `EISDIR` if the name ends with a slash or in `..`; as `openat2(2)`, `mkdirat(2)`.
    pub(crate) fn create_file(&self, name: &CStr, mode: Mode) -> Result<OwnedFd> {
        self.make_file(name.to_bytes(), mode, 0)
    }

    /// The directory that holds the last part of `name`, made if missing, and that part.
    ///
    /// # Errors
    /// `EISDIR` if the last part is empty, `.` or `..`; as [`Root::create_dirs`].
    pub(crate) fn create_parent<'n>(&self, name: &'n CStr) -> Result<(OwnedFd, &'n [u8])> {
        let (parent, last) = split(name.to_bytes()).ok_or(Errno::ISDIR)?;
        Ok((self.make_directories(parent, Mode::from_raw_mode(0o755), 0)?, last))
    }

    /// All opens of this type end here. The kernel answers `EAGAIN` while something in the system
    /// is renamed or mounted; a `..` is then not safely inside, so it is asked again.
    fn open_bytes(&self, name: &[u8], flags: OFlags) -> Result<OwnedFd> {
        let name = if name.is_empty() { b"/" } else { name };
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let mut tries = 0;
        loop {
            let flags = flags | OFlags::CLOEXEC;
            match rustix::fs::openat2(&self.directory, name, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) if tries < 10_000 => tries += 1,
                opened => return opened,
            }
        }
    }

    fn make_directories(&self, name: &[u8], mode: Mode, links: u32) -> Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let (mut current, existing) = match self.open_bytes(name, flags) {
            Err(Errno::NOENT) => self.longest_existing(name)?,
            opened => return opened,
        };
        let missing = name.get(existing..).unwrap_or_default();
        if parts(missing).any(|part| part == b"..") {
            // Below a directory that does not exist there is nothing to go up from.
            return Err(Errno::NOENT);
        }
        let mut at = existing;
        for part in parts(missing) {
            at = end_of(name, part, at);
            match rustix::fs::mkdirat(&current, part, mode) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
            let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            current = match rustix::fs::openat(&current, part, flags, Mode::empty()) {
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    let rest = name.get(at..).unwrap_or_default();
                    let before = name.get(..at - part.len()).unwrap_or_default();
                    let whole = through_link(&current, part, before, rest)?;
                    let links = links.checked_add(1).filter(|n| *n <= MAX_LINKS);
                    return self.make_directories(&whole, mode, links.ok_or(Errno::LOOP)?);
                }
                opened => opened?,
            };
        }
        Ok(current)
    }

    /// The deepest directory of `name` that exists, and how many bytes of `name` lead to it.
    fn longest_existing(&self, name: &[u8]) -> Result<(OwnedFd, usize)> {
        let mut end = name.len();
        loop {
            end =
                name.get(..end).and_then(|head| head.iter().rposition(|&b| b == b'/')).unwrap_or(0);
            let head = name.get(..end).unwrap_or_default();
            match self.open_bytes(head, OFlags::PATH | OFlags::DIRECTORY) {
                Err(Errno::NOENT) if end > 0 => {}
                opened => return Ok((opened?, end)),
            }
        }
    }

    fn make_file(&self, name: &[u8], mode: Mode, links: u32) -> Result<OwnedFd> {
        match self.open_bytes(name, OFlags::PATH) {
            Err(Errno::NOENT) => {}
            opened => return opened,
        }
        let (parent, last) = split(name).ok_or(Errno::ISDIR)?;
        let directory = self.make_directories(parent, Mode::from_raw_mode(0o755), 0)?;
        let flags =
            OFlags::RDONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&directory, last, flags, mode) {
            Err(Errno::EXIST) => {
                let whole = through_link(&directory, last, parent, b"");
                let links = links.checked_add(1).filter(|n| *n <= MAX_LINKS).ok_or(Errno::LOOP)?;
                match whole {
                    // Somebody made it in the meantime; it is there now.
                    Err(Errno::INVAL) => self.open_bytes(name, OFlags::PATH),
                    whole => self.make_file(&whole?, mode, links),
                }
            }
            opened => opened,
        }
    }
}

/// The name that is meant when `part` of `directory` is a link: its target put in its place.
/// `before` leads to the directory, `rest` follows the part. `EINVAL` if it is no link.
fn through_link(directory: &OwnedFd, part: &[u8], before: &[u8], rest: &[u8]) -> Result<Vec<u8>> {
    let target =
        rustix::fs::readlinkat(directory, part, Vec::new()).map_err(|errno| match errno {
            Errno::INVAL if !rest.is_empty() => Errno::NOTDIR,
            errno => errno,
        })?;
    let target = target.to_bytes();
    let mut whole = Vec::with_capacity(before.len() + target.len() + rest.len() + 2);
    if !target.starts_with(b"/") {
        whole.extend_from_slice(before);
        whole.push(b'/');
    }
    whole.extend_from_slice(target);
    whole.push(b'/');
    whole.extend_from_slice(rest);
    while whole.len() > 1 && whole.last() == Some(&b'/') {
        whole.pop();
    }
    Ok(whole)
}

/// The parts of a name, without empty ones and `.`.
fn parts(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    name.split(|&b| b == b'/').filter(|part| !part.is_empty() && *part != b".")
}

/// Where `part` ends in `name`, searched from `from`.
fn end_of(name: &[u8], part: &[u8], from: usize) -> usize {
    let rest = name.get(from..).unwrap_or_default();
    let mut at = from;
    for piece in rest.split(|&b| b == b'/') {
        at += piece.len();
        if piece == part {
            return at;
        }
        at += 1;
    }
    name.len()
}

/// `(directory, last part)`, or `None` if the last part names no file.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = name.iter().rposition(|&b| b == b'/');
    let last = name.get(at.map_or(0, |at| at + 1)..)?;
    let parent = name.get(..at.unwrap_or(0))?;
    (!last.is_empty() && last != b"." && last != b"..").then_some((parent, last))
}

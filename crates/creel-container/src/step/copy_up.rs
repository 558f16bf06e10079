//! `tmpcopyup`: what a directory holds is copied into the tmpfs that will cover it.
//!
//! Both sides are walked by descriptors, no link is followed, and a file that is replaced while it is copied is at most
//! copied as what it is then.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid};
use rustix::fs::{RawDir, XattrFlags};
use rustix::io::Errno;

use super::{Failure, Op, procfs};

/// Directories inside directories that are followed; each holds two descriptors and a buffer.
const DEEPEST: u32 = 64;

/// Copies the contents of the directory `from`, and its own owner, mode and times, into the directory `to`.
pub(super) fn copy(proc: &OwnedFd, from: &OwnedFd, to: &OwnedFd) -> Result<(), Failure> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let from = procfs::reopen(proc, from, flags).map_err(Failure::at(Op::Open))?;
    // The descriptor of a new mount stands for a place (`O_PATH`), not for an open directory.
    let to = rustix::fs::openat(to, c".", flags | OFlags::CLOEXEC, Mode::empty())
        .map_err(Failure::at(Op::Open))?;
    let umask = rustix::process::umask(Mode::empty());
    let copied = copy_directory(&from, &to, DEEPEST);
    rustix::process::umask(umask);
    copied
}

fn copy_directory(from: &OwnedFd, to: &OwnedFd, depth: u32) -> Result<(), Failure> {
    if depth == 0 {
        return Err(Failure::new(Op::Copy, Errno::LOOP));
    }
    let mut buffer = [MaybeUninit::<u8>::uninit(); 4096];
    let mut entries = RawDir::new(from, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(Failure::at(Op::Read))?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            copy_entry(from, to, name, depth)?;
        }
    }
    let stat = rustix::fs::fstat(from).map_err(Failure::at(Op::Stat))?;
    copy_attributes(from, to)?;
    keep_times(to, c"", &stat)
}

fn copy_entry(from: &OwnedFd, to: &OwnedFd, name: &CStr, depth: u32) -> Result<(), Failure> {
    let stat = match rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(()),
        stat => stat.map_err(Failure::at(Op::Stat))?,
    };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            rustix::fs::mkdirat(to, name, Mode::from_raw_mode(0o700))
                .map_err(Failure::at(Op::Mkdir))?;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let below = rustix::fs::openat(from, name, flags, Mode::empty())
                .map_err(Failure::at(Op::Open))?;
            let copy = rustix::fs::openat(to, name, flags, Mode::empty())
                .map_err(Failure::at(Op::Open))?;
            copy_directory(&below, &copy, depth - 1)
        }
        FileType::RegularFile => copy_file(from, to, name),
        FileType::Symlink => {
            let target =
                rustix::fs::readlinkat(from, name, Vec::new()).map_err(Failure::at(Op::Read))?;
            rustix::fs::symlinkat(&target, to, name).map_err(Failure::at(Op::Symlink))?;
            own(to, name, &stat)?;
            keep_times(to, name, &stat)
        }
        kind @ (FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown) => {
            let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
            rustix::fs::mknodat(to, name, kind, mode, stat.st_rdev)
                .map_err(Failure::at(Op::Mknod))?;
            own(to, name, &stat)?;
            keep_times(to, name, &stat)
        }
    }
}

fn copy_file(from: &OwnedFd, to: &OwnedFd, name: &CStr) -> Result<(), Failure> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let source =
        rustix::fs::openat(from, name, flags, Mode::empty()).map_err(Failure::at(Op::Open))?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let copy = rustix::fs::openat(to, name, flags, Mode::from_raw_mode(0o600))
        .map_err(Failure::at(Op::Open))?;
    loop {
        match rustix::fs::sendfile(&copy, &source, None, 1 << 20) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(Failure::new(Op::Copy, errno)),
        }
    }
    let stat = rustix::fs::fstat(&source).map_err(Failure::at(Op::Stat))?;
    copy_attributes(&source, &copy)?;
    keep_times(&copy, c"", &stat)
}

/// Owner, mode and extended attributes; the owner first, since a change of owner clears set-id bits.
fn copy_attributes(from: &OwnedFd, to: &OwnedFd) -> Result<(), Failure> {
    let stat = rustix::fs::fstat(from).map_err(Failure::at(Op::Stat))?;
    own(to, c"", &stat)?;
    rustix::fs::fchmod(to, Mode::from_raw_mode(stat.st_mode & 0o7777))
        .map_err(Failure::at(Op::Chmod))?;
    let names = attribute_names(from)?;
    // XATTR_SIZE_MAX.
    let mut value = Vec::with_capacity(if names.is_empty() { 0 } else { 65536 });
    for name in names.split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        value.clear();
        match rustix::fs::fgetxattr(from, name, rustix::buffer::spare_capacity(&mut value)) {
            Ok(_) => {}
            Err(Errno::NODATA) => continue,
            Err(errno) => return Err(Failure::new(Op::Copy, errno)),
        }
        match rustix::fs::fsetxattr(to, name, &value, XattrFlags::empty()) {
            // A kind that this kernel's tmpfs does not keep, or that this user namespace may not set.
            Ok(()) | Err(Errno::NOTSUP | Errno::PERM) => {}
            Err(errno) => return Err(Failure::new(Op::Copy, errno)),
        }
    }
    Ok(())
}

/// The names of the extended attributes, each ended by NUL; none where the filesystem has none.
fn attribute_names(from: &OwnedFd) -> Result<Vec<u8>, Failure> {
    // The second is the kernel's own limit (XATTR_LIST_MAX).
    for capacity in [1024, 65536] {
        let mut names = Vec::with_capacity(capacity);
        match rustix::fs::flistxattr(from, rustix::buffer::spare_capacity(&mut names)) {
            Ok(_) => return Ok(names),
            Err(Errno::NOTSUP) => return Ok(Vec::new()),
            Err(Errno::RANGE) if capacity == 1024 => {}
            Err(errno) => return Err(Failure::new(Op::Copy, errno)),
        }
    }
    Ok(Vec::new())
}

fn own(at: &OwnedFd, name: &CStr, stat: &Stat) -> Result<(), Failure> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH;
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    rustix::fs::chownat(at, name, Some(uid), Some(gid), flags).map_err(Failure::at(Op::Chown))
}

fn keep_times(at: &OwnedFd, name: &CStr, stat: &Stat) -> Result<(), Failure> {
    let time = |seconds: i64, nanoseconds: u64| Timespec {
        tv_sec: seconds,
        tv_nsec: i64::try_from(nanoseconds).unwrap_or(0),
    };
    let times = Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    };
    let set = if name.is_empty() {
        rustix::fs::futimens(at, &times)
    } else {
        rustix::fs::utimensat(at, name, &times, AtFlags::SYMLINK_NOFOLLOW)
    };
    set.map_err(Failure::at(Op::Copy))
}

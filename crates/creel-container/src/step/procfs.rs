//! The host's procfs, opened and verified before the clone: the only procfs that steps read or write.
//!
//! The container's own `/proc` may be anything. Names below the handle are resolved without leaving its mount, so what
//! is mounted over parts of the host's procfs is not reached either (CVE-2019-16884, CVE-2025-52881).

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::{Failure, Op};

/// The inode of the root of every procfs.
const ROOT_INODE: u64 = 1;

/// Opens `/proc` and proves that it is the root of a procfs.
///
/// # Errors
/// [`Op::Mismatch`] if it is not; [`Op::Open`] with the kernel's answer.
pub(crate) fn open() -> Result<OwnedFd, Failure> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let proc =
        rustix::fs::openat(CWD, c"/proc", flags, Mode::empty()).map_err(Failure::at(Op::Open))?;
    if !is_root(&proc)? {
        return Err(Failure::new(Op::Mismatch, Errno::INVAL).with(b"/proc is no procfs"));
    }
    Ok(proc)
}

/// Whether `object` is in a procfs, whichever.
pub(super) fn is_procfs(object: impl AsFd) -> Result<bool, Failure> {
    let filesystem = rustix::fs::fstatfs(object).map_err(Failure::at(Op::Stat))?;
    Ok(filesystem.f_type == libc::PROC_SUPER_MAGIC)
}

/// Whether `object` is the root of a procfs, whichever.
pub(super) fn is_root(object: &OwnedFd) -> Result<bool, Failure> {
    let inode = rustix::fs::fstat(object).map_err(Failure::at(Op::Stat))?.st_ino;
    Ok(inode == ROOT_INODE && is_procfs(object)?)
}

/// Whether it is the procfs of the caller's pid namespace: it knows the caller by the number that the caller has.
pub(super) fn is_own(proc: &OwnedFd) -> bool {
    let number = rustix::process::getpid().as_raw_pid().to_string();
    rustix::fs::readlinkat(proc, c"self", Vec::new())
        .is_ok_and(|name| name.to_bytes() == number.as_bytes())
}

/// Opens a file of the calling process, `attr/exec` for example.
pub(crate) fn open_self(proc: &OwnedFd, name: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    uncovered(proc, |proc| beneath(&thread_self(proc)?, name, flags, PLAIN))
}

/// Opens a file that is no link, `sys/kernel/hostname` for example.
pub(crate) fn open_file(proc: &OwnedFd, name: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    uncovered(proc, |proc| beneath(proc, name, flags, PLAIN))
}

const PLAIN: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_XDEV).union(ResolveFlags::NO_SYMLINKS);

/// Opens in the host's procfs, or, where something is mounted over that part of it, in one that is mounted nowhere. It
/// is not the first choice: security modules that know files by their paths do not know it as `/proc`.
fn uncovered(
    proc: &OwnedFd,
    open: impl Fn(&OwnedFd) -> Result<OwnedFd, Errno>,
) -> Result<OwnedFd, Errno> {
    match open(proc) {
        Err(Errno::XDEV) => {
            let private = crate::sys::mount::private_proc().map_err(|_| Errno::XDEV)?;
            open(&private)
        }
        opened => opened,
    }
}

/// The directory of the calling thread. `thread-self` is a link, but one that names its target (`12/task/12`).
fn thread_self(proc: &OwnedFd) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_XDEV | ResolveFlags::NO_MAGICLINKS;
    beneath(proc, c"thread-self", OFlags::PATH | OFlags::DIRECTORY, resolve)
}

fn beneath(
    directory: &OwnedFd,
    name: &CStr,
    flags: OFlags,
    resolve: ResolveFlags,
) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::CLOEXEC;
    let mut tries = 0;
    loop {
        match rustix::fs::openat2(directory, name, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) if tries < 10_000 => tries += 1,
            opened => return opened,
        }
    }
}

/// Writes all of `value` in one call, as files of procfs want it.
pub(crate) fn write(file: &OwnedFd, value: &[u8]) -> Result<(), Errno> {
    match rustix::io::retry_on_intr(|| rustix::io::write(file, value))? {
        written if written == value.len() => Ok(()),
        _ => Err(Errno::IO),
    }
}

/// Opens again, with other flags, what an `O_PATH` descriptor stands for.
pub(super) fn reopen(proc: &OwnedFd, object: &OwnedFd, flags: OFlags) -> Result<OwnedFd, Errno> {
    use std::os::fd::AsRawFd;
    let descriptors = open_self(proc, c"fd", OFlags::PATH | OFlags::DIRECTORY)?;
    let number = super::number::number_text(object.as_raw_fd());
    let name = CStr::from_bytes_until_nul(&number).map_err(|_| Errno::INVAL)?;
    // Only the magic link of our own descriptor is followed.
    rustix::fs::openat(&descriptors, name, flags | OFlags::CLOEXEC, Mode::empty())
}

/// Runs `action` with our own descriptors' directory as working directory, for calls that know paths only.
pub(super) fn in_descriptors<T>(proc: &OwnedFd, action: impl FnOnce() -> T) -> Result<T, Failure> {
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    let descriptors = open_self(proc, c"fd", flags).map_err(Failure::at(Op::Openat2))?;
    let here = rustix::fs::openat(CWD, c".", flags | OFlags::CLOEXEC, Mode::empty())
        .map_err(Failure::at(Op::Open))?;
    rustix::process::fchdir(&descriptors).map_err(Failure::at(Op::Chdir))?;
    let result = action();
    rustix::process::fchdir(&here).map_err(Failure::at(Op::Chdir))?;
    Ok(result)
}

//! Whether a file of the container may be executed, and if not, what forbids it.

use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;

use rustix::fs::{Stat, StatVfsMountFlags};
use rustix::io::Errno;

use super::{Child, Failure, Op};
use crate::root::Root;

/// A relative name starts at the working directory, which is in the root.
pub(super) fn absolute(name: &CStr) -> Result<Cow<'_, CStr>, Failure> {
    if name.to_bytes().starts_with(b"/") {
        return Ok(Cow::Borrowed(name));
    }
    let here = rustix::process::getcwd(Vec::new()).map_err(Failure::at(Op::Getcwd))?;
    let whole = [here.to_bytes(), b"/", name.to_bytes()].concat();
    CString::new(whole).map(Cow::Owned).map_err(|_| Failure::new(Op::LookUp, Errno::INVAL))
}

/// Opens `name` and proves that the caller may execute it.
pub(super) fn executable(child: &Child, name: &CStr) -> Result<OwnedFd, Failure> {
    use rustix::fs::FileType;
    let failure = Failure::at(Op::LookUp);
    let root = child.root()?;
    let file = root.open_path(name).map_err(|errno| match errno {
        Errno::ACCESS => failure(errno).with(&closed_directory(root, name)),
        errno => failure(errno),
    })?;
    let stat = rustix::fs::fstat(&file).map_err(failure)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind == FileType::Directory {
        return Err(failure(Errno::ACCESS).with(b"is a directory"));
    }
    if kind != FileType::RegularFile {
        return Err(failure(Errno::ACCESS).with(b"is not a regular file"));
    }
    crate::sys::access::executable(&file)
        .map_err(|errno| failure(errno).with(&why_not_executable(&file, &stat)))?;
    Ok(file)
}

/// Which directory of `name` the caller may not search.
fn closed_directory(root: &Root, name: &CStr) -> Vec<u8> {
    let bytes = name.to_bytes();
    let ends = bytes.iter().enumerate().filter(|&(at, &byte)| byte == b'/' && at > 0);
    let mut reached: &[u8] = b"/";
    for (end, _) in ends {
        let head = bytes.get(..end).unwrap_or_default();
        let opened = CString::new(head).map(|head| root.open_path(&head));
        if !matches!(opened, Ok(Ok(_))) {
            break;
        }
        reached = head;
    }
    [b"directory ".as_slice(), reached, b" may not be searched"].concat()
}

/// What forbids the execution of a regular file.
fn why_not_executable(file: &OwnedFd, stat: &Stat) -> Vec<u8> {
    let noexec = rustix::fs::fstatvfs(file)
        .is_ok_and(|filesystem| filesystem.f_flag.contains(StatVfsMountFlags::NOEXEC));
    if noexec {
        return b"it is on a mount with noexec".to_vec();
    }
    let (mode, uid, gid) = (stat.st_mode & 0o7777, stat.st_uid, stat.st_gid);
    format!("its mode is {mode:04o}, its owner {uid}:{gid}").into_bytes()
}

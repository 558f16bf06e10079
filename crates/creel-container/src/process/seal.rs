//! The host's binary is out of a container's reach (CVE-2019-5736): a process that enters one runs from a copy of its
//! executable that nobody can write to.

#![expect(
    unsafe_code,
    reason = "rustix has neither mount_setattr nor execveat with a path of none"
)]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    MemfdFlags, Mode, OFlags, SealFlags, StatVfsMountFlags, fcntl_add_seals, fcntl_get_seals,
    fstatvfs, memfd_create, open,
};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};

use super::clone::Pointers;
use crate::error::{Error, Result, StepError};
use crate::step::Op;
use crate::sys::last_errno;
use crate::sys::layer::{Layer, is_on};

/// Set in the environment of the sealed process to its number, which an exec keeps.
pub(crate) const MARK: &str = "_CREEL_SEALED";
const MOUNT_ATTR_RDONLY: u64 = 1;
const SEALS: SealFlags =
    SealFlags::SEAL.union(SealFlags::SHRINK).union(SealFlags::GROW).union(SealFlags::WRITE);

/// Makes sure that this process runs from a sealed executable; if it does not yet, executes itself again.
///
/// Preferred is a detached read-only clone of the executable's mount (needs `CAP_SYS_ADMIN` and Linux 5.12): whatever
/// holds `/proc/PID/exe` then holds a file on a mount that cannot be written to. Else a sealed memfd copy.
/// Must be called before anything is opened, by a process with one thread. The mark in the environment, which a caller
/// may have set, is not believed: what is executed is asked.
///
/// # Errors
/// If neither is possible.
pub fn seal() -> Result<()> {
    if !is_on(Layer::Seal) {
        return Ok(());
    }
    let mark = std::process::id().to_string();
    if std::env::var_os(MARK).is_some_and(|value| value == *mark) {
        return match is_sealed() {
            Ok(true) => Ok(()),
            Ok(false) => Err(unsealed(Errno::TXTBSY)),
            Err(errno) => Err(unsealed(errno)),
        };
    }
    let executable = detached_clone().or_else(|_| sealed_copy()).map_err(unsealed)?;
    let errno = execute_again(executable.as_fd(), &mark);
    Err(StepError::new("execute the sealed executable", Op::Execve, errno).into())
}

fn unsealed(errno: Errno) -> Error {
    StepError::new("seal the runtime's own executable", Op::OpenTree, errno).into()
}

/// Whether the executable is on a mount that cannot be written to, or has the seals.
fn is_sealed() -> Result<bool, Errno> {
    let executable = open("/proc/self/exe", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    if fstatvfs(&executable)?.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Ok(true);
    }
    // Only memfds have seals.
    Ok(fcntl_get_seals(&executable).is_ok_and(|seals| seals.contains(SEALS)))
}

/// `struct mount_attr` of `linux/mount.h`.
#[repr(C)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

fn detached_clone() -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let executable = open("/proc/self/exe", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let tree = open_tree(&executable, "", flags | OpenTreeFlags::AT_EMPTY_PATH)?;
    let attributes =
        MountAttr { attr_set: MOUNT_ATTR_RDONLY, attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: the path is a C string, the struct has the kernel's layout and its size is passed.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const attributes,
            size_of::<MountAttr>(),
        )
    };
    if result == 0 { Ok(tree) } else { Err(last_errno()) }
}

fn sealed_copy() -> Result<OwnedFd, Errno> {
    let from = open("/proc/self/exe", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let to = memfd_create("creel", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    while rustix::fs::sendfile(&to, &from, None, 1 << 24)? != 0 {}
    fcntl_add_seals(&to, SEALS)?;
    Ok(to)
}

fn execute_again(executable: BorrowedFd<'_>, mark: &str) -> Errno {
    use std::os::unix::ffi::OsStringExt;
    let text = |bytes: Vec<u8>| std::ffi::CString::new(bytes).unwrap_or_default();
    let args: Vec<_> = std::env::args_os().map(|it| text(it.into_vec())).collect();
    let mark = text(format!("{MARK}={mark}").into_bytes());
    let env: Vec<_> = std::env::vars_os()
        .filter(|(name, _)| name != MARK)
        .map(|(name, value)| {
            let mut both = name.into_vec();
            both.push(b'=');
            both.extend(value.into_vec());
            text(both)
        })
        .collect();
    let args = Pointers::new(args.iter().map(std::ffi::CString::as_c_str));
    let env = env.iter().map(std::ffi::CString::as_c_str).chain(std::iter::once(mark.as_c_str()));
    super::clone::execveat(executable, &args, &Pointers::new(env))
}

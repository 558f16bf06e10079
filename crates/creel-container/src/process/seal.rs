//! The host's binary is out of a container's reach (CVE-2019-5736): a process that enters one runs from a copy of its
//! executable that nobody can write to.

#![expect(
    unsafe_code,
    reason = "rustix has neither mount_setattr nor execveat with a path of none"
)]

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags, fcntl_add_seals, memfd_create, open};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};

use super::clone::Pointers;
use crate::error::{Result, StepError};
use crate::step::Op;
use crate::sys::last_errno;

/// Set in the environment of the sealed process.
const MARK: &str = "_CREEL_SEALED";
const MARK_SET: &CStr = c"_CREEL_SEALED=1";
const MOUNT_ATTR_RDONLY: u64 = 1;

/// Makes sure that this process runs from a sealed executable; if it does not yet, executes itself again.
///
/// Preferred is a detached read-only clone of the executable's mount (needs `CAP_SYS_ADMIN` and Linux 5.12): whatever
/// holds `/proc/PID/exe` then holds a file on a mount that cannot be written to. Else a sealed memfd copy.
/// Must be called before anything is opened, by a process with one thread.
///
/// # Errors
/// If neither is possible.
pub fn seal() -> Result<()> {
    if std::env::var_os(MARK).is_some() {
        return Ok(());
    }
    let executable = detached_clone().or_else(|_| sealed_copy()).map_err(|errno| {
        StepError::new("seal the runtime's own executable", Op::OpenTree, errno)
    })?;
    let errno = execute_again(executable.as_fd());
    Err(StepError::new("execute the sealed executable", Op::Execve, errno).into())
}

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
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    fcntl_add_seals(&to, seals)?;
    Ok(to)
}

fn execute_again(executable: BorrowedFd<'_>) -> Errno {
    use std::os::unix::ffi::OsStringExt;
    let text = |bytes: Vec<u8>| std::ffi::CString::new(bytes).unwrap_or_default();
    let args: Vec<_> = std::env::args_os().map(|it| text(it.into_vec())).collect();
    let env: Vec<_> = std::env::vars_os()
        .map(|(name, value)| {
            let mut both = name.into_vec();
            both.push(b'=');
            both.extend(value.into_vec());
            text(both)
        })
        .collect();
    let args = Pointers::new(args.iter().map(std::ffi::CString::as_c_str));
    let env = env.iter().map(std::ffi::CString::as_c_str).chain(std::iter::once(MARK_SET));
    super::clone::execveat(executable, &args, &Pointers::new(env))
}

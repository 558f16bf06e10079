//! `seccomp(2)`.
#![expect(unsafe_code, reason = "neither rustix nor libc wraps seccomp(2)")]

use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr;

use rustix::io::Errno;

use crate::{ActionKind, ActionSet, FilterFlags, Instruction};

/// Loads a program for the calling thread, for good.
///
/// Allocates nothing and makes this one system call. The caller has set `no_new_privs` or has
/// `CAP_SYS_ADMIN` in its user namespace. Returns the listener's fd (close-on-exec) if `flags` has
/// [`FilterFlags::NEW_LISTENER`]: the fd is then in a process that the filter binds already.
///
/// # Errors
/// The errno of `seccomp(2)`: `ACCES` without privilege, `INVAL` for a program or flag that this
/// kernel refuses, `BUSY` if a listener is there already, `SRCH` if a thread cannot follow `TSYNC`.
pub fn load(program: &[Instruction], flags: FilterFlags) -> Result<Option<OwnedFd>, Errno> {
    #[repr(C)]
    struct Fprog {
        len: u16,
        filter: *const Instruction,
    }
    let len = u16::try_from(program.len()).map_err(|_| Errno::INVAL)?;
    let fprog = Fprog { len, filter: program.as_ptr() };
    // SAFETY: `fprog` has the layout of `struct sock_fprog` and `Instruction` that of `struct
    // sock_filter`; the kernel reads `len` of them during the call and writes nothing.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags.bits(),
            ptr::from_ref(&fprog),
        )
    };
    if result < 0 {
        return Err(last_errno());
    }
    if flags.has(FilterFlags::NEW_LISTENER) {
        let fd = i32::try_from(result).map_err(|_| Errno::BADF)?;
        // SAFETY: with NEW_LISTENER the result is a new fd that nobody else owns.
        return Ok(Some(unsafe { OwnedFd::from_raw_fd(fd) }));
    }
    // With TSYNC alone the result is the id of a thread that did not follow.
    if result > 0 { Err(Errno::SRCH) } else { Ok(None) }
}

/// The actions that the running kernel knows.
#[must_use]
pub fn supported_actions() -> ActionSet {
    ActionKind::ALL
        .into_iter()
        .filter(|kind| {
            let ret = kind.ret();
            // SAFETY: the kernel reads one u32 at the address.
            let result = unsafe {
                libc::syscall(
                    libc::SYS_seccomp,
                    libc::SECCOMP_GET_ACTION_AVAIL,
                    0,
                    ptr::from_ref(&ret),
                )
            };
            result == 0
        })
        .fold(ActionSet::EMPTY, ActionSet::with)
}

/// The flags of the specification that the running kernel knows.
#[must_use]
pub fn supported_flags() -> FilterFlags {
    FilterFlags::KNOWN
        .into_iter()
        .filter(|(_, flag)| {
            // The kernel checks the flags before it reads the program: EFAULT says it knows them.
            let flags = if *flag == FilterFlags::WAIT_KILLABLE_RECV {
                flag.with(FilterFlags::NEW_LISTENER)
            } else {
                *flag
            };
            // SAFETY: the null pointer is never read as a program: the call cannot succeed.
            let result = unsafe {
                libc::syscall(
                    libc::SYS_seccomp,
                    libc::SECCOMP_SET_MODE_FILTER,
                    flags.bits(),
                    ptr::null::<Instruction>(),
                )
            };
            result < 0 && last_errno() == Errno::FAULT
        })
        .fold(FilterFlags::EMPTY, |all, (_, flag)| all.with(flag))
}

fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}

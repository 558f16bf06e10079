//! `clone3(2)`, as a fork that also gives a pidfd and enters a cgroup.

#![expect(unsafe_code, reason = "neither rustix nor libc has clone3")]

use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::Errno;

use crate::sys::last_errno;

const CLONE_PIDFD: u64 = 0x1000;
const CLONE_PARENT: u64 = 0x8000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// `struct clone_args` of `linux/sched.h`, as of Linux 5.7.
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Which of the two returned.
#[derive(Debug)]
pub(crate) enum Side {
    /// The parent, with its child.
    Parent {
        /// As the parent's pid namespace numbers it.
        pid: i32,
        /// The process itself.
        pidfd: OwnedFd,
    },
    /// The child: a copy of the parent, with one thread.
    Child,
}

/// How the child is related to the caller.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Relation<'a> {
    /// A child of the caller.
    Child,
    /// A sibling: a child of the caller's parent, which hears of it by this socket.
    Sibling(BorrowedFd<'a>),
}

/// Forks with the `CLONE_NEW…` flags of `namespaces`, into the v2 cgroup of the descriptor if there is one.
///
/// The caller must have one thread: a lock that another holds at the clone, the allocator's too, is never released in
/// the child. Needs Linux 5.7.
pub(crate) fn clone3(
    namespaces: u32,
    cgroup: Option<BorrowedFd<'_>>,
    relation: Relation<'_>,
) -> Result<Side, Errno> {
    let mut pidfd: RawFd = -1;
    let mut arguments = CloneArgs {
        flags: u64::from(namespaces) | CLONE_PIDFD,
        pidfd: (&raw mut pidfd) as u64,
        exit_signal: u64::from(libc::SIGCHLD.cast_unsigned()),
        ..CloneArgs::default()
    };
    if matches!(relation, Relation::Sibling(_)) {
        // The kernel takes the exit signal of the caller itself, and refuses another one here.
        arguments.flags |= CLONE_PARENT;
        arguments.exit_signal = 0;
    }
    if let Some(fd) = cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = u64::from(fd.as_raw_fd().cast_unsigned());
    }
    // SAFETY: without CLONE_VM the child has its own copy of all memory, and with no stack given it goes on with the
    // copy of this one, as after fork; `arguments` has the layout of the kernel's struct and its size is passed.
    let result =
        unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<CloneArgs>()) };
    match i32::try_from(result) {
        Ok(0) => Ok(Side::Child),
        Ok(pid) if pid > 0 => {
            // SAFETY: the kernel has stored a new descriptor there, which nobody else owns.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Side::Parent { pid, pidfd })
        }
        _ => Err(last_errno()),
    }
}

/// `execve(2)`: returns only if it failed.
pub(crate) fn execve(path: &std::ffi::CStr, args: &Pointers, env: &Pointers) -> Errno {
    // SAFETY: both lists end with a null pointer, and what they point to outlives the call: `Pointers` borrows it.
    unsafe { libc::execve(path.as_ptr(), args.list.as_ptr(), env.list.as_ptr()) };
    last_errno()
}

/// Ends this process at once: no destructor, no flush, nothing of the parent's that was copied is run twice.
pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: `_exit` takes a number and does not return.
    unsafe { libc::_exit(code) }
}

/// A list of strings as `execve(2)` takes it, made before it is needed.
#[derive(Debug)]
pub(crate) struct Pointers<'a> {
    list: Vec<*const libc::c_char>,
    _borrowed: std::marker::PhantomData<&'a std::ffi::CStr>,
}

impl<'a> Pointers<'a> {
    /// The list of `texts`.
    pub(crate) fn new(texts: impl IntoIterator<Item = &'a std::ffi::CStr>) -> Self {
        let ends = std::iter::once(std::ptr::null());
        let list = texts.into_iter().map(std::ffi::CStr::as_ptr).chain(ends).collect();
        Self { list, _borrowed: std::marker::PhantomData }
    }
}

/// Sets every signal to its default and blocks none, as a fresh program expects.
pub(crate) fn reset_signals() {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the set is written by the call.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: the set was initialised by sigemptyset; a null old set is allowed.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, set.as_ptr(), std::ptr::null_mut()) };
    for signal in 1..=64 {
        // SAFETY: SIG_DFL installs no code; the numbers that cannot be changed are refused.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// `execveat(2)` of the descriptor itself: returns only if it failed.
pub(crate) fn execveat(fd: BorrowedFd<'_>, args: &Pointers<'_>, env: &Pointers<'_>) -> Errno {
    // SAFETY: the path is an empty C string; both lists end with a null pointer and borrow what they point to.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            fd.as_raw_fd(),
            c"".as_ptr(),
            args.list.as_ptr(),
            env.list.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    last_errno()
}

//! System calls that neither std nor rustix has in the form needed here.
#![expect(unsafe_code, reason = "system calls")]

use std::io;
use std::mem::MaybeUninit;

/// Processes that lose their parent become this process' children: it can wait for them.
pub(crate) fn become_reaper() -> io::Result<()> {
    // SAFETY: prctl with this option takes no pointer.
    match unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Waits for a child: its wait status, and its peak RSS in KiB.
pub(crate) fn wait4(pid: i32) -> io::Result<(i32, i64)> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: both pointers are to values of the types that wait4 writes.
        let waited = unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) };
        if waited == pid {
            // SAFETY: all bytes were zero, which is a valid rusage, before the kernel wrote it.
            return Ok((status, unsafe { usage.assume_init() }.ru_maxrss));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Reaps whatever orphan has ended, without waiting.
pub(crate) fn reap_orphans() {
    // SAFETY: no status is asked for, so no pointer is passed.
    while unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } > 0 {}
}

/// `clone3` in the manner of fork. Returns 0 in the child.
///
/// Only for a process with one thread: the child goes on with this memory as it was.
pub(crate) fn clone3(flags: u64) -> io::Result<i32> {
    // SAFETY: all fields of clone_args are integers, for which zero says "nothing".
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags;
    args.exit_signal = libc::SIGCHLD.unsigned_abs().into();
    // SAFETY: the struct is of the size that is named, and no new stack is given: the child has a
    // copy of this one.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of_val(&args)) };
    if pid < 0 { Err(io::Error::last_os_error()) } else { Ok(i32::try_from(pid).unwrap_or(0)) }
}

/// A mount namespace of its own: a copy of the one it was in.
pub(crate) fn unshare_mounts() -> io::Result<()> {
    // SAFETY: takes a number; this process has one thread, whose directories are its own.
    match unsafe { libc::unshare(libc::CLONE_NEWNS) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

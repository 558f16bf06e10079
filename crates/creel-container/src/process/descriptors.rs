//! Descriptors that must not reach the program.

#![expect(unsafe_code, reason = "rustix has no close_range")]

use std::os::fd::RawFd;

use rustix::io::Errno;

use crate::sys::last_errno;

const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;

/// Marks every descriptor from `first` on to be closed by the next exec.
///
/// Needs Linux 5.11; below, each number up to the limit is asked.
pub(crate) fn close_on_exec_from(first: u32) -> Result<(), Errno> {
    match close_range(first, u32::MAX, CLOSE_RANGE_CLOEXEC) {
        Err(Errno::INVAL | Errno::NOSYS) => mark_each(first),
        other => other,
    }
}

/// Closes every descriptor from `first` on that is not in `kept`.
pub(crate) fn close_all_but(first: u32, mut kept: Vec<RawFd>) {
    kept.sort_unstable();
    let mut from = first;
    for number in kept.into_iter().filter_map(|fd| u32::try_from(fd).ok()) {
        if number > from {
            // What stays open is closed by the exec: every descriptor of ours is.
            let _ = close_range(from, number - 1, 0);
        }
        from = from.max(number + 1);
    }
    let _ = close_range(from, u32::MAX, 0);
}

fn close_range(first: u32, last: u32, flags: libc::c_uint) -> Result<(), Errno> {
    // SAFETY: takes three numbers. With CLOEXEC no descriptor is closed here; without it the caller names none that
    // a value will still use or close.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    if result == 0 { Ok(()) } else { Err(last_errno()) }
}

fn mark_each(first: u32) -> Result<(), Errno> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let last = i32::try_from(limit.unwrap_or(1 << 20)).unwrap_or(1 << 20);
    for number in first.cast_signed()..last {
        // SAFETY: takes numbers; one that is not open is refused and needs no mark.
        unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    Ok(())
}

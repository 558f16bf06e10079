//! System calls that rustix lacks, in its form: borrowed fds in, owned fds and `Errno` out.
//!
//! The only rooms of this crate, besides `process/launch.rs`, that hold `unsafe`. They use
//! nothing of ours.

pub(crate) mod access;
pub(crate) mod hiding;
pub(crate) mod interface;
pub(crate) mod keyring;
pub(crate) mod layer;
pub(crate) mod machine;
pub(crate) mod mount;
pub(crate) mod namespace;
pub(crate) mod scheduling;

use rustix::io::{Errno, Result};

/// Turns the return value of `libc::syscall` into a result.
fn checked(returned: libc::c_long) -> Result<libc::c_long> {
    if returned >= 0 {
        return Ok(returned);
    }
    Err(last_errno())
}

/// `errno` of the system call before.
pub(crate) fn last_errno() -> Errno {
    let error = std::io::Error::last_os_error();
    error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)
}

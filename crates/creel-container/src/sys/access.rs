//! Whether the caller may execute what a descriptor stands for: `faccessat2(2)` with an empty path.

#![expect(unsafe_code, reason = "rustix's accessat takes no empty path")]

use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Result;

use super::checked;

/// Asks for execution (or search, of a directory) with the effective ids and capabilities. A mount with `noexec`
/// counts too.
///
/// # Errors
/// `EACCES` if it may not.
pub(crate) fn executable(file: impl AsFd) -> Result<()> {
    // SAFETY: the path is a static empty C string, so only `file`, which is borrowed, is looked at.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_faccessat2,
            file.as_fd().as_raw_fd(),
            c"".as_ptr(),
            libc::X_OK,
            libc::AT_EMPTY_PATH | libc::AT_EACCESS,
        )
    };
    checked(returned).map(drop)
}

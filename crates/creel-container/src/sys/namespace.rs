//! `unshare(2)` of one namespace, for a process with one thread.

#![expect(unsafe_code, reason = "rustix's unshare is unsafe for flags that are not used here")]

use rustix::io::Result;

use super::checked;

/// Moves the caller into a new cgroup namespace, rooted at its cgroups of now.
///
/// # Errors
/// `EPERM`, `EINVAL` if the kernel has none, `ENOSPC` past the limit of the user namespace.
pub(crate) fn unshare_cgroup() -> Result<()> {
    // SAFETY: a number only; no descriptor table is unshared.
    let returned = unsafe { libc::syscall(libc::SYS_unshare, libc::CLONE_NEWCGROUP) };
    checked(returned).map(drop)
}

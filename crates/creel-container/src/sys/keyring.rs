//! Session keyrings: `keyctl(2)`.

#![expect(unsafe_code, reason = "keyctl has no wrapper in rustix")]

use std::ffi::CStr;

use rustix::io::Result;

use super::checked;

/// Joins (and makes, if there is none) the session keyring of that name; its serial number.
///
/// # Errors
/// `ENOSYS` without keyrings; `EPERM` under a filter; `EDQUOT`, `ENOMEM`.
pub(crate) fn join_session(name: &CStr) -> Result<i32> {
    // SAFETY: `name` is a C string that lives for the call, the only pointer of this operation.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            libc::c_ulong::from(libc::KEYCTL_JOIN_SESSION_KEYRING),
            name.as_ptr(),
        )
    };
    checked(returned).map(|serial| i32::try_from(serial).unwrap_or(i32::MAX))
}

/// What `KEYCTL_DESCRIBE` says of a key: `type;uid;gid;permissions;name`, at most 255 bytes.
fn describe(serial: i32, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes at most the given length into `buffer`, which is borrowed mutably.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            libc::c_ulong::from(libc::KEYCTL_DESCRIBE),
            libc::c_long::from(serial),
            buffer.as_mut_ptr(),
            buffer.len(),
        )
    };
    checked(returned).map(|length| usize::try_from(length).unwrap_or(0).min(buffer.len()))
}

/// The permission bits of a key.
///
/// # Errors
/// Those of `KEYCTL_DESCRIBE`; `EINVAL` if the description reads otherwise.
pub(crate) fn permissions(serial: i32) -> Result<u32> {
    let mut buffer = [0_u8; 255];
    let length = describe(serial, &mut buffer)?;
    let field = buffer.get(..length).and_then(|text| text.split(|&b| b == b';').nth(3));
    field
        .and_then(|hex| std::str::from_utf8(hex).ok())
        .and_then(|hex| u32::from_str_radix(hex, 16).ok())
        .ok_or(rustix::io::Errno::INVAL)
}

/// Sets the permission bits of a key.
///
/// # Errors
/// Those of `KEYCTL_SETPERM`.
pub(crate) fn set_permissions(serial: i32, permissions: u32) -> Result<()> {
    // SAFETY: this operation takes numbers only.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            libc::c_ulong::from(libc::KEYCTL_SETPERM),
            libc::c_long::from(serial),
            libc::c_ulong::from(permissions),
        )
    };
    checked(returned).map(drop)
}

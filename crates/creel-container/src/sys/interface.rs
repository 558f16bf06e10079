//! Network interfaces: bring the loopback of a new network namespace up.

#![expect(unsafe_code, reason = "the interface ioctls have no wrapper in rustix")]

use std::os::fd::{AsFd, AsRawFd};

use rustix::io::{Errno, Result};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

/// Sets `IFF_UP` on the interface `lo` of the calling thread's network namespace.
///
/// # Errors
/// Those of `socket(2)` and of the ioctls `SIOCGIFFLAGS`, `SIOCSIFFLAGS`.
pub(crate) fn loopback_up() -> Result<()> {
    // A unix socket takes the interface ioctls too, and is there on kernels without IPv4.
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    // SAFETY: ifreq is plain data, for which all zeros is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    interface_ioctl(&socket, libc::SIOCGIFFLAGS, &mut request)?;
    // SAFETY: SIOCGIFFLAGS has just filled this member of the union.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    let up = libc::c_short::try_from(libc::IFF_UP).map_err(|_| Errno::INVAL)?;
    if flags & up != 0 {
        return Ok(());
    }
    request.ifr_ifru.ifru_flags = flags | up;
    interface_ioctl(&socket, libc::SIOCSIFFLAGS, &mut request)
}

fn interface_ioctl(
    socket: impl AsFd,
    operation: libc::Ioctl,
    request: &mut libc::ifreq,
) -> Result<()> {
    // SAFETY: both operations read and write one ifreq, which is borrowed mutably for the call.
    let returned =
        unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), operation, std::ptr::from_mut(request)) };
    super::checked(libc::c_long::from(returned)).map(drop)
}

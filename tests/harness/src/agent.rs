//! A seccomp agent: takes the listener's fd from the runtime and answers notifications.
#![expect(unsafe_code, reason = "the ioctls of seccomp_unotify(2) have no safe wrapper")]

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;

use anyhow::{Context, bail};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::Value;

use crate::wait;

const RECEIVE: libc::c_ulong = 0xc050_2100;
const SEND: libc::c_ulong = 0xc018_2101;

/// A socket to which a runtime sends the fd of a container's filter.
#[derive(Debug)]
pub struct Agent {
    socket: UnixListener,
}

/// What a runtime sent: the state of the process, and the fds with it.
#[derive(Debug)]
pub struct Handover {
    /// The message, parsed.
    pub state: Value,
    /// The fds, in the order in which `fds` of the message names them.
    pub fds: Vec<OwnedFd>,
}

impl Agent {
    /// Listens on a path.
    ///
    /// # Errors
    /// If the socket cannot be made.
    pub fn listen(path: &Path) -> anyhow::Result<Self> {
        Ok(Self { socket: UnixListener::bind(path).with_context(|| path.display().to_string())? })
    }

    /// Waits for one runtime.
    ///
    /// # Errors
    /// If none comes, or what it sends is no JSON.
    pub fn accept(&self) -> anyhow::Result<Handover> {
        if !wait::readable(&self.socket, wait::LIMIT)? {
            bail!("no runtime came to the agent");
        }
        let (stream, _) = self.socket.accept()?;
        let (mut fds, mut text) = (Vec::new(), Vec::new());
        loop {
            if !wait::readable(&stream, wait::LIMIT)? {
                bail!("the runtime sent no whole message: {:?}", String::from_utf8_lossy(&text));
            }
            let mut bytes = vec![0; 65536];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            let mut slices = [IoSliceMut::new(&mut bytes)];
            let received = recvmsg(&stream, &mut slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
            for message in ancillary.drain() {
                if let RecvAncillaryMessage::ScmRights(rights) = message {
                    fds.extend(rights);
                }
            }
            text.extend_from_slice(bytes.get(..received.bytes).unwrap_or_default());
            if let Ok(state) = serde_json::from_slice(&text) {
                return Ok(Handover { state, fds });
            }
            if received.bytes == 0 {
                bail!("not JSON: {:?}", String::from_utf8_lossy(&text));
            }
        }
    }
}

/// Answers one notification with an errno; returns the number of the call.
///
/// # Errors
/// If none comes.
pub fn answer(listener: &OwnedFd, errno: i32) -> anyhow::Result<i32> {
    if !wait::readable(listener, wait::LIMIT)? {
        bail!("no notification came");
    }
    // struct seccomp_notif: id, pid, flags, then struct seccomp_data that begins with the call's number.
    let mut notification = [0_u64; 10];
    // SAFETY: the kernel fills 80 bytes, which the array has.
    let result = unsafe { libc::ioctl(listener.as_raw_fd(), RECEIVE, notification.as_mut_ptr()) };
    if result < 0 {
        return Err(std::io::Error::last_os_error()).context("receive a notification");
    }
    let [id, _, data, ..] = notification;
    let number = i32::try_from(data & 0xffff_ffff).unwrap_or(-1);
    // struct seccomp_notif_resp: id, val, error and flags.
    let mut response = [id, 0, u64::from((-errno).cast_unsigned())];
    // SAFETY: the kernel reads 24 bytes, which the array has.
    let result = unsafe { libc::ioctl(listener.as_raw_fd(), SEND, response.as_mut_ptr()) };
    if result < 0 {
        return Err(std::io::Error::last_os_error()).context("answer a notification");
    }
    Ok(number)
}

//! Sockets of the caller: connected by the creator, given descriptors by `SCM_RIGHTS`.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use creel_seccomp::{ContainerProcessState, ContainerState, send_state};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, sendmsg, socket_with,
};
use rustix::process::{PidfdGetfdFlags, pidfd_getfd};

use super::launch::Launched;
use super::state_json::StateJson;
use crate::error::{Error, Result, StepError};
use crate::plan::Plan;
use crate::pointer::Pointer;
use crate::step::Op;

/// Connects to a stream socket. A path longer than an address holds is reached through its directory's descriptor.
pub(crate) fn connect(path: &Path) -> Result<OwnedFd, Errno> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    match SocketAddrUnix::new(path) {
        Ok(address) => rustix::net::connect(&socket, &address)?,
        Err(Errno::NAMETOOLONG) => connect_by_directory(&socket, path)?,
        Err(errno) => return Err(errno),
    }
    Ok(socket)
}

fn connect_by_directory(socket: &OwnedFd, path: &Path) -> Result<(), Errno> {
    use std::os::fd::AsRawFd;
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Errno::NAMETOOLONG);
    };
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC;
    let directory =
        rustix::fs::openat(rustix::fs::CWD, directory, flags, rustix::fs::Mode::empty())?;
    let short = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
    rustix::net::connect(socket, &SocketAddrUnix::new(&short)?)
}

/// Sends one descriptor, with `text` as the message's bytes.
pub(crate) fn send_descriptor(
    socket: BorrowedFd<'_>,
    text: &[u8],
    fd: BorrowedFd<'_>,
) -> Result<(), Errno> {
    let fds = [fd];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&fds));
    sendmsg(socket, &[IoSlice::new(text)], &mut control, SendFlags::NOSIGNAL).map(drop)
}

/// Gives a pidfd to the listener at `path` (`--pidfd-socket`).
pub(crate) fn send_pidfd(path: &Path, pidfd: BorrowedFd<'_>) -> Result<()> {
    let failed = |op| {
        move |errno| StepError::new(format!("send the pidfd to {}", path.display()), op, errno)
    };
    let socket = connect(path).map_err(failed(Op::Connect))?;
    send_descriptor(socket.as_fd(), b"pidfd", pidfd).map_err(failed(Op::Send))?;
    Ok(())
}

/// Takes the filter's notification descriptor out of the child and gives it to the agent of `listenerPath`.
pub(crate) fn hand_over(
    plan: &Plan,
    init: &Launched,
    listener: i32,
    state: &StateJson,
) -> Result<()> {
    if listener < 0 {
        return Ok(());
    }
    let at = Pointer::new("linux.seccomp.listenerPath");
    let failed = |doing: &str, op, errno| {
        let mut error = StepError::new(doing, op, errno);
        error.at = Some(at.clone());
        Error::from(error)
    };
    let Some(wanted) = &plan.seccomp_listener else {
        return Err(failed("no listener is in the plan", Op::Mismatch, Errno::INVAL));
    };
    let fd = pidfd_getfd(&init.pidfd, listener, PidfdGetfdFlags::empty())
        .map_err(|errno| failed("fetch the notification descriptor", Op::Receive, errno))?;
    let message = ContainerProcessState {
        oci_version: state.oci_version.clone(),
        fds: vec![creel_seccomp::SECCOMP_FD_NAME.to_owned()],
        pid: init.pid,
        metadata: Some(wanted.metadata.clone()).filter(|it| !it.is_empty()),
        state: ContainerState {
            oci_version: state.oci_version.clone(),
            id: state.id.clone(),
            status: "creating".to_owned(),
            pid: init.pid,
            bundle: state.bundle.clone(),
            annotations: state.annotations.clone().into_iter().collect(),
        },
    };
    let path = std::str::from_utf8(wanted.path.as_bytes()).unwrap_or_default();
    send_state(Path::new(path), &message, &[fd.as_fd()]).map_err(|error| Error::Cgroup {
        at: Some(at),
        line: None,
        message: error.to_string(),
    })
}

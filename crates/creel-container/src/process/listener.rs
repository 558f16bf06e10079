//! Sockets of the caller: connected by the creator, given descriptors by `SCM_RIGHTS`.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use creel_seccomp::{Agent, ContainerProcessState, ContainerState};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, sendmsg, socket_with,
};
use rustix::process::{PidfdGetfdFlags, pidfd_getfd};

use super::launch::Launched;
use super::state_json::StateJson;
use crate::error::{Error, Result, StepError};
use crate::plan::{Plan, SeccompListener};
use crate::step::Op;
use crate::validate::{PIDFD_RECEIVER, annotation_place};

/// Connects to a stream socket.
pub(crate) fn connect(path: &Path) -> Result<OwnedFd, Errno> {
    connect_as(SocketType::STREAM, path)
}

/// Connects to a socket. A path longer than an address holds is reached through its directory's descriptor.
pub(crate) fn connect_as(kind: SocketType, path: &Path) -> Result<OwnedFd, Errno> {
    let socket = socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
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

/// Connects to the socket that gets a pidfd (`--pidfd-socket`).
pub(crate) fn connect_pidfd_socket(path: &Path) -> Result<OwnedFd> {
    connect(path).map_err(|errno| {
        StepError::new(format!("connect to pidfd socket {}", path.display()), Op::Connect, errno)
            .into()
    })
}

/// Sends the pidfd of a process.
pub(crate) fn send_pidfd(socket: &OwnedFd, launched: &Launched) -> Result<()> {
    send_descriptor(socket.as_fd(), b"pidfd", launched.pidfd.as_fd())
        .map_err(|errno| StepError::new("send the pidfd", Op::Send, errno).into())
}

/// Sends the pidfd to the socket that an annotation names.
pub(crate) fn send_pidfd_to_receiver(
    annotations: &BTreeMap<String, String>,
    launched: &Launched,
) -> Result<()> {
    let Some(path) = annotations.get(PIDFD_RECEIVER).filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    let sent =
        connect_pidfd_socket(Path::new(path)).and_then(|socket| send_pidfd(&socket, launched));
    sent.map_err(|mut error| {
        if let Error::Step(step) = &mut error {
            step.at = Some(annotation_place(PIDFD_RECEIVER));
        }
        error
    })
}

/// Takes the filter's notification descriptor out of the child and gives it to the agent that the config names.
pub(crate) fn hand_over(
    plan: &Plan,
    init: &Launched,
    listener: i32,
    state: &StateJson,
) -> Result<()> {
    let wanted = match &plan.seccomp_listener {
        Some(wanted) if listener >= 0 => wanted,
        Some(_) | None => return Ok(()),
    };
    send(&connect_agent(wanted)?, wanted, init, listener, (state, "creating"))
}

/// Connects to an agent.
pub(crate) fn connect_agent(wanted: &SeccompListener) -> Result<Agent> {
    let path = std::str::from_utf8(wanted.path.as_bytes()).unwrap_or_default();
    Agent::connect(Path::new(path)).map_err(|error| listener_error(wanted, &error))
}

/// Sends the descriptor `listener` of a process to an agent, with the container's state and status.
pub(crate) fn send(
    agent: &Agent,
    wanted: &SeccompListener,
    process: &Launched,
    listener: i32,
    (state, status): (&StateJson, &str),
) -> Result<()> {
    let fd = pidfd_getfd(&process.pidfd, listener, PidfdGetfdFlags::empty()).map_err(|errno| {
        let mut error = StepError::new("fetch the notification descriptor", Op::Receive, errno);
        error.at = Some(wanted.at.clone());
        error
    })?;
    let message = ContainerProcessState {
        oci_version: state.oci_version.clone(),
        fds: vec![creel_seccomp::SECCOMP_FD_NAME.to_owned()],
        pid: process.pid,
        metadata: Some(wanted.metadata.clone()).filter(|it| !it.is_empty()),
        state: ContainerState {
            oci_version: state.oci_version.clone(),
            id: state.id.clone(),
            status: status.to_owned(),
            pid: process.pid,
            bundle: state.bundle.clone(),
            annotations: state.annotations.clone().into_iter().collect(),
        },
    };
    agent.send(&message, &[fd.as_fd()]).map_err(|error| listener_error(wanted, &error))
}

/// The error of an agent that cannot be reached.
fn listener_error(wanted: &SeccompListener, error: &creel_seccomp::Error) -> Error {
    Error::Cgroup { at: Some(wanted.at.clone()), line: None, message: error.to_string() }
}

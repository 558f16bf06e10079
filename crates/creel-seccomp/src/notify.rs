//! The agent that answers `SCMP_ACT_NOTIFY`: who it is and what it gets.

use std::collections::HashMap;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};

use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    self, AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType,
};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The name of the listener's fd in [`ContainerProcessState::fds`].
pub const SECCOMP_FD_NAME: &str = "seccompFd";

/// Who gets the listener's fd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// `listenerPath`: a unix stream socket in the mount namespace of the runtime.
    pub path: PathBuf,
    /// `listenerMetadata`
    pub metadata: Option<String>,
}

/// The message to the agent (config-linux.md, "The container process state").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerProcessState {
    /// The version of the specification.
    pub oci_version: String,
    /// The names of the fds sent along, in their order.
    pub fds: Vec<String>,
    /// The container's process, in the pid namespace of the runtime.
    pub pid: i32,
    /// `listenerMetadata`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
    /// The state of the container, as `state` prints it.
    pub state: ContainerState,
}

/// The state of a container (runtime.md#state).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerState {
    /// The version of the specification.
    pub oci_version: String,
    /// The container's id.
    pub id: String,
    /// `creating`, `created`, `running` or `stopped`.
    pub status: String,
    /// The container's first process; 0 is left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pid: i32,
    /// The absolute path of the bundle.
    pub bundle: String,
    /// The annotations.
    #[serde(default, skip_serializing_if = "HashMap::is_empty")]
    pub annotations: HashMap<String, String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(pid: &i32) -> bool {
    *pid == 0
}

/// An agent that answers for filters, connected.
#[derive(Debug)]
pub struct Agent {
    socket: OwnedFd,
    path: String,
}

impl Agent {
    /// Connects to the agent that listens at `path`. A relative path, or one longer than a socket's address, is fine.
    ///
    /// # Errors
    /// [`Error::Listener`] with the call that failed, `CONNREFUSED` or `NOENT` if there is no agent.
    pub fn connect(path: &Path) -> Result<Self> {
        let failed = |operation: &'static str| {
            let path = path.display().to_string();
            move |errno: Errno| Error::Listener { operation, path, errno }
        };
        let socket =
            net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
                .map_err(failed("socket"))?;
        connect(&socket, path).map_err(failed("connect"))?;
        Ok(Self { socket, path: path.display().to_string() })
    }

    /// Sends `state` with `fds` by `SCM_RIGHTS`. The agent's copies of the fds stay when this one is dropped.
    ///
    /// # Errors
    /// [`Error::Listener`] with the call that failed.
    pub fn send(&self, state: &ContainerProcessState, fds: &[BorrowedFd<'_>]) -> Result<()> {
        let failed = |operation: &'static str| {
            let path = self.path.clone();
            move |errno: Errno| Error::Listener { operation, path, errno }
        };
        let json = serde_json::to_vec(state).map_err(|_| failed("encode")(Errno::INVAL))?;
        let mut sent = send_with(&self.socket, &json, fds).map_err(failed("sendmsg"))?;
        while let Some(rest) = json.get(sent..).filter(|rest| !rest.is_empty()) {
            sent += retry_on_intr(|| net::send(&self.socket, rest, SendFlags::NOSIGNAL))
                .map_err(failed("send"))?;
        }
        Ok(())
    }
}

fn connect(socket: &OwnedFd, path: &Path) -> Result<(), Errno> {
    match SocketAddrUnix::new(path) {
        Ok(address) => retry_on_intr(|| net::connect(socket, &address)),
        // 108 bytes are few: go through the directory's fd.
        Err(Errno::NAMETOOLONG) => {
            let name = path.file_name().ok_or(Errno::NAMETOOLONG)?;
            let parent = path.parent().ok_or(Errno::NAMETOOLONG)?;
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let parent = rustix::fs::open(parent, flags, Mode::empty())?;
            let short = format!("/proc/self/fd/{}", parent.as_raw_fd());
            let address = SocketAddrUnix::new(Path::new(&short).join(name))?;
            retry_on_intr(|| net::connect(socket, &address))
        }
        Err(errno) => Err(errno),
    }
}

fn send_with(socket: &OwnedFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<usize, Errno> {
    let rights = SendAncillaryMessage::ScmRights(fds);
    let mut space = vec![MaybeUninit::uninit(); rights.size()];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(rights) {
        return Err(Errno::INVAL);
    }
    retry_on_intr(|| {
        net::sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)
    })
}

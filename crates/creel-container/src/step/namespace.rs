//! Namespaces that the child enters, and what it sets in new ones.

use rustix::io::Errno;
use rustix::thread::LinkNameSpaceType;

use super::{Child, Failure, Op, Text};
use crate::sys;

/// A type of namespace, with its clone flag and its name below `/proc/PID/ns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is named as in config.json")]
pub enum Kind {
    User,
    Mount,
    Pid,
    Network,
    Ipc,
    Uts,
    Cgroup,
    Time,
}

impl Kind {
    /// Every type, user first: what it owns is entered after it.
    pub const ALL: [Self; 8] = [
        Self::User,
        Self::Mount,
        Self::Pid,
        Self::Network,
        Self::Ipc,
        Self::Uts,
        Self::Cgroup,
        Self::Time,
    ];

    /// The `CLONE_NEW…` flag.
    #[must_use]
    pub const fn flag(self) -> u32 {
        match self {
            Self::User => 0x1000_0000,
            Self::Mount => 0x0002_0000,
            Self::Pid => 0x2000_0000,
            Self::Network => 0x4000_0000,
            Self::Ipc => 0x0800_0000,
            Self::Uts => 0x0400_0000,
            Self::Cgroup => 0x0200_0000,
            Self::Time => 0x0000_0080,
        }
    }

    /// The word of `linux.namespaces[].type`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Mount => "mount",
            Self::Pid => "pid",
            Self::Network => "network",
            Self::Ipc => "ipc",
            Self::Uts => "uts",
            Self::Cgroup => "cgroup",
            Self::Time => "time",
        }
    }

    /// The file below `/proc/PID/ns`.
    #[must_use]
    pub const fn file(self) -> &'static str {
        match self {
            Self::Mount => "mnt",
            Self::Network => "net",
            Self::User | Self::Pid | Self::Ipc | Self::Uts | Self::Cgroup | Self::Time => {
                self.word()
            }
        }
    }
}

/// Enters a namespace that the creator opened and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinNamespace {
    /// Its type.
    pub kind: Kind,
    /// The path in the config, for people.
    pub path: Text,
    /// Its place in [`Plan::joined`](crate::Plan): the descriptor in `Child::namespaces`.
    pub index: usize,
}

/// `unshare(CLONE_NEWCGROUP)`: the namespace's root is the cgroup in which the caller is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupNamespace;

/// Brings the loopback interface of a new network namespace up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loopback;

/// The UTS namespace's host name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hostname {
    /// At most 64 bytes.
    pub name: Text,
}

/// The UTS namespace's NIS domain name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domainname {
    /// At most 64 bytes.
    pub name: Text,
}

impl Kind {
    fn link_type(self) -> LinkNameSpaceType {
        match self {
            Self::User => LinkNameSpaceType::User,
            Self::Mount => LinkNameSpaceType::Mount,
            Self::Pid => LinkNameSpaceType::ProcessID,
            Self::Network => LinkNameSpaceType::Network,
            Self::Ipc => LinkNameSpaceType::InterProcessCommunication,
            Self::Uts => LinkNameSpaceType::HostNameAndNISDomainName,
            Self::Cgroup => LinkNameSpaceType::ControlGroup,
            Self::Time => LinkNameSpaceType::Time,
        }
    }
}

impl JoinNamespace {
    pub(super) fn execute(&self, child: &Child) -> Result<(), Failure> {
        use std::os::fd::AsFd;
        let failure = Failure::at(Op::Setns);
        let namespace = child.namespaces.get(self.index).ok_or(failure(Errno::BADF))?;
        rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(self.kind.link_type()))
            .map_err(failure)
    }
}

impl CgroupNamespace {
    pub(super) fn execute(&self) -> Result<(), Failure> {
        sys::namespace::unshare_cgroup().map_err(Failure::at(Op::Unshare))
    }
}

impl Loopback {
    pub(super) fn execute(&self) -> Result<(), Failure> {
        sys::interface::loopback_up().map_err(Failure::at(Op::Ioctl))
    }
}

impl Hostname {
    pub(super) fn execute(&self) -> Result<(), Failure> {
        rustix::system::sethostname(self.name.as_bytes()).map_err(Failure::at(Op::Sethostname))
    }
}

impl Domainname {
    pub(super) fn execute(&self) -> Result<(), Failure> {
        rustix::system::setdomainname(self.name.as_bytes()).map_err(Failure::at(Op::Setdomainname))
    }
}

//! Device nodes and the links of `/dev`.

use super::{ContainerPath, Text};

/// A device node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Where, inside the root.
    pub path: ContainerPath,
    /// Its type.
    pub kind: DeviceKind,
    /// Major and minor number; zero for a FIFO.
    pub number: (u32, u32),
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// A default device: an existing one is left alone.
    pub default: bool,
}

/// `linux.devices[].type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// `c` or `u`.
    Char,
    /// `b`.
    Block,
    /// `p`.
    Fifo,
}

/// A symbolic link such as `/dev/fd`, made unless something of that name exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceLink {
    /// Where, inside the root.
    pub path: ContainerPath,
    /// What it says.
    pub target: Text,
}

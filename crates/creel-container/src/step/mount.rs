//! One entry of `mounts`, as data.

use super::{ContainerPath, HostPath, Text};

/// One mount: what, where, and with which attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted.
    pub kind: MountKind,
    /// Where, inside the root.
    pub destination: ContainerPath,
    /// `MOUNT_ATTR_…` of this mount alone.
    pub attributes: Attributes,
    /// `MOUNT_ATTR_…` of the whole tree below (the recursive `r…` options).
    pub recursive: Attributes,
    /// Propagation words, in the order of the config.
    pub propagation: Vec<Propagation>,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountKind {
    /// A new filesystem.
    Filesystem(Filesystem),
    /// A piece of the host's tree.
    Bind(Bind),
    /// New attributes for what is mounted at the destination.
    Remount(Remount),
    /// The container's view of its cgroups.
    Cgroup(CgroupMount),
}

/// A filesystem made by `fsopen(2)` and `fsmount(2)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filesystem {
    /// `proc`, `tmpfs`, `ext4` …
    pub fstype: Text,
    /// The `source` property; empty when there is none.
    pub source: Text,
    /// Superblock flags and options: `ro`, `sync`, `size=64k`; a key alone is a flag.
    pub options: Vec<(Text, Option<Text>)>,
    /// `tmpcopyup`: what the destination held is copied in first.
    pub copy_up: bool,
}

/// A clone of a host tree made by `open_tree(2)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// Absolute on the host.
    pub source: HostPath,
    /// `rbind`: with all mounts below.
    pub recursive: bool,
    /// Superblock options that a bind cannot set and that are not errors (`sync`, `data=…`); named by `--debug`.
    pub ignored: Vec<Text>,
}

/// `remount`: attributes change, nothing is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remount {
    /// Whether only the mount's flags change (`bind`), not the superblock's.
    pub bind: bool,
    /// Superblock options.
    pub options: Vec<(Text, Option<Text>)>,
}

/// `type: cgroup`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupMount {
    /// The hierarchies to show; the cgroup of the container in each when there is no cgroup namespace.
    pub hierarchies: Vec<CgroupHierarchy>,
    /// Whether the container has a cgroup namespace of its own.
    pub namespaced: bool,
}

/// One hierarchy as a container sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupHierarchy {
    /// The directory below the destination (`memory`, `cpu,cpuacct`, `unified`); empty for a sole v2 hierarchy.
    pub name: Text,
    /// Symbolic links to it (`cpu`, `cpuacct`).
    pub links: Vec<Text>,
    /// Mount data of v1 (`memory`, `name=systemd`); none for v2.
    pub controllers: Option<Text>,
    /// The container's own cgroup on the host, for a bind.
    pub path: HostPath,
}

/// Mount attributes to set and to clear, as `mount_setattr(2)` takes them (`MOUNT_ATTR_…`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Bits to set.
    pub set: u64,
    /// Bits to clear. To change the access time mode, `MOUNT_ATTR__ATIME` is cleared.
    pub clear: u64,
}

/// A propagation word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Propagation {
    /// `MS_SHARED`, `MS_SLAVE`, `MS_PRIVATE` or `MS_UNBINDABLE`.
    pub flag: u64,
    /// With the `r` in front.
    pub recursive: bool,
}

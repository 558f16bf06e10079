//! The root: made, entered, sealed off; and the working directory in it.

use super::{ContainerPath, HostPath};

/// Sets the propagation of `/` and all below, in the child's own mount namespace.
///
/// Before the root is made it is `rslave` or `rprivate`: nothing that the child mounts reaches the host. After the
/// pivot it is what `linux.rootfsPropagation` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootPropagation {
    /// `MS_SHARED`, `MS_SLAVE`, `MS_PRIVATE` or `MS_UNBINDABLE`, with `MS_REC` for the recursive words.
    pub flags: u64,
}

/// Binds the root filesystem onto itself (recursively) and opens it as the root of all names.
///
/// Without a mount namespace it is only opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MakeRoot {
    /// `root.path`, absolute.
    pub path: HostPath,
    /// Whether a bind mount is made of it: there is a mount namespace of the container's own.
    pub bind: bool,
}

/// `pivot_root(".", ".")` into the root; the old one is detached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pivot;

/// For a root on a ramfs, which `pivot_root` refuses: the root is moved over `/`, then entered by `chroot(2)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveRoot;

/// `chroot(2)` into the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chroot;

/// Makes the root mount read-only (`root.readonly`), its other flags kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootReadonly;

/// Opens `process.cwd` beneath the root, making it if it is missing, and enters it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkingDirectory {
    /// Absolute inside the container.
    pub path: ContainerPath,
    /// Whether a missing one is made (as in create, not in exec).
    pub create: bool,
}

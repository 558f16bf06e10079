//! Paths that are hidden or made read-only.

use super::ContainerPath;

/// Hides one path: a directory under an empty read-only directory, anything else under a null device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// Absolute inside the container.
    pub path: ContainerPath,
}

/// Makes one path read-only by a bind mount of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadonlyPath {
    /// Absolute inside the container.
    pub path: ContainerPath,
}

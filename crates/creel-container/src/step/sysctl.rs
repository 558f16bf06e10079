//! Kernel parameters of the container's namespaces.

use super::Text;

/// Writes `value` below the host's verified `/proc/sys`; the namespaces of the caller decide which it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sysctl {
    /// The file below `/proc/sys`: `net/ipv4/ip_forward`.
    pub file: Text,
    /// What is written.
    pub value: Text,
}

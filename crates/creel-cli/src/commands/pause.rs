//! `creel pause`.

use clap::Args;

/// Suspends all processes of a container.
///
/// Returns when the kernel reports the cgroup of the container as frozen.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Pause {
    /// Name of the container.
    #[arg(value_name = "ID")]
    pub id: String,
}

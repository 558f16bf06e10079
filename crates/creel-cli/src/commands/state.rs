//! `creel state`.

use clap::Args;

/// Prints the state of a container as JSON.
///
/// The object has the keys of the specification (ociVersion, id, status, pid, bundle, annotations), rootfs, created and owner.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct State {
    /// Name of the container.
    #[arg(value_name = "ID")]
    pub id: String,
}

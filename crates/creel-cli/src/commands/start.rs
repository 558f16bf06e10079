//! `creel start`.

use clap::Args;

/// Runs the process of a created container.
///
/// Returns once the program of the config was executed; it is an error if the container was started before.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Start {
    /// Name of the container.
    #[arg(value_name = "ID")]
    pub id: String,
}

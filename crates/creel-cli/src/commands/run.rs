//! `creel run`.

use clap::Args;

use super::Launch;

/// Makes a container from a bundle, runs its process and removes the container when that has ended.
///
/// Signals are passed on to the process. The exit status is that of the process, or 128 and the number of the signal that ended it.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Run {
    /// How the container is made.
    #[command(flatten)]
    pub launch: Launch,

    /// Return as soon as the process runs, and leave the container until it is deleted.
    #[arg(long, short)]
    pub detach: bool,

    /// Keep the container when its process has ended.
    #[arg(long)]
    pub keep: bool,

    /// Name for the container, unique below --root.
    #[arg(value_name = "ID")]
    pub id: String,
}

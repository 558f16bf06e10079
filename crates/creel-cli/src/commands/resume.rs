//! `creel resume`.

use clap::Args;

/// Lets the processes of a paused container go on.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Resume {
    /// Name of the container.
    #[arg(value_name = "ID")]
    pub id: String,
}

//! `creel delete`.

use clap::Args;

/// Removes a stopped container and what was made for it.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Delete {
    /// Kill the container first if it still runs; one that does not exist is not an error then.
    #[arg(long, short)]
    pub force: bool,

    /// Take ID as a regular expression, and delete all containers whose names match.
    #[arg(long, short)]
    pub regex: bool,

    /// Name of the container.
    #[arg(value_name = "ID")]
    pub id: String,
}

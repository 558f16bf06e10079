//! `creel kill`.

use clap::Args;

/// Sends a signal to the process of a container.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Kill {
    /// Send the signal to all processes of the container; one that has stopped is not an error then.
    #[arg(long, short)]
    pub all: bool,

    /// Take ID as a regular expression, and signal all containers whose names match.
    #[arg(long, short)]
    pub regex: bool,

    /// Name of the container.
    #[arg(value_name = "ID")]
    pub id: String,

    /// The signal, by number or by name with or without SIG.
    #[arg(value_name = "SIGNAL", default_value = "SIGTERM")]
    pub signal: String,
}

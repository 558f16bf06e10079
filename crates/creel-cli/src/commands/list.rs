//! `creel list`.

use clap::Args;

use crate::values::ListFormat;

/// Lists the containers below --root.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct List {
    /// Choose the form of the list.
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: ListFormat,

    /// Print only the names.
    #[arg(long, short)]
    pub quiet: bool,
}

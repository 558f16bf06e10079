//! `creel ps`.

use clap::Args;

use crate::values::ListFormat;

/// Shows the processes of a container.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Ps {
    /// Choose between the table of ps(1) and a JSON array of process ids.
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: ListFormat,

    /// Name of the container.
    #[arg(value_name = "ID")]
    pub id: String,

    /// Options for ps(1), by default -ef.
    #[arg(value_name = "PS-OPTION", trailing_var_arg = true, allow_hyphen_values = true)]
    pub options: Vec<String>,
}

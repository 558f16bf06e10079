//! `creel plan`.

use std::path::PathBuf;

use clap::Args;

use crate::values::PlanFormat;

/// Prints what create and start would do for a bundle, step by step, without doing it.
///
/// If the configuration has faults, all of them are printed instead.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Plan {
    /// Choose the form of the plan.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: PlanFormat,

    /// Print what is behind STEP: what it does, and the rule of the specification.
    #[arg(long, value_name = "STEP")]
    pub explain: Option<String>,

    /// Print the JSON schema of --format json.
    #[arg(long)]
    pub schema: bool,

    /// Directory of the bundle.
    #[arg(value_name = "BUNDLE", default_value = ".")]
    pub bundle: PathBuf,
}

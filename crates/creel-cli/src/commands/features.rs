//! `creel features`.

use clap::Args;

/// Prints what the runtime supports as JSON.
///
/// The object is that of the specification's features.md.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Features {}

//! `creel spec`.

use std::path::PathBuf;

use clap::Args;

/// Writes a config.json to start from.
///
/// An existing file is not overwritten.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Spec {
    /// Write the file into the bundle in DIR.
    #[arg(long, short, value_name = "DIR", default_value = ".")]
    pub bundle: PathBuf,

    /// Write a configuration that works without root.
    #[arg(long)]
    pub rootless: bool,

    /// Write to FILE instead of config.json.
    #[arg(long, short, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

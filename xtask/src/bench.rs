//! `cargo xtask bench`: builds what is measured and the measuring program, and runs it.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::repo::Repo;

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Measures.
///
/// # Errors
/// When a build fails.
pub fn run(_repo: &Repo, _args: &Args) -> Result<ExitCode> {
    bail!("not yet")
}

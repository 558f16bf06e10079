//! `cargo xtask soak`: the conformance suite's soak, for as long as asked, with its table in the end.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::deps::{self, Purpose};
use crate::repo::Repo;
use crate::{build, conformance, output};

/// The section of the suite.
const SECTION: &str = "cli#soak";

/// Arguments of `soak`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How long
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// The runtime; creel if none is named
    #[arg(long)]
    runtime: Option<PathBuf>,
    /// Chooses the same jobs as the run that had this seed; their order among each other is the machine's
    #[arg(long)]
    seed: Option<u64>,
}

/// Runs it, prints the table, and fails if anything ended otherwise than it has to or is left.
///
/// # Errors
/// When a package is missing, a build fails or there is no table.
pub fn run(repo: &Repo, args: &Args) -> Result<ExitCode> {
    deps::ensure(repo, &[Purpose::Test])?;
    let runtime = match &args.runtime {
        Some(path) => path.clone(),
        None => build::creel(repo)?,
    };
    let report = repo.target.join("soak.txt");
    let _earlier = std::fs::remove_file(&report);
    let seconds = std::time::Duration::try_from_secs_f64(args.minutes * 60.0)?.as_secs();
    output::note(&format!("{} for {seconds} s", runtime.display()));
    let mut command = conformance::runner(repo, "conformance", Some(runtime))?;
    command.args(["--filter", SECTION]).env("SOAK_REPORT", &report);
    command.env("SOAK_SECONDS", seconds.to_string());
    command.envs(args.seed.map(|seed| ("SOAK_SEED", seed.to_string())));
    let status = command.status()?;
    let text = std::fs::read_to_string(&report).context("the soak left no table")?;
    text.lines().for_each(output::line);
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

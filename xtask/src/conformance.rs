//! `cargo xtask conformance …`: builds the suite and what it runs on, then hands over.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::deps::{self, Purpose};
use crate::repo::Repo;
use crate::{build, output};

/// Arguments of `conformance`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Arguments of the runner, such as `--runtime PATH`, `--filter WORD`, `--list`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds and runs the suite, on creel unless another runtime is named.
///
/// # Errors
/// When a package is missing or a build fails.
pub fn run(repo: &Repo, args: &Args) -> Result<ExitCode> {
    deps::ensure(repo, &[Purpose::Test])?;
    let is_named = args.rest.iter().any(|arg| arg == "--runtime" || arg.starts_with("--runtime="));
    let runtime = if is_named { None } else { Some(build::creel(repo)?) };
    let mut command = runner(repo, "conformance", runtime)?;
    let status = command.args(&args.rest).status()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or_else(
        || {
            output::error(&format!("conformance: {status}"));
            ExitCode::FAILURE
        },
        ExitCode::from,
    ))
}

/// The command of a test runner (conformance, engines), with the checker it puts into containers.
///
/// # Errors
/// When a build fails.
pub fn runner(repo: &Repo, package: &str, runtime: Option<PathBuf>) -> Result<Command> {
    let checker = build::static_program(repo, "checker")?;
    let mut command = repo.command(build::test_program(repo, package)?);
    command.env("CREEL_TEST_CHECKER", checker);
    if let Some(runtime) = runtime {
        command.arg("--runtime").arg(runtime);
    }
    Ok(command)
}

//! `cargo xtask conformance …` and `engines …`: builds the suite and the runtime, then hands over.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::deps::{self, Purpose};
use crate::repo::Repo;
use crate::{build, output, vm};

/// Arguments of `conformance` and `engines`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// In the virtual machine, which is made when it is missing
    #[arg(long)]
    vm: bool,
    /// Arguments of the runner, such as `--runtime PATH`, `--filter WORD`, `--list`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds and runs a suite, on creel unless another runtime is named.
///
/// # Errors
/// When a package is missing or a build fails.
pub fn run(repo: &Repo, suite: &'static str, args: &Args) -> Result<ExitCode> {
    if args.vm {
        return vm::run_suite(repo, suite, &args.rest);
    }
    deps::ensure(repo, &[Purpose::Test])?;
    let names_one =
        |arg: &String| ["--runtime", "--against", "--kills"].iter().any(|o| arg.starts_with(o));
    let is_named = args.rest.iter().any(|arg| names_one(arg) || arg == "--list");
    let runtime = if is_named { None } else { Some(build::creel(repo)?) };
    let mut command = runner(repo, suite, runtime)?;
    let status = command.args(&args.rest).status()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or_else(
        || {
            output::error(&format!("{suite}: {status}"));
            ExitCode::FAILURE
        },
        ExitCode::from,
    ))
}

/// The command of a test runner: of the conformance suite, or the engines'.
///
/// # Errors
/// When a build fails.
pub fn runner(repo: &Repo, package: &str, runtime: Option<PathBuf>) -> Result<Command> {
    let mut command = repo.command(build::test_program(repo, package)?);
    if let Some(runtime) = runtime {
        command.arg("--runtime").arg(runtime);
    }
    Ok(command)
}

//! `cargo xtask vm`: a Debian with cgroup v2, systemd and AppArmor, for what this machine is not.

mod image;
mod suite;

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

pub use self::image::{is_there, obstacle};
pub use self::suite::{NOT_ITS_FAULT, Part, command};
use crate::repo::Repo;
use crate::{output, test};

/// Arguments of `vm`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

/// What to do with the machine.
#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make the machine (a few minutes, once), in target/vm or where `VM_DIR` says
    Build {
        /// Only if there is none
        #[arg(long)]
        if_missing: bool,
    },
    /// Run in it what `cargo xtask test` does: the conformance suite and some scenarios of engines
    Test,
    /// Run a command in it: `vm run [OPTION]... -- COMMAND [ARG]...`; see tests/vm/vm
    Run {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        words: Vec<String>,
    },
}

/// Makes, or uses, the machine.
///
/// # Errors
/// When a package is missing, or a build fails.
pub fn run(repo: &Repo, args: &Args) -> Result<ExitCode> {
    match &args.action {
        Action::Build { if_missing: true } => make_if_missing(repo).map(|()| ExitCode::SUCCESS),
        Action::Build { .. } => image::make(repo).map(|()| ExitCode::SUCCESS),
        Action::Test => test::in_machine(repo),
        Action::Run { words } => {
            make_if_missing(repo)?;
            end_of(image::script(repo).arg("run").args(words))
        }
    }
}

/// `cargo xtask conformance --vm` and `engines --vm`: one suite in the machine, on creel unless another runtime is
/// named.
///
/// # Errors
/// When a package is missing, or a build fails.
pub fn run_suite(repo: &Repo, name: &'static str, arguments: &[String]) -> Result<ExitCode> {
    make_if_missing(repo)?;
    let arguments = arguments.to_vec();
    end_of(&mut command(repo, &[Part { suite: name, arguments }], LIMIT)?)
}

/// A whole suite takes this many seconds in the emulated machine, and not longer.
const LIMIT: u64 = 3600;

fn make_if_missing(repo: &Repo) -> Result<()> {
    if is_there(repo) {
        return image::packages(repo);
    }
    output::note("the virtual machine is made, once");
    image::make(repo)
}

fn end_of(command: &mut Command) -> Result<ExitCode> {
    let status = command.status().context("tests/vm/vm")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

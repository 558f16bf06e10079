//! `cargo xtask vm`: a Debian with cgroup v2, systemd and AppArmor, for what this machine is not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::deps::{self, Purpose};
use crate::repo::{self, Repo};
use crate::{build, output};

/// Arguments of `vm`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

/// What to do with the machine.
#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make the machine (a few minutes, once)
    Build,
    /// Run a command in it: `vm run [OPTION]... -- COMMAND [ARG]...`; see tests/vm/vm
    Run {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        words: Vec<String>,
    },
    /// Run a suite (conformance or engines) in it
    Test {
        /// Which
        #[arg(default_value = "conformance")]
        suite: String,
        /// The runtime: creel, or one of the machine's own
        #[arg(long, default_value = "creel")]
        runtime: String,
        /// More arguments of the suite's runner
        #[arg(last = true)]
        rest: Vec<String>,
    },
}

/// A whole suite takes this long in the emulated machine, and not longer.
const LIMIT: &str = "1800";

/// Makes, or uses, the machine.
///
/// # Errors
/// When a package is missing, or a build fails.
pub fn run(repo: &Repo, args: &Args) -> Result<ExitCode> {
    let mut command = match &args.action {
        Action::Build => {
            make(repo)?;
            return Ok(ExitCode::SUCCESS);
        }
        Action::Run { words } => {
            make_if_missing(repo)?;
            let mut command = script(repo);
            command.arg("run").args(words);
            command
        }
        Action::Test { suite, runtime, rest } => {
            let mut command = suite_command(repo, suite, runtime)?;
            command.args(rest);
            command
        }
    };
    let status = command.status().context("tests/vm/vm")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The command that runs a suite in the machine, which is made when it is missing.
///
/// # Errors
/// When a package is missing, or a build fails.
pub fn suite_command(repo: &Repo, suite: &str, runtime: &str) -> Result<Command> {
    make_if_missing(repo)?;
    // One small directory with all programs: the guest need not read the whole target directory.
    let dir = repo.target.join("vm-suite");
    fs::create_dir_all(&dir)?;
    place(&build::test_program(repo, suite)?, &dir.join(suite))?;
    place(&build::static_program(repo, "checker")?, &dir.join("checker-static"))?;
    let runtime = if runtime == "creel" {
        place(&build::creel(repo)?, &dir.join("creel"))?;
        dir.join("creel")
    } else {
        PathBuf::from(runtime)
    };
    let mut command = script(repo);
    command.args(["run", "--timeout", LIMIT]);
    for (share, mode) in [(&dir, "ro"), (&repo.root.join("tests"), "ro")] {
        command.arg("--share").arg(format!("{}:{}:{mode}", share.display(), share.display()));
    }
    command.arg("--").arg(dir.join(suite)).arg("--runtime").arg(runtime);
    Ok(command)
}

fn make_if_missing(repo: &Repo) -> Result<()> {
    deps::ensure(repo, &[Purpose::Vm])?;
    if directory(repo).join("state").exists() {
        return Ok(());
    }
    output::note("the virtual machine is made, once");
    make(repo)
}

fn make(repo: &Repo) -> Result<()> {
    if !repo::is_root() {
        bail!("only root can make the machine: its files belong to many users");
    }
    deps::ensure(repo, &[Purpose::Vm])?;
    repo::run(script(repo).arg("build"))
}

fn script(repo: &Repo) -> Command {
    let mut command = repo.command(repo.root.join("tests/vm/vm"));
    command.env("VM_DIR", directory(repo));
    command
}

fn directory(repo: &Repo) -> PathBuf {
    repo.target.join("vm")
}

/// Copies a program.
fn place(program: &Path, target: &Path) -> Result<()> {
    fs::copy(program, target).with_context(|| target.display().to_string())?;
    Ok(())
}

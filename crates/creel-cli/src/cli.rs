//! The whole command line: global options and the command.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser};

use crate::argv::normalise;
use crate::commands::Command;
use crate::values::{CgroupManager, LogFormat, LogLevel, Rootless};

/// Runs containers as described by the OCI runtime specification.
///
/// A container is made from a bundle: a directory with a config.json and a root filesystem.
/// Options of this list may be given before or after the command.
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(name = "creel", args_override_self = true)]
pub struct Cli {
    /// Keep the state of containers below DIR, by default /run/creel, or $XDG_RUNTIME_DIR/creel without root.
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,

    /// Write errors and, once the command has succeeded, warnings to FILE as well.
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,

    /// Choose the form of the records in the log.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,

    /// Log what is at least as severe as LEVEL.
    #[arg(long, value_name = "LEVEL", value_enum)]
    pub log_level: Option<LogLevel>,

    /// Log everything, as --log-level debug does.
    #[arg(long)]
    pub debug: bool,

    /// Place containers in scopes of systemd, as --cgroup-manager systemd does; cgroupsPath is then SLICE:PREFIX:NAME.
    #[arg(long)]
    pub systemd_cgroup: bool,

    /// Choose who makes the cgroup of a container, or that it gets none.
    #[arg(long, value_name = "MANAGER", value_enum)]
    pub cgroup_manager: Option<CgroupManager>,

    /// Decide what missing permissions on cgroups mean.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub rootless: Rootless,

    /// Print the versions of the program and of the specification.
    #[arg(long, short = 'v')]
    pub version: bool,

    /// What to do; `None` only together with [`Self::version`].
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The definition itself, for man pages and completions. The arguments of the commands are in it
/// after [`clap::Command::build`].
#[must_use]
pub fn definition() -> clap::Command {
    Cli::command()
}

/// Parses a command line whose first word is the program's name.
///
/// # Errors
/// What is wrong with it, or, as clap has it, the help text that was asked for:
/// [`ErrorKind::DisplayHelp`], also for a line without any argument.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let mut definition = definition();
    let mut args = normalise(&definition, args);
    if args.len() < 2 {
        args = vec![OsString::from("creel"), OsString::from("--help")];
    }
    let matches = definition.try_get_matches_from_mut(args)?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut definition))?;
    if cli.command.is_none() && !cli.version {
        return Err(definition.error(ErrorKind::MissingSubcommand, "no command given"));
    }
    Ok(cli)
}

/// An error of [`parse`] in one line: no prefix, no usage, no tip.
#[must_use]
pub fn message(error: &clap::Error) -> String {
    let text = error.to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = first.split_whitespace().collect();
    let line = words.join(" ");
    line.strip_prefix("error: ").map(str::to_owned).unwrap_or(line)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

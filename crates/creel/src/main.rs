//! creel, the OCI container runtime: glue between the command line and the library.

#![cfg_attr(not(test), no_main)]
#![deny(unsafe_code)]

mod commands;
#[cfg(not(test))]
mod entry;
mod exit;
mod failure;
mod foreground;
mod log;
mod root;
mod signal;
mod terminal;
mod version;

use std::ffi::OsString;

use creel_cli::Cli;

use crate::exit::ExitCode;
use crate::log::Log;

fn main() -> ExitCode {
    creel_container::worker_entry();
    let args: Vec<OsString> = std::env::args_os().collect();
    if let Err(error) = prepare(&args) {
        return Log::default().fail(&error.into());
    }
    let cli = match creel_cli::parse(args.iter().cloned()) {
        Ok(cli) => cli,
        Err(error) => return log::usage(&error, &args),
    };
    if cli.version {
        return version::print();
    }
    let log = match Log::open(&cli) {
        Ok(log) => log,
        Err(failure) => return Log::default().fail(&failure),
    };
    log.collect_events();
    match commands::run(cli, &log) {
        Ok(code) => {
            log.flush();
            code
        }
        Err(failure) => log.fail(&failure),
    }
}

/// The commands that enter a container, wherever the word stands.
const SEALED: [&[u8]; 3] = [b"create", b"run", b"exec"];

/// What has to be before anything is opened: commands that enter a container run sealed.
fn prepare(args: &[OsString]) -> creel_container::Result<()> {
    if args.iter().skip(1).any(|arg| SEALED.contains(&arg.as_encoded_bytes())) {
        creel_container::seal()?;
    }
    // A caller's odd mask is not for cgroups, pid files and logs.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    Ok(())
}

/// The commands' common part.
pub(crate) struct Context<'a> {
    /// The global options.
    pub(crate) cli: &'a Cli,
    /// Where messages go.
    pub(crate) log: &'a Log,
}

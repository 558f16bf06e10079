//! `creel kill`.

use std::process::ExitCode;

use creel_cli::Kill;

use super::Done;
use crate::Context;
use crate::failure::Failure;
use crate::signal;

pub(super) fn run(context: &Context<'_>, args: &Kill) -> Done {
    let signal = signal::parse(&args.signal)?;
    if args.regex {
        return Err(Failure::new("kill --regex is not supported yet"));
    }
    let container = context.open(&args.id)?;
    if args.all {
        container.kill_all(signal)?
    } else {
        container.kill(signal)?
    }
    Ok(ExitCode::SUCCESS)
}

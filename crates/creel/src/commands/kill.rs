//! `creel kill`.

use std::process::ExitCode;

use creel_cli::Kill;
use creel_container::{Container, Status};

use super::{Done, each};
use crate::Context;
use crate::signal;

pub(super) fn run(context: &Context<'_>, args: &Kill) -> Done {
    let signal = signal::parse(&args.signal)?;
    let kill = |container: &Container| match args.all {
        true => container.kill_all(signal),
        false => container.kill(signal),
    };
    if args.regex {
        let mut containers = context.matching(&args.id)?;
        containers.retain(|container| container.status() != Status::Stopped);
        each(&containers, kill)?;
    } else {
        kill(&context.open(&args.id)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

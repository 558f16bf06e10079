//! `creel kill`.

use creel_cli::Kill;
use creel_container::{Container, Status};

use super::{Done, each};
use crate::Context;
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::signal;

pub(super) fn run(context: &Context<'_>, args: &Kill) -> Done {
    if args.signal == "0" && !args.regex {
        return alive(context, &args.id);
    }
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

/// Signal 0 only asks whether there is a process, as kill(2) has it.
fn alive(context: &Context<'_>, id: &str) -> Done {
    match context.open(id)?.status() {
        Status::Stopped => Err(Failure::new("container not running")),
        Status::Creating | Status::Created | Status::Running | Status::Paused => {
            Ok(ExitCode::SUCCESS)
        }
    }
}

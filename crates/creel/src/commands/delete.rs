//! `creel delete`.

use creel_cli::Delete;
use creel_container::{Container, ContainerId};

use super::{Done, each};
use crate::Context;
use crate::exit::ExitCode;

pub(super) fn run(context: &Context<'_>, args: &Delete) -> Done {
    let runtime = context.runtime()?;
    if args.regex {
        let delete = |container: &Container| match args.force {
            true => runtime.delete_force(container.id()),
            false => container.delete(),
        };
        each(&context.matching(&args.id)?, delete)?;
        return Ok(ExitCode::SUCCESS);
    }
    let id = ContainerId::parse(&args.id)?;
    if args.force {
        runtime.delete_force(&id)?;
    } else {
        runtime.open(&id)?.delete()?;
    }
    Ok(ExitCode::SUCCESS)
}

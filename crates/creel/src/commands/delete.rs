//! `creel delete`.

use std::process::ExitCode;

use creel_cli::Delete;
use creel_container::ContainerId;

use super::Done;
use crate::Context;
use crate::failure::Failure;

pub(super) fn run(context: &Context<'_>, args: &Delete) -> Done {
    if args.regex {
        return Err(Failure::new("delete --regex is not supported yet"));
    }
    let id = ContainerId::parse(&args.id)?;
    let runtime = context.runtime()?;
    if args.force {
        runtime.delete_force(&id)?
    } else {
        runtime.open(&id)?.delete()?
    }
    Ok(ExitCode::SUCCESS)
}

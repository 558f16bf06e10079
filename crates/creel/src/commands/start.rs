//! `creel start`.

use creel_cli::Start;

use super::Done;
use crate::Context;
use crate::exit::ExitCode;

pub(super) fn run(context: &Context<'_>, args: &Start) -> Done {
    let mut container = context.open(&args.id)?;
    container.start()?;
    container.await_ready();
    Ok(ExitCode::SUCCESS)
}

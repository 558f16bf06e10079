//! `creel start`.

use std::process::ExitCode;

use creel_cli::Start;

use super::Done;
use crate::Context;

pub(super) fn run(context: &Context<'_>, args: &Start) -> Done {
    context.open(&args.id)?.start()?;
    Ok(ExitCode::SUCCESS)
}

//! `creel pause` and `creel resume`.

use creel_cli::{Pause, Resume};

use super::Done;
use crate::Context;
use crate::exit::ExitCode;

pub(super) fn pause(context: &Context<'_>, args: &Pause) -> Done {
    context.open(&args.id)?.pause()?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn resume(context: &Context<'_>, args: &Resume) -> Done {
    context.open(&args.id)?.resume()?;
    Ok(ExitCode::SUCCESS)
}

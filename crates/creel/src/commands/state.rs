//! `creel state`.

use creel_cli::State;

use super::{Done, output};
use crate::Context;

pub(super) fn run(context: &Context<'_>, args: &State) -> Done {
    output::json(&context.open(&args.id)?.state())
}

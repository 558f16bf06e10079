//! `creel plan`.

use creel_cli::{Plan, PlanFormat};

use super::{Done, output};
use crate::Context;
use crate::failure::Failure;

pub(super) fn run(_context: &Context<'_>, args: &Plan) -> Done {
    let _ = (args.format == PlanFormat::Json, output::text);
    Err(Failure::new("not there yet"))
}

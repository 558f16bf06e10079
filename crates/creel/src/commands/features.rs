//! `creel features`.

use creel_container::Features;

use super::{Done, output};

pub(super) fn run() -> Done {
    output::json(&Features::new())
}

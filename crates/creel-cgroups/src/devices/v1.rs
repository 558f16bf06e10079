//! The rules as writes to `devices.deny` and `devices.allow`, for v1.

use super::Rule;
use crate::{error::Refused, settings::Write};

/// The writes for a cgroup.
pub(crate) fn writes(_rules: &[Rule]) -> Result<Vec<Write>, Vec<Refused>> {
    Ok(Vec::new())
}

//! `PR_SET_DUMPABLE`, `prctl(2)`.

use rustix::io::Errno;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use super::layer::{Layer, is_on};

/// From now on nobody without `CAP_SYS_PTRACE` may look into this process (CVE-2016-9962): attach to it, open its
/// memory, its executable, its descriptors, its root or its working directory by procfs. A clone inherits it.
pub(crate) fn hide() -> Result<(), Errno> {
    if is_on(Layer::Hiding) { set_dumpable_behavior(DumpableBehavior::NotDumpable) } else { Ok(()) }
}

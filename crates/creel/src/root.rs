//! Where the state of containers is kept when `--root` does not say.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::failure::Failure;

const SYSTEM: &str = "/run/creel";

/// `--root`, or the default of this caller.
pub(crate) fn directory(given: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(root) = given {
        if root.as_os_str().is_empty() {
            return Err(Failure::new("--root: a directory is needed, found an empty path"));
        }
        return Ok(root.to_owned());
    }
    if rustix::process::geteuid().is_root() && in_initial_user_namespace() {
        return Ok(PathBuf::from(SYSTEM));
    }
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|value| !value.is_empty());
    if let Some(runtime) = runtime {
        return Ok(PathBuf::from(runtime).join("creel"));
    }
    let writable = |path: &str| access(path, Access::WRITE_OK).is_ok();
    if writable(SYSTEM) || (!Path::new(SYSTEM).exists() && writable("/run")) {
        return Ok(PathBuf::from(SYSTEM));
    }
    Err(Failure::new(format!(
        "no place for the state of containers: {SYSTEM} is not writable and XDG_RUNTIME_DIR is not set; name one by --root"
    )))
}

/// The initial user namespace maps every id to itself.
fn in_initial_user_namespace() -> bool {
    std::fs::read_to_string("/proc/self/uid_map")
        .is_ok_and(|map| map.split_whitespace().eq(["0", "0", "4294967295"]))
}

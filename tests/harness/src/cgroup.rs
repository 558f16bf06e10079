//! The cgroups of a process, as the host sees them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// The directory of a process' cgroup, by v1 controller or (with `""`) in the unified hierarchy.
///
/// # Errors
/// If there is no such hierarchy, or the process is gone.
pub fn directory(pid: i32, controller: &str) -> anyhow::Result<PathBuf> {
    let own = fs::read_to_string(format!("/proc/{pid}/cgroup"))
        .with_context(|| format!("cgroups of {pid}"))?;
    let wanted = |line: &&str| {
        line.split(':').nth(1).is_some_and(|list| {
            list.split(',').any(|name| name.trim_start_matches("name=") == controller)
        })
    };
    let line = own
        .lines()
        .find(wanted)
        .with_context(|| format!("no hierarchy {controller:?} in {own:?}"))?;
    let path = line.splitn(3, ':').nth(2).unwrap_or_default();
    Ok(hierarchy(controller).join(path.trim_start_matches('/')))
}

/// Where a hierarchy is mounted.
#[must_use]
pub fn hierarchy(controller: &str) -> PathBuf {
    let base = Path::new("/sys/fs/cgroup");
    let unified = base.join("unified");
    match controller {
        "" if unified.is_dir() => unified,
        "" => base.to_path_buf(),
        name => base.join(name),
    }
}

/// Whether the machine has this v1 controller, or a v2 one in the unified hierarchy.
#[must_use]
pub fn has(controller: &str) -> bool {
    if hierarchy(controller).join("cgroup.procs").exists() && controller != "unified" {
        return true;
    }
    let list = fs::read_to_string(hierarchy("").join("cgroup.controllers")).unwrap_or_default();
    list.split_whitespace().any(|name| name == controller)
}

/// A file of a process' cgroup without its last newline.
///
/// # Errors
/// If it cannot be read.
pub fn read(pid: i32, controller: &str, file: &str) -> anyhow::Result<String> {
    let path = directory(pid, controller)?.join(file);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(String::from(text.trim_end()))
}

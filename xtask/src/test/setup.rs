//! What the tests need of the host beyond packages.

use std::fs;
use std::path::Path;

use rustix::mount::{MountFlags, mount};

use crate::{output, repo};

const CGROUPS: &str = "/sys/fs/cgroup";

/// Prepares the host, where it is ours to prepare. What cannot be done is said, and left to the
/// tests that miss it.
pub(super) fn host() {
    if repo::is_root() {
        hugetlb();
    }
}

/// Debian's crun refuses a hybrid layout in which hugetlb belongs to v2, so there it gets a v1
/// hierarchy.
fn hugetlb() {
    let dir = Path::new(CGROUPS).join("hugetlb");
    let is_hybrid = Path::new(CGROUPS).join("unified/cgroup.controllers").exists();
    if !is_hybrid || dir.join("cgroup.procs").exists() {
        return;
    }
    let mounted = fs::create_dir_all(&dir).map_err(anyhow::Error::from).and_then(|()| {
        mount("cgroup", &dir, "cgroup", MountFlags::NOSUID, Some(c"hugetlb")).map_err(Into::into)
    });
    if let Err(error) = mounted {
        output::note(&format!("no v1 hugetlb hierarchy, so Debian's crun may refuse: {error:#}"));
    }
}

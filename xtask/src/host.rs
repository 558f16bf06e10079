//! What other runtimes need of the host beyond their packages.

use std::fs;
use std::path::Path;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::output;

const CGROUPS: &str = "/sys/fs/cgroup";
const HUGETLB: &str = "/sys/fs/cgroup/hugetlb";

/// A v1 hierarchy of hugetlb, for as long as this lives: Debian's crun refuses a hybrid layout in
/// which hugetlb belongs to v2.
#[derive(Debug)]
pub struct Hugetlb {
    is_ours: bool,
}

impl Hugetlb {
    /// Mounts it where it is missed. What cannot be done is said, and left to the runtime.
    pub fn new() -> Self {
        let is_hybrid = Path::new(CGROUPS).join("unified/cgroup.controllers").exists();
        if !is_hybrid || Path::new(HUGETLB).join("cgroup.procs").exists() {
            return Self { is_ours: false };
        }
        let mounted = fs::create_dir_all(HUGETLB).map_err(anyhow::Error::from).and_then(|()| {
            let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
            mount("cgroup", HUGETLB, "cgroup", flags, Some(c"hugetlb")).map_err(Into::into)
        });
        if let Err(error) = &mounted {
            output::note(&format!("no v1 hugetlb, so Debian's crun may refuse: {error:#}"));
        }
        Self { is_ours: mounted.is_ok() }
    }
}

impl Default for Hugetlb {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Hugetlb {
    fn drop(&mut self) {
        if self.is_ours && unmount(HUGETLB, UnmountFlags::empty()).is_ok() {
            let _ = fs::remove_dir(HUGETLB);
        }
    }
}

//! Plans of real and invented configs, for a host that does not exist. Needs no privilege and touches nothing.

#![allow(clippy::unwrap_used, reason = "a test ends with the panic")]

mod engines;

use std::path::{Path, PathBuf};

use creel_cgroups::{Hierarchies, Hierarchy, Version};
use creel_container::{Bundle, Host, Plan, PlanOptions, compile};

/// The cgroup layout of Debian 12 with `systemd.unified_cgroup_hierarchy=0`.
fn hybrid() -> Hierarchies {
    let v1 = [
        "blkio",
        "cpu,cpuacct",
        "cpuset",
        "devices",
        "freezer",
        "hugetlb",
        "memory",
        "pids",
        "systemd",
    ];
    let mut list: Vec<_> = v1.iter().map(|name| Hierarchy::new(name, Version::V1)).collect();
    list.push(Hierarchy::new("unified", Version::V2));
    Hierarchies::from_list(Path::new("/sys/fs/cgroup"), list).unwrap()
}

fn host() -> Host {
    Host::invented(Some(hybrid()))
}

/// The config `NAME` of `tests/engine-configs`.
fn engine_config(name: &str) -> Bundle {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine-configs").join(name);
    Bundle::parse(PathBuf::from("/bundle"), file.clone(), std::fs::read(&file).unwrap()).unwrap()
}

fn plan(bundle: &Bundle) -> Result<Plan, Vec<String>> {
    compile(bundle, &host(), &PlanOptions::new("web"))
        .map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

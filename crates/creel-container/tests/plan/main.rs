//! Plans of real and invented configs, for a host that does not exist. Needs no privilege and touches nothing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends with the panic")]

mod bad_values;
mod decisions;
mod engine_fuzz;
mod engines;
mod exec;
mod explain;
mod report;

use std::path::{Path, PathBuf};

use creel_cgroups::{Hierarchies, Hierarchy, Version};
use creel_container::{Bundle, Host, Plan, PlanOptions, Report, compile};

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

/// The plan of a config in JSON, as lines of stage, pointer and words; or its faults.
fn lines_of(config: &serde_json::Value) -> Vec<String> {
    lines_on(config, &host())
}

fn lines_on(config: &serde_json::Value, host: &Host) -> Vec<String> {
    let text = serde_json::to_vec(config).unwrap();
    let bundle =
        Bundle::parse(PathBuf::from("/bundle"), PathBuf::from("/bundle/config.json"), text)
            .unwrap();
    match compile(&bundle, host, &PlanOptions::new("web")) {
        Ok(plan) => {
            let report = Report::new(&bundle, &plan);
            let rows = report
                .steps
                .iter()
                .map(|row| format!("{} {}: {}", row.stage.word(), row.pointer, row.does));
            rows.chain(report.warnings.iter().map(|warning| format!("warning {warning}"))).collect()
        }
        Err(faults) => faults.iter().map(|fault| format!("fault {fault}")).collect(),
    }
}

/// A small config: proc, /dev and a program in new namespaces. `change` is merged into it.
fn config(change: serde_json::Value) -> serde_json::Value {
    let mut config = serde_json::json!({
        "ociVersion": "1.3.0",
        "root": { "path": "rootfs" },
        "process": { "args": ["sh"], "cwd": "/", "user": { "uid": 0, "gid": 0 } },
        "mounts": [{ "destination": "/proc", "type": "proc", "source": "proc" }],
        "linux": { "namespaces": [{ "type": "mount" }, { "type": "pid" }, { "type": "uts" }] }
    });
    merge(&mut config, change);
    config
}

fn merge(into: &mut serde_json::Value, change: serde_json::Value) {
    match (into, change) {
        (serde_json::Value::Object(into), serde_json::Value::Object(change)) => {
            for (key, value) in change {
                merge(into.entry(key).or_insert(serde_json::Value::Null), value);
            }
        }
        (into, change) => *into = change,
    }
}

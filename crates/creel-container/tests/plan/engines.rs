//! What podman, buildah, containerd and Docker wrote: each config compiles, or is refused by the name of what is to
//! come.

use creel_container::{PlanOptions, Report, compile};

use crate::{engine_config, host, plan};

#[test]
fn every_config_compiles_or_is_refused_by_name() {
    let mut found = String::new();
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engine-configs");
    let mut names: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for name in names {
        let line = match plan(&engine_config(&name)) {
            Ok(plan) => {
                format!("{name}: {} steps, {} warnings\n", plan.steps.len(), plan.warnings.len())
            }
            Err(faults) => format!("{name}: refused: {}\n", faults.join("; ")),
        };
        found.push_str(&line);
    }
    insta::assert_snapshot!(found);
}

/// The whole plan of each of these, as `creel plan` prints it.
const SHOWN: [&str; 24] = [
    "buildah-build-limits",
    "buildah-run",
    "containerd-mounts-propagation",
    "containerd-namespace-joined",
    "containerd-privileged",
    "containerd-rlimits",
    "containerd-run",
    "cri-container-lifecycle",
    "cri-container-lifecycle-sandbox",
    "cri-limits-memory",
    "cri-mount-bidirectional",
    "cri-pod-host-network",
    "cri-seccomp-localhost",
    "docker-limits-cpuset",
    "docker-pid-host",
    "docker-run",
    "docker-tty-run",
    "docker-volume-rshared",
    "podman-hooks-prestart",
    "podman-limits-memory",
    "podman-network-host",
    "podman-privileged",
    "podman-read-only-root",
    "podman-run",
];

#[test]
fn plans_are_as_they_were_read() {
    for name in SHOWN {
        let bundle = engine_config(&format!("{name}.json"));
        let plan = compile(&bundle, &host(), &PlanOptions::new("web")).unwrap();
        let mut report = Report::new(&bundle, &plan);
        report.config = String::new();
        insta::assert_snapshot!(name, report.to_string());
    }
}

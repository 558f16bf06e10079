//! Containers that share namespaces: pods, and `container:NAME`.

use std::fs;

use harness::{Cases, Outcome, ensure_eq};

use super::{Podman, case};
use crate::image;
use crate::row::clean;

pub(super) fn register(cases: &mut Cases) {
    cases.section("podman#pods", "");
    case(cases, "two containers of a pod share network, ipc and hostname", pod);
    for (kind, flag) in [("net", "--network"), ("pid", "--pid"), ("ipc", "--ipc")] {
        cases.cli(&[], format!("a container joins the {kind} namespace of another"), move |rt| {
            super::with(rt, |podman| join(podman, kind, flag))
        });
    }
}

fn pod(podman: &Podman<'_>) -> Outcome {
    podman.is_inhabited.set(true);
    let (parent, infra) = (
        format!("/{}", crate::sandbox::cgroup(podman.rt)),
        format!("--infra-image={}", image::NAME),
    );
    let words = ["pod", "create", "--name=pod", "--network=none", "--hostname=a-pod"];
    let words =
        [&words[..], &["--infra-command=/bin/sleep 1000", &infra, "--cgroup-parent", &parent]]
            .concat();
    podman.podman(&words)?.ok()?;
    podman.service("first", &["--pod=pod"])?;
    let script = "hostname; for n in net ipc uts; do readlink /proc/self/ns/$n; done";
    let output = podman.run(&["--pod=pod"], &["sh", "-c", script])?.ok()?;
    let (pid, _process) = podman.process("first")?;
    let mut expected = vec![String::from("a-pod")];
    for kind in ["net", "ipc", "uts"] {
        expected.push(fs::read_link(format!("/proc/{pid}/ns/{kind}"))?.display().to_string());
    }
    ensure_eq("what the second one sees", clean(&output.stdout()), expected.join("\n"))
}

fn join(podman: &Podman<'_>, kind: &str, flag: &str) -> Outcome {
    podman.service("first", &["--ipc=shareable"])?;
    let (pid, _process) = podman.process("first")?;
    let theirs = fs::read_link(format!("/proc/{pid}/ns/{kind}"))?.display().to_string();
    let flag = format!("{flag}=container:first");
    let output = podman.run(&[&flag], &["readlink", &format!("/proc/self/ns/{kind}")])?.ok()?;
    ensure_eq("namespace", clean(&output.stdout()), theirs)
}

//! Limits of resources, by cgroups and by rlimits.

use harness::{Cases, Outcome, ensure_eq};

use super::{Podman, case, rows};
use crate::row::{Gives, Row, clean};

/// A file of the container's cgroup is read from the first of the paths that is there: v1, then v2.
macro_rules! cgroup_row {
    ($name:literal, $flags:expr, $v1:literal, $v2:literal, $gives:literal) => {
        Row {
            name: $name,
            flags: &$flags,
            command: &[
                "sh",
                "-c",
                concat!(
                    "cd /sys/fs/cgroup; if test -e ",
                    $v1,
                    "; then cat ",
                    $v1,
                    "; else cat ",
                    $v2,
                    "; fi"
                ),
            ],
            gives: Gives::Words(&[$gives]),
        }
    };
}

const ROWS: &[Row] = &[
    cgroup_row!(
        "memory is limited",
        ["--memory=64m"],
        "memory/memory.limit_in_bytes",
        "memory.max",
        "67108864"
    ),
    cgroup_row!(
        "the soft limit of memory is set",
        ["--memory=64m", "--memory-reservation=32m"],
        "memory/memory.soft_limit_in_bytes",
        "memory.low",
        "33554432"
    ),
    cgroup_row!("processes are counted", ["--pids-limit=33"], "pids/pids.max", "pids.max", "33"),
    cgroup_row!("cpu time is limited", ["--cpus=0.5"], "cpu/cpu.cfs_quota_us", "cpu.max", "50000"),
    cgroup_row!(
        "shares of cpu time are set",
        ["--cpu-shares=512"],
        "cpu/cpu.shares",
        "cpu.weight",
        "2"
    ),
    cgroup_row!(
        "processors are chosen",
        ["--cpuset-cpus=0"],
        "cpuset/cpuset.cpus",
        "cpuset.cpus",
        "0"
    ),
    Row {
        name: "a container may not have more processes than its limit",
        flags: &["--pids-limit=5"],
        command: &["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 100 & done"],
        gives: Gives::Error(2, &["can't fork", "resource temporarily unavailable"]),
    },
    Row {
        name: "a process that takes too much memory is killed, and its code is 137",
        flags: &["--memory=24m", "--memory-swap=24m"],
        command: &["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"],
        gives: Gives::Code(137),
    },
    Row {
        name: "a limit of the process is set",
        flags: &["--ulimit=nofile=100:200", "--ulimit=core=0:0"],
        command: &["sh", "-c", "ulimit -n; ulimit -Hn; ulimit -c"],
        gives: Gives::Text("100\n200\n0"),
    },
    Row {
        name: "the number of a user's processes is limited",
        flags: &["--ulimit=nproc=77:88"],
        command: &["grep", "processes", "/proc/self/limits"],
        gives: Gives::Words(&["77", "88"]),
    },
    Row {
        name: "a container without cgroups runs",
        flags: &["--cgroups=disabled"],
        command: &["echo", "free"],
        gives: Gives::Text("free"),
    },
];

pub(super) fn register(cases: &mut Cases) {
    cases.section("podman#limits", "");
    rows(cases, ROWS);
    case(cases, "limits are changed while the container runs", update);
    case(cases, "the use of resources is measured", stats);
    case(cases, "a container is in a cgroup of its own below the parent", parent);
}

/// Reads a file of the running container's cgroup: its path on v1, and on v2.
fn file(podman: &Podman<'_>, paths: [&str; 2]) -> anyhow::Result<String> {
    let [v1, v2] = paths.map(|path| format!("/sys/fs/cgroup/{path}"));
    let script = format!("cat {v1} 2>/dev/null || cat {v2}");
    let output = podman.podman(&["exec", "box", "sh", "-c", &script])?.ok()?;
    Ok(clean(&output.stdout()))
}

fn update(podman: &Podman<'_>) -> Outcome {
    podman.service("box", &["--memory=64m", "--cpu-shares=512"])?;
    podman.podman(&["update", "--memory=96m", "--cpus=0.5", "box"])?.ok()?;
    let memory = file(podman, ["memory/memory.limit_in_bytes", "memory.max"])?;
    ensure_eq("memory", memory.as_str(), "100663296")?;
    let quota = file(podman, ["cpu/cpu.cfs_quota_us", "cpu.max"])?;
    ensure_eq("cpu time", quota.split(' ').next(), Some("50000"))
}

fn stats(podman: &Podman<'_>) -> Outcome {
    podman.service("box", &["--memory=64m"])?;
    let format = "{{.PIDs}} {{.MemUsage}}";
    let output = podman.podman(&["stats", "--no-stream", "--format", format, "box"])?.ok()?;
    let text = clean(&output.stdout());
    // The shell and its `sleep`.
    ensure_eq(&format!("{text}: processes"), text.split(' ').next(), Some("2"))?;
    ensure_eq(&format!("{text}: the limit"), text.ends_with("/ 67.11MB"), true)
}

fn parent(podman: &Podman<'_>) -> Outcome {
    podman.service("box", &["--cgroupns=host"])?;
    let (pid, _fd) = podman.process("box")?;
    let id = podman.inspect("box", "{{.Id}}")?;
    let expected = format!("/{}/libpod-{id}", crate::sandbox::cgroup(podman.rt));
    let all = std::fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    let paths: Vec<&str> = all.lines().filter_map(|line| line.splitn(3, ':').nth(2)).collect();
    // A hierarchy without controllers may be left alone by the runtime.
    let named = paths.iter().filter(|path| clean(path) == expected).count();
    ensure_eq(&format!("the cgroups {paths:?} are {expected}"), named * 2 > paths.len(), true)
}

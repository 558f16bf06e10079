//! `config-linux.md#cgroups-path` and `#control-groups`: placement and limits.

use std::fs;

use anyhow::Context;
use harness::{Bundle, Cases, Outcome, Runtime, bundle, cgroup, ensure_eq, expected, skip};
use serde_json::{Value, json};

pub(crate) fn register(cases: &mut Cases) {
    cases.section("config-linux.md#cgroups-path", "1.0.0");
    placement(cases);
    cases.section("config-linux.md#control-groups", "1.0.0");
    limits(cases);
    bad_limits(cases);
    cases.section("config-linux.md#pids", "1.3.0");
    cases.must(&["I21"], "a pids limit of 0 is a limit (before 1.3 it was none)", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/resources/pids/limit", 0);
        let pid = running(rt, &mut bundle)?;
        let found = cgroup::read(pid, controller("pids"), "pids.max")?;
        // Neither lets the process make another.
        ensure_eq(
            &format!("pids.max {found} is 0 or 1"),
            ["0", "1"].contains(&found.as_str()),
            true,
        )
    });
    cases.section("config-linux.md#unified", "1.1.0");
    unified(cases);
}

fn running(rt: &Runtime, bundle: &mut Bundle) -> anyhow::Result<i32> {
    rt.running(bundle)?;
    rt.pid()
}

fn any_controller() -> &'static str {
    if expected::cgroup_kind() == "v2" { "" } else { "memory" }
}

fn placement(cases: &mut Cases) {
    cases.must(
        &["H01", "H04"],
        "an absolute cgroupsPath is taken from the root of each hierarchy",
        |rt| {
            let mut bundle = rt.bundle()?;
            let path = format!("/{}/deep", rt.id());
            bundle.set("/linux/cgroupsPath", path.as_str());
            let pid = running(rt, &mut bundle)?;
            let expected = cgroup::hierarchy(any_controller()).join(path.trim_start_matches('/'));
            ensure_eq("cgroup", cgroup::directory(pid, any_controller())?, expected)?;
            rt.delete(&["--force"])?.ok()?;
            remove_parents(rt.id());
            Ok(())
        },
    );
    cases.must(
        &["H01"],
        "a relative cgroupsPath is a place of the runtime's choice with that name",
        |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set("/linux/cgroupsPath", rt.id());
            let pid = running(rt, &mut bundle)?;
            ensure_eq(
                "the cgroup's name",
                cgroup::directory(pid, any_controller())?.ends_with(rt.id()),
                true,
            )
        },
    );
    cases.must(
        &["H01", "H04"],
        "without cgroupsPath the container has a cgroup of its own",
        |rt| {
            let mut bundle = rt.bundle()?;
            let pid = running(rt, &mut bundle)?;
            let own = cgroup::directory(std::process::id().cast_signed(), any_controller())?;
            ensure_eq(
                "is the caller's cgroup",
                cgroup::directory(pid, any_controller())? == own,
                false,
            )
        },
    );
    cases.must(
        &["H01"],
        "two containers with the same relative cgroupsPath are refused, or share it",
        |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set("/linux/cgroupsPath", rt.id()).probe(&["sleep-until-signal"]);
            rt.create(&bundle, &[])?.ok()?;
            let other = format!("{}-other", rt.id());
            let second = rt.create_as(&other, &bundle, &[])?;
            if second.code != 0 {
                second.refused()?;
            }
            ensure_eq("status of the first", rt.status()?.as_str(), "created")
        },
    );
    for controller in [
        "cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd",
        "hugetlb",
    ] {
        cases.must(
            &["H03", "H05"],
            format!("the process is in the container's cgroup of the hierarchy {controller}"),
            move |rt| {
                if expected::cgroup_kind() == "v2" || !cgroup::has(controller) {
                    return skip("no such v1 hierarchy");
                }
                let pid = running(rt, &mut rt.bundle()?)?;
                let own = cgroup::directory(std::process::id().cast_signed(), controller)?;
                ensure_eq(
                    "is the caller's cgroup",
                    cgroup::directory(pid, controller)? == own,
                    false,
                )
            },
        );
    }
    cases.section("cli#cgroups", "");
    cases.cli(&["H17"], "delete removes cgroups that were made below the container's", |rt| {
        let pid = running(rt, &mut rt.bundle()?)?;
        fs::create_dir_all(cgroup::directory(pid, any_controller())?.join("nested/deeper"))?;
        rt.delete(&["--force"])?.ok().map(drop)
    });
    cases.cli(
        &["B30", "H17"],
        "delete --force ends what came into the cgroup from outside",
        crate::strangers::delete,
    );
    cases
        .cli(&["H18"], "a limit is set although all cgroups above are new", |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set("/linux/cgroupsPath", format!("/{}/deep", rt.id()));
            bundle.set("/linux/resources/pids/limit", 77);
            let pid = running(rt, &mut bundle)?;
            let found = cgroup::read(pid, controller("pids"), "pids.max")?;
            rt.delete(&["--force"])?.ok()?;
            remove_parents(rt.id());
            ensure_eq("pids.max", found.as_str(), "77")
        })
        .mutation(|config| bundle::remove(config, "/linux/resources/pids"));
    cases.section("config-linux.md#cgroups-path", "1.0.0");
}

/// Removes the test's own directory above a container's cgroup.
fn remove_parents(id: &str) {
    for entry in fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
        let _absent = fs::remove_dir(entry.path().join(id));
    }
    let _absent = fs::remove_dir(format!("/sys/fs/cgroup/{id}"));
}

/// v1 controller, file and content; v2 file and content.
#[derive(Clone, Copy)]
struct Shown {
    controller: &'static str,
    v1: (&'static str, &'static str),
    v2: (&'static str, &'static str),
}

/// A file that is the same in v1 and v2.
fn v(controller: &'static str, file: &'static str, content: &'static str) -> Shown {
    Shown { controller, v1: (file, content), v2: (file, content) }
}

fn both(
    controller: &'static str,
    v1: (&'static str, &'static str),
    v2: (&'static str, &'static str),
) -> Shown {
    Shown { controller, v1, v2 }
}

fn limits(cases: &mut Cases) {
    let table: Vec<(&[&str], &str, Value, Shown)> = vec![
        (
            &["I04"],
            "memory/limit",
            json!(64 << 20),
            both("memory", ("memory.limit_in_bytes", "67108864"), ("memory.max", "67108864")),
        ),
        (
            &["I04"],
            "memory/reservation",
            json!(32 << 20),
            both("memory", ("memory.soft_limit_in_bytes", "33554432"), ("memory.low", "33554432")),
        ),
        (
            &["I06"],
            "memory/swappiness",
            json!(17),
            both("memory", ("memory.swappiness", "17"), ("", "")),
        ),
        (
            &["I06"],
            "memory/disableOOMKiller",
            json!(true),
            both("memory", ("memory.oom_control", "oom_kill_disable 1"), ("", "")),
        ),
        (
            &["I09"],
            "cpu/shares",
            json!(512),
            both("cpu", ("cpu.shares", "512"), ("cpu.weight", "59")),
        ),
        (
            &["I10"],
            "cpu/quota",
            json!(50_000),
            both("cpu", ("cpu.cfs_quota_us", "50000"), ("cpu.max", "50000 100000")),
        ),
        (
            &["I10"],
            "cpu/period",
            json!(50_000),
            both("cpu", ("cpu.cfs_period_us", "50000"), ("cpu.max", "max 50000")),
        ),
        (&["I14"], "cpu/cpus", json!("0"), v("cpuset", "cpuset.cpus", "0")),
        (&["I14"], "cpu/mems", json!("0"), v("cpuset", "cpuset.mems", "0")),
        (&["I12"], "cpu/idle", json!(1), v("cpu", "cpu.idle", "1")),
        (&["I21"], "pids/limit", json!(77), v("pids", "pids.max", "77")),
        (&["I21"], "pids/limit", json!(-1), v("pids", "pids.max", "max")),
    ];
    for (rows, name, value, shown) in table {
        let pointer = format!("/linux/resources/{name}");
        let case = cases.must(rows, format!("the limit {name} {value} is set"), move |rt| {
            limit(rt, &pointer, &value, &shown)
        });
        if name != "pids/limit" && !name.starts_with("cpu/cpus") && !name.starts_with("cpu/mems") {
            case.mutation(|config| {
                config["linux"]["resources"] =
                    json!({ "devices": [{ "allow": false, "access": "rwm" }] });
            });
        }
    }
    cases.must(&["I11"], "the limit cpu/burst is set together with its quota", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set(
            "/linux/resources/cpu",
            json!({ "quota": 50_000, "period": 100_000, "burst": 20_000 }),
        );
        let pid = running(rt, &mut bundle)?;
        let file =
            if expected::cgroup_kind() == "v2" { "cpu.max.burst" } else { "cpu.cfs_burst_us" };
        ensure_eq(file, cgroup::read(pid, controller("cpu"), file)?.as_str(), "20000")
    });
    cases.must(&["I10"], "quota and period are set together", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/resources/cpu", json!({ "quota": 20_000, "period": 40_000 }));
        let pid = running(rt, &mut bundle)?;
        if expected::cgroup_kind() == "v2" {
            return ensure_eq("cpu.max", cgroup::read(pid, "", "cpu.max")?.as_str(), "20000 40000");
        }
        ensure_eq("quota", cgroup::read(pid, "cpu", "cpu.cfs_quota_us")?.as_str(), "20000")?;
        ensure_eq("period", cgroup::read(pid, "cpu", "cpu.cfs_period_us")?.as_str(), "40000")
    });
    cases
        .must(
            &["I21"],
            "a program that makes more processes than its limit is stopped from it",
            |rt| {
                let mut bundle = rt.bundle()?;
                bundle
                    .set("/linux/resources/pids/limit", 10)
                    .shell("for i in $(seq 20); do sleep 5 & done; exit 0");
                let output = rt.run(&bundle, &[])?;
                harness::ensure_contains("errors of the shell", &output.stderr(), "fork")
            },
        )
        .mutation(|config| bundle::remove(config, "/linux/resources/pids"));
    cases
        .must(&["I04"], "a program that uses more memory than its limit is killed", |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set("/linux/resources/memory", json!({ "limit": 16 << 20 }));
            bundle.shell("dd if=/dev/zero of=/dev/null bs=200M count=1");
            let code = rt.run(&bundle, &[])?.code;
            ensure_eq("the shell reports a failure", code != 0, true)
        })
        .mutation(|config| bundle::remove(config, "/linux/resources/memory"));
    hugepages(cases);
}

fn hugepages(cases: &mut Cases) {
    cases.must(&["I18"], "the limit of huge pages is set", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set(
            "/linux/resources/hugepageLimits",
            json!([{ "pageSize": "2MB", "limit": 4 << 20 }]),
        );
        let pid = running(rt, &mut bundle)?;
        let file = if expected::cgroup_kind() == "v2" {
            "hugetlb.2MB.max"
        } else {
            "hugetlb.2MB.limit_in_bytes"
        };
        ensure_eq(file, cgroup::read(pid, controller("hugetlb"), file)?.as_str(), "4194304")
    });
    cases.must(&["I18"], "a huge page size that the host does not have is refused", |rt| {
        refuse(rt, "/linux/resources/hugepageLimits", json!([{ "pageSize": "3MB", "limit": 0 }]))
    });
}

fn controller(name: &'static str) -> &'static str {
    if expected::cgroup_kind() == "v2" { "" } else { name }
}

fn limit(rt: &Runtime, pointer: &str, value: &Value, shown: &Shown) -> Outcome {
    let is_v2 = expected::cgroup_kind() == "v2";
    let (file, content) = if is_v2 { shown.v2 } else { shown.v1 };
    if file.is_empty() {
        return skip("no such limit in this version of cgroups");
    }
    if !cgroup::has(shown.controller) {
        return skip("no such controller here");
    }
    let mut bundle = rt.bundle()?;
    bundle.set(pointer, value.clone());
    let pid = running(rt, &mut bundle)?;
    let found = cgroup::read(pid, controller(shown.controller), file)?;
    // Files of several lines: the one that is meant.
    let line = found
        .lines()
        .find(|line| *line == content)
        .or_else(|| found.lines().next())
        .unwrap_or_default();
    ensure_eq(file, line, content)
}

fn refuse(rt: &Runtime, pointer: &str, value: Value) -> Outcome {
    let mut bundle = rt.bundle()?;
    bundle.set(pointer, value);
    rt.run(&bundle, &[])?.refused().map(drop)
}

fn bad_limits(cases: &mut Cases) {
    for (name, pointer, value) in [
        (
            "cpus that the host does not have are refused",
            "/linux/resources/cpu/cpus",
            json!("4000"),
        ),
        ("cpus that are no list are refused", "/linux/resources/cpu/cpus", json!("x")),
        ("a cpu period out of range is refused", "/linux/resources/cpu/period", json!(1)),
        ("a memory limit of one byte is refused", "/linux/resources/memory/limit", json!(1)),
        ("a swappiness above 100 is refused", "/linux/resources/memory/swappiness", json!(1000)),
    ] {
        cases
            .must(&["C25"], name, move |rt| refuse(rt, pointer, value.clone()))
            .mutation(|config| bundle::remove(config, "/linux/resources"));
    }
    cases
        .must(&["I04"], "a swap limit below the memory limit is refused", |rt| {
            refuse(rt, "/linux/resources/memory", json!({ "limit": 64 << 20, "swap": 32 << 20 }))
        })
        .mutation(|config| bundle::remove(config, "/linux/resources"));
}

fn unified(cases: &mut Cases) {
    cases.must(&["I24"], "a key of a controller that is not there is refused", |rt| {
        refuse(rt, "/linux/resources/unified", json!({ "no-such-controller.max": "1" }))
    });
    cases.must(&["I24"], "a key with a slash is refused", |rt| {
        refuse(rt, "/linux/resources/unified", json!({ "../cgroup.procs": "1" }))
    });
    cases.must(&["I26"], "the lines of a unified value are written one by one", |rt| {
        if expected::cgroup_kind() != "v2" {
            return skip("no controllers in the unified hierarchy");
        }
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/resources/unified", json!({ "memory.high": "67108864\n33554432" }));
        let pid = running(rt, &mut bundle)?;
        ensure_eq("memory.high", cgroup::read(pid, "", "memory.high")?.as_str(), "33554432")
    });
    cases.must(&["I23"], "a key of the unified hierarchy is written", |rt| {
        if expected::cgroup_kind() != "v2" {
            return skip("no controllers in the unified hierarchy");
        }
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/resources/unified", json!({ "memory.high": "33554432" }));
        let pid = running(rt, &mut bundle)?;
        ensure_eq(
            "memory.high",
            cgroup::read(pid, "", "memory.high").context("read it")?.as_str(),
            "33554432",
        )
    });
}

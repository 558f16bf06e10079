//! `config-linux.md#control-groups`: the rarer limits, and those that `update` changes from a file.

use std::fs;

use harness::{Cases, Outcome, Runtime, cgroup, ensure_contains, ensure_eq, expected, skip};
use serde_json::{Value, json};

pub(crate) fn register(cases: &mut Cases) {
    cases.section("config-linux.md#memory", "1.0.0");
    memory(cases);
    cases.section("config-linux.md#block-io", "1.0.0");
    block_io(cases);
    cases.section("config-linux.md#control-groups", "1.0.0");
    others(cases);
    cases.section("cli#update", "");
    update(cases);
}

fn is_v2() -> bool {
    expected::cgroup_kind() == "v2"
}

/// Creates a container with these resources, and compares a file of its cgroup.
fn shows(rt: &Runtime, resources: &Value, controller: &str, file: &str, content: &str) -> Outcome {
    let mut bundle = rt.bundle()?;
    for (name, value) in resources.as_object().into_iter().flatten() {
        bundle.set(&format!("/linux/resources/{name}"), value.clone());
    }
    rt.running(&mut bundle)?;
    let found = cgroup::read(rt.pid()?, if is_v2() { "" } else { controller }, file)?;
    ensure_contains(file, &found, content)
}

fn only_v1(controller: &str) -> Outcome {
    if is_v2() || !cgroup::has(controller) { skip("no such v1 hierarchy") } else { Ok(()) }
}

fn memory(cases: &mut Cases) {
    cases.must(&["I04"], "memory and swap are limited together", |rt| {
        let resources = json!({ "memory": { "limit": 64 << 20, "swap": 96 << 20 } });
        if is_v2() {
            return shows(rt, &resources, "memory", "memory.swap.max", "33554432");
        }
        shows(rt, &resources, "memory", "memory.memsw.limit_in_bytes", "100663296")
    });
    cases.must(&["I05"], "swap -1 is no limit of swap", |rt| {
        let resources = json!({ "memory": { "limit": 64 << 20, "swap": -1 } });
        if is_v2() {
            return shows(rt, &resources, "memory", "memory.swap.max", "max");
        }
        shows(rt, &resources, "memory", "memory.memsw.limit_in_bytes", "9223372036854771712")
    });
    cases.must(&["I05"], "limit -1 is no limit of memory", |rt| {
        let file = if is_v2() {
            ("memory.max", "max")
        } else {
            ("memory.limit_in_bytes", "9223372036854771712")
        };
        shows(rt, &json!({ "memory": { "limit": -1 } }), "memory", file.0, file.1)
    });
    cases.must(&["I06"], "useHierarchy is accepted", |rt| {
        only_v1("memory")?;
        shows(
            rt,
            &json!({ "memory": { "useHierarchy": true } }),
            "memory",
            "memory.use_hierarchy",
            "1",
        )
    });
    for field in ["kernel", "kernelTCP"] {
        cases.may(
            &["I07"],
            format!("the limit memory/{field} is accepted, with effect or without"),
            move |rt| {
                let mut bundle = rt.bundle()?;
                bundle.set(&format!("/linux/resources/memory/{field}"), 64 << 20);
                rt.report(&bundle).map(drop)
            },
        );
    }
    for field in ["limit", "reservation", "swap", "kernel", "kernelTCP", "swappiness"] {
        cases.must(&["I04"], format!("null as memory/{field} asks for nothing"), move |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set(&format!("/linux/resources/memory/{field}"), Value::Null);
            rt.report(&bundle).map(drop)
        });
    }
    cases.section("config-linux.md#memory", "1.1.0");
    cases.must(&["I08"], "with checkBeforeUpdate a limit below what is used is refused, and nothing is killed", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/resources/memory", json!({ "limit": 64 << 20 }));
        // A file of a tmpfs is memory that cannot be taken back.
        bundle.shell("dd if=/dev/zero of=/dev/shm/file bs=1M count=8 2>/dev/null; echo ready; exec sleep 100");
        let created = rt.create(&bundle, &[])?.ok()?;
        rt.start()?.ok()?;
        harness::wait::directory(rt.directory(), || Ok(created.stdout().contains("ready").then_some(())))?;
        let text = json!({ "memory": { "limit": 4 << 20, "checkBeforeUpdate": true } }).to_string();
        rt.finish(rt.call(["update", "--resources", "-", rt.id()]).stdin(text))?.refused()?;
        ensure_eq("status", rt.status()?.as_str(), "running")
    });
}

/// Numbers of a block device that is no partition.
fn disk() -> anyhow::Result<(u64, u64)> {
    for entry in fs::read_dir("/sys/block")?.flatten() {
        let number = fs::read_to_string(entry.path().join("dev")).unwrap_or_default();
        if let Some((major, minor)) = number.trim().split_once(':') {
            let (major, minor) = (major.parse()?, minor.parse()?);
            // Neither loop nor memory devices, which may come and go.
            if ![7, 1].contains(&major) && !entry.file_name().to_string_lossy().starts_with("zram")
            {
                return Ok((major, minor));
            }
        }
    }
    skip("no disk on this machine")
}

const THROTTLE: [(&str, &str, &str); 4] = [
    ("throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps="),
    ("throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "wbps="),
    ("throttleReadIOPSDevice", "blkio.throttle.read_iops_device", "riops="),
    ("throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "wiops="),
];

fn block_io(cases: &mut Cases) {
    for (field, file, key) in THROTTLE {
        cases.must(&["I17"], format!("the limit blockIO/{field} is set"), move |rt| {
            let (major, minor) = disk()?;
            if !cgroup::has(if is_v2() { "io" } else { "blkio" }) {
                return skip("no such controller here");
            }
            let device = json!({ "blockIO": { field: [{ "major": major, "minor": minor, "rate": 1_048_576 }] } });
            if is_v2() {
                return shows(rt, &device, "", "io.max", &format!("{key}1048576"));
            }
            shows(rt, &device, "blkio", file, &format!("{major}:{minor} 1048576"))
        });
    }
    cases.must(
        &["I15"],
        "the limit blockIO/weight is set where the kernel has weights, else refused",
        |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set("/linux/resources/blockIO/weight", 500).probe(&["sleep-until-signal"]);
            let created = rt.create(&bundle, &[])?;
            if created.code != 0 {
                return created.refused().map(drop);
            }
            let pid = rt.pid()?;
            let files = ["io.weight", "io.bfq.weight", "blkio.weight", "blkio.bfq.weight"];
            let controller = if is_v2() { "" } else { "blkio" };
            let found: Vec<String> =
                files.iter().filter_map(|file| cgroup::read(pid, controller, file).ok()).collect();
            // 10 to 1000 becomes 1 to 10000 in v2.
            let fits = found.iter().any(|text| {
                ["500", "default 500", "4950", "default 4950"].contains(&text.as_str())
            });
            ensure_eq(&format!("one of the weights {found:?} is 500, or 4950 of 10000"), fits, true)
        },
    );
    cases.must(&["I15"], "a weight above 1000 is refused", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/resources/blockIO/weight", 5000);
        rt.run(&bundle, &[])?.refused().map(drop)
    });
    cases.must(&["I17"], "a limit of a device that does not exist is refused", |rt| {
        let mut bundle = rt.bundle()?;
        let device = json!([{ "major": 4095, "minor": 7, "rate": 1000 }]);
        bundle.set("/linux/resources/blockIO/throttleReadBpsDevice", device);
        rt.run(&bundle, &[])?.refused().map(drop)
    });
}

fn others(cases: &mut Cases) {
    cases.must(
        &["I13"],
        "realtimeRuntime and realtimePeriod are set on v1, and refused on v2",
        |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set("/linux/cgroupsPath", format!("/{}", rt.id()));
            bundle.set(
                "/linux/resources/cpu",
                json!({ "realtimeRuntime": 1000, "realtimePeriod": 500_000 }),
            );
            if is_v2() {
                return rt.run(&bundle, &[])?.refused().map(drop);
            }
            rt.running(&mut bundle)?;
            ensure_eq(
                "runtime",
                cgroup::read(rt.pid()?, "cpu", "cpu.rt_runtime_us")?.as_str(),
                "1000",
            )?;
            ensure_eq(
                "period",
                cgroup::read(rt.pid()?, "cpu", "cpu.rt_period_us")?.as_str(),
                "500000",
            )
        },
    );
    cases.must(
        &["I19"],
        "the limit of huge pages is that of reservations too, where the kernel has it",
        |rt| {
            if !cgroup::has("hugetlb") {
                return skip("no such controller here");
            }
            let file =
                if is_v2() { "hugetlb.2MB.rsvd.max" } else { "hugetlb.2MB.rsvd.limit_in_bytes" };
            let limits = json!({ "hugepageLimits": [{ "pageSize": "2MB", "limit": 4 << 20 }] });
            shows(rt, &limits, "hugetlb", file, "4194304")
        },
    );
    for (name, resources) in [
        ("network/classID", json!({ "network": { "classID": 0x10_0001 } })),
        (
            "network/priorities",
            json!({ "network": { "priorities": [{ "name": "lo", "priority": 3 }] } }),
        ),
    ] {
        cases.must(
            &["I20"],
            format!("the limit {name} is set, or refused where there is no such controller"),
            move |rt| {
                let mut bundle = rt.bundle()?;
                for (key, value) in resources.as_object().into_iter().flatten() {
                    bundle.set(&format!("/linux/resources/{key}"), value.clone());
                }
                let output = rt.run(&bundle, &[])?;
                let there = cgroup::has("net_cls") || cgroup::has("net_prio");
                if there { output.ok().map(drop) } else { output.refused().map(drop) }
            },
        );
    }
    cases.must(
        &["I22"],
        "the limit rdma is set, or refused where there is no such controller",
        |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set(
                "/linux/resources/rdma",
                json!({ "mlx5_1": { "hcaHandles": 3, "hcaObjects": 1000 } }),
            );
            let output = rt.run(&bundle, &[])?;
            if cgroup::has("rdma") { Ok(()) } else { output.refused().map(drop) }
        },
    );
    cases.must(
        &["I01"],
        "resources that are an empty object ask for nothing but the default devices",
        |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set("/linux/resources", json!({}));
            rt.report(&bundle).map(drop)
        },
    );
    cases.section("cli#cgroups", "");
    cases.cli(&["I10"], "zeros of engines in cpu ask for nothing", |rt| {
        let mut bundle = rt.bundle()?;
        let zeros = json!({ "shares": 0, "quota": 0, "period": 0, "cpus": "", "mems": "" });
        bundle.set("/linux/resources/cpu", zeros);
        rt.report(&bundle).map(drop)
    });
    cases.cli(&["I14"], "a cpuset is usable although its parents are new", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/cgroupsPath", format!("/{}/deep/deeper", rt.id()));
        rt.report(&bundle)?;
        for entry in fs::read_dir("/sys/fs/cgroup")?.flatten() {
            let _absent = fs::remove_dir(entry.path().join(rt.id()).join("deep"));
            let _absent = fs::remove_dir(entry.path().join(rt.id()));
        }
        let _absent = fs::remove_dir(format!("/sys/fs/cgroup/{}/deep", rt.id()));
        let _absent = fs::remove_dir(format!("/sys/fs/cgroup/{}", rt.id()));
        Ok(())
    });
}

fn update(cases: &mut Cases) {
    cases.cli(&["B67"], "update --cpu-burst changes the burst", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/resources/cpu", json!({ "quota": 50_000, "period": 100_000 }));
        rt.running(&mut bundle)?;
        rt.command(&["update", "--cpu-burst=20000", rt.id()])?.ok()?;
        let (controller, file) =
            if is_v2() { ("", "cpu.max.burst") } else { ("cpu", "cpu.cfs_burst_us") };
        ensure_eq(file, cgroup::read(rt.pid()?, controller, file)?.as_str(), "20000")
    });
    cases.cli(&["B69"], "update --cpu-rt-runtime changes the realtime runtime", |rt| {
        only_v1("cpu")?;
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/cgroupsPath", format!("/{}", rt.id()));
        rt.running(&mut bundle)?;
        rt.command(&["update", "--cpu-rt-period=1000000", "--cpu-rt-runtime=1000", rt.id()])?
            .ok()?;
        ensure_eq("runtime", cgroup::read(rt.pid()?, "cpu", "cpu.rt_runtime_us")?.as_str(), "1000")
    });
    cases.cli(
        &["B71"],
        "update --memory and --memory-swap change both, whatever their order",
        |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set("/linux/resources/memory", json!({ "limit": 32 << 20, "swap": 32 << 20 }));
            rt.running(&mut bundle)?;
            rt.command(&["update", "--memory=67108864", "--memory-swap=100663296", rt.id()])?
                .ok()?;
            let pid = rt.pid()?;
            if is_v2() {
                ensure_eq("memory.max", cgroup::read(pid, "", "memory.max")?.as_str(), "67108864")?;
                return ensure_eq(
                    "memory.swap.max",
                    cgroup::read(pid, "", "memory.swap.max")?.as_str(),
                    "33554432",
                );
            }
            ensure_eq(
                "limit",
                cgroup::read(pid, "memory", "memory.limit_in_bytes")?.as_str(),
                "67108864",
            )?;
            ensure_eq(
                "swap",
                cgroup::read(pid, "memory", "memory.memsw.limit_in_bytes")?.as_str(),
                "100663296",
            )
        },
    );
    cases.cli(&["B75"], "update --resources changes the limits of a device", |rt| {
        let (major, minor) = disk()?;
        if !cgroup::has(if is_v2() { "io" } else { "blkio" }) {
            return skip("no such controller here");
        }
        rt.running(&mut rt.bundle()?)?;
        let rates = json!([{ "major": major, "minor": minor, "rate": 2_097_152 }]);
        let text = json!({ "blockIO": { "throttleWriteBpsDevice": rates } }).to_string();
        rt.finish(rt.call(["update", "--resources", "-", rt.id()]).stdin(text))?.ok()?;
        let (controller, file) =
            if is_v2() { ("", "io.max") } else { ("blkio", "blkio.throttle.write_bps_device") };
        ensure_contains(file, &cgroup::read(rt.pid()?, controller, file)?, "2097152")
    });
    cases.cli(&["B73"], "update of one limit leaves the others", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/resources/memory/limit", 64 << 20);
        rt.running(&mut bundle)?;
        rt.command(&["update", "--pids-limit=77", rt.id()])?.ok()?;
        let (controller, file) =
            if is_v2() { ("", "memory.max") } else { ("memory", "memory.limit_in_bytes") };
        ensure_eq(file, cgroup::read(rt.pid()?, controller, file)?.as_str(), "67108864")
    });
}

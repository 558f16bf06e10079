//! `config.md#linux-process` and `config-linux.md`: scheduler, I/O priority, affinity, personality, memory policy.

use harness::{Cases, Outcome, Runtime, bundle, ensure_eq};
use serde_json::{Value, json};

pub(crate) fn register(cases: &mut Cases) {
    cases.section("config.md#linux-process", "1.1.0");
    scheduler(cases);
    for (class, number) in
        [("IOPRIO_CLASS_RT", 1), ("IOPRIO_CLASS_BE", 2), ("IOPRIO_CLASS_IDLE", 3)]
    {
        let priority = if number == 3 { 0 } else { 6 };
        cases
            .must(&["E15"], format!("ioPriority of the class {class} is set"), move |rt| {
                let mut bundle = rt.bundle()?;
                bundle.set("/process/ioPriority", json!({ "class": class, "priority": priority }));
                let seen = rt.report(&bundle)?;
                ensure_eq("class", seen.at("/ioprio/class").as_i64(), Some(number))?;
                // The kernel keeps no priority of the idle class.
                if number == 3 {
                    Ok(())
                } else {
                    ensure_eq("priority", seen.at("/ioprio/priority").as_i64(), Some(priority))
                }
            })
            .mutation(|config| bundle::remove(config, "/process/ioPriority"));
    }
    cases.must(&["E15"], "ioPriority of an unknown class is refused", |rt| {
        refuse(rt, "/process/ioPriority", json!({ "class": "IOPRIO_CLASS_NONE_OF", "priority": 1 }))
    });
    cases.must(&["E15"], "ioPriority above 7 is refused", |rt| {
        refuse(rt, "/process/ioPriority", json!({ "class": "IOPRIO_CLASS_BE", "priority": 8 }))
    });
    cases.section("config.md#linux-process", "1.2.1");
    for field in ["initial", "final"] {
        cases.must(
            &["E16"],
            format!("execCPUAffinity.{field} does not change the container's first process"),
            move |rt| {
                let mut bundle = rt.bundle()?;
                let before = rt.report(&bundle)?.at("/affinity").clone();
                bundle.set("/process/execCPUAffinity", json!({ field: "0" }));
                ensure_eq("affinity", rt.report(&bundle)?.at("/affinity").clone(), before)
            },
        );
    }
    cases.section("cli#affinity", "");
    cases
        .cli(
            &["E17"],
            "the process may run on all processors of its cgroup, whatever the caller's affinity",
            affinity,
        )
        .alone();
    personality(cases);
    memory_policy(cases);
}

fn refuse(rt: &Runtime, pointer: &str, value: Value) -> Outcome {
    let mut bundle = rt.bundle()?;
    bundle.set(pointer, value);
    rt.run(&bundle, &[])?.refused().map(drop)
}

fn scheduler(cases: &mut Cases) {
    // FIFO and RR inside a v1 cpu cgroup need a realtimeRuntime, which is taken from the machine's share.
    for (policy, fields, expected) in [
        ("SCHED_OTHER", json!({ "nice": 5 }), json!({ "nice": 5 })),
        ("SCHED_OTHER", json!({ "nice": -5 }), json!({ "nice": -5 })),
        ("SCHED_BATCH", json!({ "nice": 7 }), json!({ "nice": 7 })),
        ("SCHED_IDLE", json!({}), json!({})),
        ("SCHED_FIFO", json!({ "priority": 3 }), json!({ "priority": 3 })),
        ("SCHED_RR", json!({ "priority": 4 }), json!({ "priority": 4 })),
        (
            "SCHED_DEADLINE",
            json!({ "runtime": 1_000_000, "deadline": 20_000_000, "period": 40_000_000 }),
            json!({ "runtime": 1_000_000, "deadline": 20_000_000, "period": 40_000_000 }),
        ),
    ] {
        let name = format!("the scheduler {policy} is set with {fields}");
        cases
            .must(&["E14"], name, move |rt| {
                let mut bundle = rt.bundle()?;
                let mut wanted = fields.clone();
                wanted["policy"] = json!(policy);
                bundle.set("/process/scheduler", wanted);
                let has_budget = harness::cgroup::hierarchy("cpu").join("cgroup.procs").exists();
                if ["SCHED_FIFO", "SCHED_RR"].contains(&policy) && has_budget {
                    // Directly below the root, whose budget is the only one.
                    bundle.set("/linux/cgroupsPath", format!("/{}", rt.id()));
                    bundle.set(
                        "/linux/resources/cpu",
                        json!({ "realtimeRuntime": 1000, "realtimePeriod": 1_000_000 }),
                    );
                }
                let seen = rt.report(&bundle)?;
                ensure_eq("policy", seen.text("/scheduler/policy"), policy)?;
                for (field, value) in expected.as_object().into_iter().flatten() {
                    ensure_eq(field, seen.at(&format!("/scheduler/{field}")), value)?;
                }
                Ok(())
            })
            .mutation(|config| bundle::remove(config, "/process/scheduler"));
    }
    for (flag, bit) in
        [("SCHED_FLAG_RESET_ON_FORK", 1), ("SCHED_FLAG_RECLAIM", 2), ("SCHED_FLAG_DL_OVERRUN", 4)]
    {
        cases.must(&["E14"], format!("the scheduler's flag {flag} is set"), move |rt| {
            let mut bundle = rt.bundle()?;
            let wanted = if bit == 1 {
                json!({ "policy": "SCHED_OTHER", "nice": 1, "flags": [flag] })
            } else {
                json!({ "policy": "SCHED_DEADLINE", "runtime": 1_000_000, "deadline": 20_000_000, "period": 40_000_000, "flags": [flag] })
            };
            bundle.set("/process/scheduler", wanted);
            let flags = rt.report(&bundle)?.at("/scheduler/flags").as_i64().unwrap_or(0);
            ensure_eq("the flag", flags & bit, bit)
        });
    }
    cases.must(&["E14"], "an unknown scheduler policy is refused", |rt| {
        refuse(rt, "/process/scheduler", json!({ "policy": "SCHED_NONE" }))
    });
    cases.must(&["E14"], "a nice value out of range is refused", |rt| {
        refuse(rt, "/process/scheduler", json!({ "policy": "SCHED_OTHER", "nice": 40 }))
    });
}

fn affinity(rt: &Runtime) -> Outcome {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let before = sched_getaffinity(None)?;
    let mut one = CpuSet::new();
    one.set(0);
    sched_setaffinity(None, &one)?;
    let seen = rt.report(&rt.bundle()?);
    sched_setaffinity(None, &before)?;
    let found = seen?.at("/affinity").as_array().map_or(0, Vec::len);
    ensure_eq("processors", found, usize::try_from(before.count())?)
}

fn personality(cases: &mut Cases) {
    cases.section("config-linux.md#personality", "1.0.0");
    cases
        .must(&["J07"], "the personality LINUX32 is set", |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set("/linux/personality", json!({ "domain": "LINUX32" }));
            ensure_eq("personality", rt.report(&bundle)?.at("/personality").as_i64(), Some(8))
        })
        .mutation(|config| bundle::remove(config, "/linux/personality"));
    cases.must(&["J07"], "the personality LINUX is set", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/personality", json!({ "domain": "LINUX" }));
        ensure_eq("personality", rt.report(&bundle)?.at("/personality").as_i64(), Some(0))
    });
    cases.must(&["J07"], "an unknown personality is refused", |rt| {
        refuse(rt, "/linux/personality", json!({ "domain": "BSD" }))
    });
    cases.must(&["J08"], "the personality is set under a filter that denies the call", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/personality", json!({ "domain": "LINUX32" }));
        let rule = json!({ "names": ["personality"], "action": "SCMP_ACT_ERRNO",
                           "args": [{ "index": 0, "value": 8, "op": "SCMP_CMP_EQ" }] });
        bundle.set(
            "/linux/seccomp",
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] }),
        );
        ensure_eq("personality", rt.report(&bundle)?.at("/personality").as_i64(), Some(8))
    });
}

/// Mode in the config, number of the kernel, nodes.
const MODES: [(&str, i64, &str); 7] = [
    ("MPOL_DEFAULT", 0, ""),
    ("MPOL_PREFERRED", 1, "0"),
    ("MPOL_BIND", 2, "0"),
    ("MPOL_INTERLEAVE", 3, "0"),
    ("MPOL_LOCAL", 4, ""),
    ("MPOL_PREFERRED_MANY", 5, "0"),
    ("MPOL_WEIGHTED_INTERLEAVE", 6, "0"),
];

fn memory_policy(cases: &mut Cases) {
    cases.section("config-linux.md#memory-policy", "1.3.0");
    for (mode, number, nodes) in MODES {
        let case = cases.must(&["J06"], format!("the memory policy {mode} is set"), move |rt| {
            if rustix::fs::access("/sys/devices/system/node/node0", rustix::fs::Access::EXISTS)
                .is_err()
            {
                return harness::skip("the kernel has no NUMA policies");
            }
            let mut bundle = rt.bundle()?;
            let mut policy = json!({ "mode": mode });
            if !nodes.is_empty() {
                policy["nodes"] = json!(nodes);
            }
            bundle.set("/linux/memoryPolicy", policy);
            ensure_eq("mode", rt.report(&bundle)?.at("/mempolicy/mode").as_i64(), Some(number))
        });
        if number > 0 {
            case.mutation(|config| bundle::remove(config, "/linux/memoryPolicy"));
        }
    }
    for (flag, bit) in [
        ("MPOL_F_NUMA_BALANCING", 1_i64 << 13),
        ("MPOL_F_RELATIVE_NODES", 1 << 14),
        ("MPOL_F_STATIC_NODES", 1 << 15),
    ] {
        cases.must(&["J06"], format!("the memory policy's flag {flag} is set"), move |rt| {
            if rustix::fs::access("/sys/devices/system/node/node0", rustix::fs::Access::EXISTS)
                .is_err()
            {
                return harness::skip("the kernel has no NUMA policies");
            }
            let mut bundle = rt.bundle()?;
            bundle.set(
                "/linux/memoryPolicy",
                json!({ "mode": "MPOL_BIND", "nodes": "0", "flags": [flag] }),
            );
            let mode = rt.report(&bundle)?.at("/mempolicy/mode").as_i64().unwrap_or(0);
            ensure_eq("the flag", mode & bit, bit)
        });
    }
    cases.must(&["J06"], "an unknown memory policy is refused", |rt| {
        refuse(rt, "/linux/memoryPolicy", json!({ "mode": "MPOL_NONE" }))
    });
    cases.must(&["J06"], "a memory policy on nodes that the host does not have is refused", |rt| {
        refuse(rt, "/linux/memoryPolicy", json!({ "mode": "MPOL_BIND", "nodes": "900" }))
    });
}

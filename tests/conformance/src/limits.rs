//! `config.md`: resource limits, capabilities, `noNewPrivileges`, `oomScoreAdj`.

use std::fs;

use harness::{Cases, Outcome, Runtime, bundle, ensure_eq, skip};
use serde_json::json;

const RLIMITS: [&str; 16] = [
    "RLIMIT_AS",
    "RLIMIT_CORE",
    "RLIMIT_CPU",
    "RLIMIT_DATA",
    "RLIMIT_FSIZE",
    "RLIMIT_LOCKS",
    "RLIMIT_MEMLOCK",
    "RLIMIT_MSGQUEUE",
    "RLIMIT_NICE",
    "RLIMIT_NOFILE",
    "RLIMIT_NPROC",
    "RLIMIT_RSS",
    "RLIMIT_RTPRIO",
    "RLIMIT_RTTIME",
    "RLIMIT_SIGPENDING",
    "RLIMIT_STACK",
];

pub(crate) fn register(cases: &mut Cases) {
    cases.section("config.md#posix-process", "1.0.0");
    rlimits(cases);
    cases.section("config.md#linux-process", "1.0.0");
    cases
        .must(&["E12"], "noNewPrivileges true is set", |rt| nnp(rt, Some(true)))
        .mutation(|config| bundle::remove(config, "/process/noNewPrivileges"));
    cases.must(&["E12"], "noNewPrivileges false is not set", |rt| nnp(rt, Some(false)));
    cases.must(&["E12"], "noNewPrivileges is not set by default", |rt| nnp(rt, None));
    for score in [0, 1, 500, 1000] {
        let case = cases.must(&["E13"], format!("oomScoreAdj {score} is set"), move |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set("/process/oomScoreAdj", score);
            ensure_eq(
                "oom_score_adj",
                rt.report(&bundle)?.text("/oom_score_adj"),
                score.to_string().as_str(),
            )
        });
        if score > 0 {
            case.mutation(|config| bundle::remove(config, "/process/oomScoreAdj"));
        }
    }
    cases.must(&["E13"], "without oomScoreAdj the caller's is kept", |rt| {
        fs::write("/proc/self/oom_score_adj", "77")?;
        ensure_eq("oom_score_adj", rt.report(&rt.bundle()?)?.text("/oom_score_adj"), "77")
    });
    cases.must(&["E13"], "an oomScoreAdj out of range is refused", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/process/oomScoreAdj", 1001);
        rt.run(&bundle, &[])?.refused().map(drop)
    });
    capabilities(cases);
}

fn rlimits(cases: &mut Cases) {
    for name in RLIMITS {
        let case =
            cases.must(&["E05"], format!("the limit {name} is set, soft and hard"), move |rt| {
                // Low enough for any host, high enough for the program.
                let (soft, hard) = match name {
                    "RLIMIT_NICE" | "RLIMIT_RTPRIO" => (0, 0),
                    "RLIMIT_NOFILE" | "RLIMIT_NPROC" | "RLIMIT_SIGPENDING" | "RLIMIT_LOCKS"
                    | "RLIMIT_MSGQUEUE" => (512, 513),
                    "RLIMIT_MEMLOCK" => (65536, 131_072),
                    _ => (1 << 30, (1 << 30) + 4096),
                };
                let mut bundle = rt.bundle()?;
                bundle
                    .set("/process/rlimits", json!([{ "type": name, "soft": soft, "hard": hard }]));
                let seen = rt.report(&bundle)?;
                let found = seen.at(&format!("/rlimits/{name}"));
                ensure_eq(name, found, &json!({ "soft": soft, "hard": hard }))
            });
        if !["RLIMIT_NICE", "RLIMIT_RTPRIO"].contains(&name) {
            case.mutation(|config| bundle::remove(config, "/process/rlimits"));
        }
    }
    cases.must(&["E06"], "a limit listed twice is refused (no peer does)", |rt| {
        let limit = json!({ "type": "RLIMIT_NOFILE", "soft": 512, "hard": 512 });
        refuse_rlimits(rt, &json!([limit, limit]))
    });
    cases.must(&["E05"], "a limit of an unknown type is refused", |rt| {
        refuse_rlimits(rt, &json!([{ "type": "RLIMIT_NONE", "soft": 1, "hard": 1 }]))
    });
    cases.must(&["E05"], "a soft limit above the hard one is refused", |rt| {
        refuse_rlimits(rt, &json!([{ "type": "RLIMIT_NOFILE", "soft": 600, "hard": 512 }]))
    });
    cases.must(&["E05"], "limits that the config does not list are the caller's", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/process/rlimits", json!([]));
        let own = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        ensure_eq(
            "RLIMIT_NOFILE",
            rt.report(&bundle)?.at("/rlimits/RLIMIT_NOFILE/soft").as_u64(),
            own,
        )
    });
}

fn refuse_rlimits(rt: &Runtime, limits: &serde_json::Value) -> Outcome {
    let mut bundle = rt.bundle()?;
    bundle.set("/process/rlimits", limits.clone());
    rt.run(&bundle, &[])?.refused().map(drop)
}

fn nnp(rt: &Runtime, value: Option<bool>) -> Outcome {
    let mut bundle = rt.bundle()?;
    bundle.remove("/process/noNewPrivileges");
    if let Some(value) = value {
        bundle.set("/process/noNewPrivileges", value);
    }
    ensure_eq(
        "no_new_privs",
        rt.report(&bundle)?.at("/no_new_privs").as_bool(),
        Some(value == Some(true)),
    )
}

const CAPABILITIES: [&str; 41] = [
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
];

fn capabilities(cases: &mut Cases) {
    for name in CAPABILITIES {
        cases
            .must(
                &["E09"],
                format!("CAP_{name} alone is in the three sets that list it"),
                move |rt| one(rt, name),
            )
            .mutation(|config| bundle::remove(config, "/process/capabilities"));
    }
    cases.must(&["E09"], "each of the five sets is the one of the config", five_sets);
    cases.must(&["E09"], "a set that is empty gives no capability", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/process/capabilities", json!({}));
        let seen = rt.report(&bundle)?;
        for set in ["bounding", "effective", "permitted", "inheritable", "ambient"] {
            ensure_eq(set, seen.texts(&format!("/capabilities/{set}")), Vec::<&str>::new())?;
        }
        Ok(())
    });
    cases
        .must(&["E09"], "ambient capabilities stay with a user who is not root", |rt| {
            let mut bundle = rt.bundle()?;
            for set in ["bounding", "effective", "permitted", "inheritable", "ambient"] {
                bundle.set(&format!("/process/capabilities/{set}"), json!(["CAP_KILL"]));
            }
            bundle.set("/process/user/uid", 1000);
            let seen = rt.report(&bundle)?;
            ensure_eq("effective", seen.texts("/capabilities/effective"), vec!["CAP_KILL"])?;
            ensure_eq("ambient", seen.texts("/capabilities/ambient"), vec!["CAP_KILL"])
        })
        .mutation(|config| bundle::remove(config, "/process/capabilities/ambient"));
    cases.must(
        &["E09"],
        "a user who is not root has no effective capability without ambient ones",
        |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set("/process/user/uid", 1000);
            let seen = rt.report(&bundle)?;
            ensure_eq("effective", seen.texts("/capabilities/effective"), Vec::<&str>::new())
        },
    );
    cases.must(
        &["E10"],
        "a capability that the kernel does not know is left out with a warning",
        |rt| {
            let mut bundle = rt.bundle()?;
            bundle.capabilities(&["CAP_KILL", "CAP_OF_THE_FUTURE"]);
            ensure_eq(
                "bounding",
                rt.report(&bundle)?.texts("/capabilities/bounding"),
                vec!["CAP_KILL"],
            )
        },
    );
    cases.must(
        &["E10", "T10"],
        "a capability that cannot be granted is left out with a warning (no peer does)",
        |rt| {
            let Some(name) = CAPABILITIES.into_iter().find(|name| !host_has(name)) else {
                return skip("the host has all capabilities");
            };
            let mut bundle = rt.bundle()?;
            bundle.capabilities(&["CAP_KILL", &format!("CAP_{name}")]);
            ensure_eq(
                "bounding",
                rt.report(&bundle)?.texts("/capabilities/bounding"),
                vec!["CAP_KILL"],
            )
        },
    );
}

/// Whether the caller could pass this capability on.
fn host_has(name: &str) -> bool {
    use rustix::thread::{CapabilitySet, capabilities};
    let own = capabilities(None).map(|sets| sets.permitted).unwrap_or(CapabilitySet::empty());
    CapabilitySet::from_name(name).is_some_and(|capability| own.contains(capability))
}

fn one(rt: &Runtime, name: &str) -> Outcome {
    if !host_has(name) {
        return skip("the host does not have this capability");
    }
    let name = format!("CAP_{name}");
    let mut bundle = rt.bundle()?;
    bundle.capabilities(&[&name]);
    let seen = rt.report(&bundle)?;
    for set in ["bounding", "effective", "permitted"] {
        ensure_eq(set, seen.texts(&format!("/capabilities/{set}")), vec![name.as_str()])?;
    }
    Ok(())
}

fn five_sets(rt: &Runtime) -> Outcome {
    let sets = [
        ("bounding", vec!["CAP_CHOWN", "CAP_FOWNER", "CAP_KILL", "CAP_SETGID"]),
        ("permitted", vec!["CAP_CHOWN", "CAP_FOWNER", "CAP_KILL"]),
        ("effective", vec!["CAP_CHOWN", "CAP_FOWNER"]),
        ("inheritable", vec!["CAP_CHOWN"]),
        ("ambient", vec!["CAP_CHOWN"]),
    ];
    let mut bundle = rt.bundle()?;
    for (set, names) in &sets {
        bundle.set(&format!("/process/capabilities/{set}"), json!(names));
    }
    bundle.set("/process/user/uid", 1000);
    let seen = rt.report(&bundle)?;
    // The kernel computes the sets again at exec, for a user who is not root from the ambient set alone.
    for (set, names) in
        sets.into_iter().filter(|(set, _)| ["bounding", "inheritable", "ambient"].contains(set))
    {
        ensure_eq(set, seen.texts(&format!("/capabilities/{set}")), names)?;
    }
    Ok(())
}

//! `features.md` and `features-linux.md`: what the command `features` prints.

use harness::{Cases, Outcome, Runtime, ensure_eq};
use serde_json::Value;

/// What a list has to contain.
const LISTS: &[(&str, &[&str], &[&str])] = &[
    (
        "/hooks",
        &["P02"],
        &[
            "prestart",
            "createRuntime",
            "createContainer",
            "startContainer",
            "poststart",
            "poststop",
        ],
    ),
    (
        "/mountOptions",
        &["P03"],
        &["bind", "rbind", "ro", "rw", "nosuid", "nodev", "noexec", "private", "rslave", "remount"],
    ),
    ("/mountOptions", &["P03"], &["rro", "rnosuid", "rnodev", "rnoexec"]),
    ("/linux/namespaces", &["P04"], &["cgroup", "ipc", "mount", "network", "pid", "user", "uts"]),
    ("/linux/namespaces", &["P04"], &["time"]),
    ("/linux/capabilities", &["P05"], &["CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_CHECKPOINT_RESTORE"]),
    (
        "/linux/seccomp/actions",
        &["P07"],
        &["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_NOTIFY"],
    ),
    ("/linux/seccomp/operators", &["P07"], &["SCMP_CMP_EQ", "SCMP_CMP_MASKED_EQ"]),
    ("/linux/seccomp/archs", &["P07"], &["SCMP_ARCH_X86_64"]),
    (
        "/linux/seccomp/knownFlags",
        &["P07"],
        &["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC"],
    ),
    ("/linux/seccomp/supportedFlags", &["P07"], &["SECCOMP_FILTER_FLAG_LOG"]),
    ("/linux/memoryPolicy/modes", &["P09"], &["MPOL_BIND", "MPOL_PREFERRED"]),
];

const TRUE: &[(&str, &[&str])] = &[
    ("/linux/cgroup/v1", &["P06"]),
    ("/linux/cgroup/v2", &["P06"]),
    ("/linux/seccomp/enabled", &["P07"]),
    ("/linux/mountExtensions/idmap/enabled", &["P11"]),
];

const BOOLEANS: &[(&str, &[&str])] = &[
    ("/linux/cgroup/systemd", &["P06"]),
    ("/linux/cgroup/systemdUser", &["P06"]),
    ("/linux/cgroup/rdma", &["P06"]),
    ("/linux/apparmor/enabled", &["P08"]),
    ("/linux/selinux/enabled", &["P08"]),
    ("/linux/intelRdt/enabled", &["P10"]),
    ("/linux/netDevices/enabled", &["P12"]),
];

pub(crate) fn register(cases: &mut Cases) {
    cases.section("features.md", "1.1.0");
    for name in ["ociVersionMin", "ociVersionMax"] {
        cases.must(&["P01", "B81"], format!("features tells {name}"), move |rt| {
            let found =
                features(rt)?[name].as_str().is_some_and(|version| version.starts_with("1."));
            ensure_eq("is a version 1", found, true)
        });
    }
    for (pointer, rows, words) in LISTS {
        cases.must(rows, format!("features lists {} at {pointer}", words.join(", ")), move |rt| {
            let all = features(rt)?;
            let list: Vec<&str> = all
                .pointer(pointer)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let missing: Vec<&&str> = words.iter().filter(|word| !list.contains(*word)).collect();
            ensure_eq("missing", missing, Vec::<&&str>::new())
        });
    }
    cases.may(&["P13"], "features has a map of annotations whose values are texts", |rt| {
        let all = features(rt)?;
        let map = all["annotations"].as_object();
        let fits = map.is_some_and(|map| !map.is_empty() && map.values().all(Value::is_string));
        ensure_eq(&format!("{map:?} is a map of texts"), fits, true)
    });
    for (pointer, rows) in TRUE {
        cases.must(rows, format!("features says true at {pointer}"), move |rt| {
            boolean(rt, pointer, Some(true))
        });
    }
    for (pointer, rows) in BOOLEANS {
        cases.must(rows, format!("features says true or false at {pointer}"), move |rt| {
            boolean(rt, pointer, None)
        });
    }
    cases.section("features.md", "1.2.0");
    cases.must(&["P14"], "features lists annotations that may be unsafe", |rt| {
        ensure_eq("is a list", features(rt)?["potentiallyUnsafeConfigAnnotations"].is_array(), true)
    });
}

fn features(rt: &Runtime) -> anyhow::Result<Value> {
    rt.command(&["features"])?.ok()?.json()
}

fn boolean(rt: &Runtime, pointer: &str, expected: Option<bool>) -> Outcome {
    let all = features(rt)?;
    let found = all.pointer(pointer).and_then(Value::as_bool);
    match expected {
        Some(_) => ensure_eq(pointer, found, expected),
        None => ensure_eq(&format!("{pointer} is told"), found.is_some(), true),
    }
}

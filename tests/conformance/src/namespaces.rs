//! `config-linux.md#namespaces`, user namespace mappings, time offsets.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use harness::{Cases, Outcome, Runtime, bundle, ensure_eq};
use serde_json::{Value, json};

/// Name in the config and in `/proc/PID/ns`, feature row, version of the specification.
const ALL: [(&str, &str, &str); 8] = [
    ("pid", "pid", "1.0.0"),
    ("network", "net", "1.0.0"),
    ("mount", "mnt", "1.0.0"),
    ("ipc", "ipc", "1.0.0"),
    ("uts", "uts", "1.0.0"),
    ("user", "user", "1.0.0"),
    ("cgroup", "cgroup", "1.0.0"),
    ("time", "time", "1.1.0"),
];

pub(crate) fn register(cases: &mut Cases) {
    for (kind, name, since) in ALL {
        cases.section("config-linux.md#namespaces", since);
        let rows: &[&str] = if kind == "time" { &["F02"] } else { &["F01"] };
        cases.must(rows, format!("a new {kind} namespace is not the caller's"), move |rt| {
            new(rt, kind, name)
        });
        // Without a mount or pid namespace the default mounts cannot be made: tested apart.
        if !["mount", "pid"].contains(&kind) {
            cases.must(
                &["F05"],
                format!("a {kind} namespace that is not listed is the caller's"),
                move |rt| inherited(rt, kind, name),
            );
        }
        if !["mount", "user", "time"].contains(&kind) {
            cases.must(
                &["F03"],
                format!("a {kind} namespace given by its path is joined"),
                move |rt| joined(rt, kind, name),
            );
        }
        cases.must(&["F03"], format!("a path that is no {kind} namespace is refused"), move |rt| {
            let other = if kind == "uts" { "ipc" } else { "uts" };
            refuse(rt, &json!([{ "type": kind, "path": format!("/proc/self/ns/{other}") }]))
        });
        cases.must(&["F04"], format!("the {kind} namespace listed twice is refused"), move |rt| {
            refuse(rt, &json!([{ "type": kind }, { "type": kind }]))
        });
    }
    cases.section("config-linux.md#namespaces", "1.0.0");
    cases.must(&["F03"], "a path of a namespace that does not exist is refused", |rt| {
        refuse(rt, &json!([{ "type": "ipc", "path": "/no/such/namespace" }]))
    });
    cases.must(&["F03"], "a path that is no namespace at all is refused", |rt| {
        refuse(rt, &json!([{ "type": "ipc", "path": "/etc/passwd" }]))
    });
    cases.must(&["C25"], "an unknown namespace type is refused", |rt| {
        refuse(rt, &json!([{ "type": "no-such" }]))
    });
    cases
        .must(&["F01"], "in a new pid namespace the program is process 1", |rt| {
            ensure_eq("pid", rt.report(&rt.bundle()?)?.at("/pid").as_u64(), Some(1))
        })
        .mutation(|config| without(config, "pid"));
    cases.must(
        &["F05", "T01"],
        "without a pid namespace the program has a pid of the caller's",
        |rt| {
            let mut bundle = rt.bundle()?;
            bundle.without_namespace("pid");
            let seen = rt.report(&bundle)?;
            ensure_eq("pid is 1", seen.at("/pid").as_u64() == Some(1), false)?;
            ensure_eq("pid namespace", seen.at("/namespaces/pid").as_u64(), Some(own("pid")?))
        },
    );
    cases.must(
        &["F05", "T02"],
        "a container without a mount namespace has its root all the same",
        without_mount,
    );
    cases.section("cli#network", "");
    cases.cli(&["F15"], "the loopback link of a new network namespace is up", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.probe(&["link", "lo"]);
        ensure_eq(
            "lo is up",
            rt.report(&bundle)?.allowed("link", "lo")?["up"].as_bool(),
            Some(true),
        )
    });
    user(cases);
    time(cases);
}

fn without(config: &mut Value, kind: &str) {
    if let Some(list) = config.pointer_mut("/linux/namespaces").and_then(Value::as_array_mut) {
        list.retain(|namespace| namespace["type"] != kind);
    }
}

/// Inode number of the caller's namespace.
fn own(name: &str) -> anyhow::Result<u64> {
    Ok(fs::metadata(format!("/proc/self/ns/{name}"))?.ino())
}

fn mapped(bundle: &mut harness::Bundle) -> &mut harness::Bundle {
    let map = json!([{ "containerID": 0, "hostID": 0, "size": 65536 }]);
    bundle
        .set("/linux/uidMappings", map.clone())
        .set("/linux/gidMappings", map)
        .namespace("user", None)
}

fn new(rt: &Runtime, kind: &str, name: &str) -> Outcome {
    let mut bundle = rt.bundle()?;
    if kind == "user" {
        mapped(&mut bundle);
    } else {
        bundle.namespace(kind, None);
    }
    let found = rt.report(&bundle)?.at(&format!("/namespaces/{name}")).as_u64();
    ensure_eq("is the caller's", found == Some(own(name)?), false)
}

fn inherited(rt: &Runtime, kind: &str, name: &str) -> Outcome {
    let mut bundle = if kind == "network" {
        rt.bundle_of(harness::preset::host_network())?
    } else {
        rt.bundle()?
    };
    bundle.without_namespace(kind);
    match kind {
        "uts" => bundle.remove("/hostname"),
        // A mount of mqueue belongs to the ipc namespace.
        "ipc" => bundle.remove("/mounts/4"),
        _ => &mut bundle,
    };
    let found = rt.report(&bundle)?.at(&format!("/namespaces/{name}")).as_u64();
    ensure_eq("inode", found, Some(own(name)?))
}

fn joined(rt: &Runtime, kind: &str, name: &str) -> Outcome {
    let mut first = rt.bundle()?;
    first.namespace(kind, None);
    let expected = rt.running(&mut first)?.at(&format!("/namespaces/{name}")).as_u64();
    let path = PathBuf::from(format!("/proc/{}/ns/{name}", rt.pid()?));
    let mut second = rt.bundle()?;
    second.namespace(kind, Some(&path));
    if kind == "uts" {
        second.remove("/hostname");
    }
    rt.write(&second)?;
    let other = format!("{}-other", rt.id());
    let output = rt.finish(rt.bundle_call("run", &other, &second, &[]))?.ok()?;
    let seen = harness::Report::parse(&output.stdout())?;
    ensure_eq("inode", seen.at(&format!("/namespaces/{name}")).as_u64(), expected)
}

fn refuse(rt: &Runtime, namespaces: &Value) -> Outcome {
    let mut bundle = rt.bundle()?;
    for namespace in namespaces.as_array().into_iter().flatten() {
        bundle.without_namespace(namespace["type"].as_str().unwrap_or_default());
    }
    for namespace in namespaces.as_array().into_iter().flatten() {
        bundle.push("/linux/namespaces", namespace.clone());
    }
    let map = json!([{ "containerID": 0, "hostID": 0, "size": 65536 }]);
    if namespaces[0]["type"] == "user" && namespaces[0]["path"].is_null() {
        bundle.set("/linux/uidMappings", map.clone()).set("/linux/gidMappings", map);
    }
    bundle.remove("/hostname");
    rt.run(&bundle, &[])?.refused().map(drop)
}

fn without_mount(rt: &Runtime) -> Outcome {
    let mut bundle = rt.bundle()?;
    bundle.without_namespace("mount").set("/root/readonly", false).set("/mounts", json!([]));
    bundle.remove("/linux/maskedPaths").remove("/linux/readonlyPaths");
    bundle.file("/only-inside", "")?;
    bundle.probe(&["stat", "/only-inside"]);
    rt.report(&bundle)?.allowed("stat", "/only-inside").map(drop)
}

fn user(cases: &mut Cases) {
    cases.section("config-linux.md#user-namespace-mappings", "1.0.0");
    cases.must(&["F08"], "the user and group mappings of the config are those of the container", |rt| {
        let mut bundle = rt.bundle()?;
        mapped(&mut bundle);
        let uid = json!([{ "containerID": 0, "hostID": 0, "size": 1000 }, { "containerID": 1000, "hostID": 5000, "size": 7 }]);
        let gid = json!([{ "containerID": 0, "hostID": 0, "size": 2000 }]);
        bundle.set("/linux/uidMappings", uid).set("/linux/gidMappings", gid);
        let seen = rt.report(&bundle)?;
        let fields = |text: &str| text.split_whitespace().map(String::from).collect::<Vec<_>>().join(" ");
        ensure_eq("uid_map", fields(seen.text("/uid_map")).as_str(), "0 0 1000 1000 5000 7")?;
        ensure_eq("gid_map", fields(seen.text("/gid_map")).as_str(), "0 0 2000")
    });
    cases.must(&["F08"], "root of the container is the mapped user on the host", |rt| {
        let mut bundle = rt.bundle()?;
        mapped(&mut bundle);
        let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 65536 }]);
        bundle.set("/linux/uidMappings", map.clone()).set("/linux/gidMappings", map);
        open_to_all(rt, &bundle)?;
        let seen = rt.running(&mut bundle)?;
        ensure_eq("uid inside", seen.at("/ids/uid").as_u64(), Some(0))?;
        ensure_eq("uid outside", fs::metadata(format!("/proc/{}", rt.pid()?))?.uid(), 100_000)
    });
    cases.must(&["F08"], "a user that is not mapped is refused", |rt| {
        let mut bundle = rt.bundle()?;
        mapped(&mut bundle).set("/process/user/uid", 70_000);
        rt.run(&bundle, &[])?.refused().map(drop)
    });
    cases.section("cli#user-namespace", "");
    cases.cli(&["T04"], "devpts with a gid that is not mapped is mounted without it", |rt| {
        let mut bundle = rt.bundle()?;
        mapped(&mut bundle);
        let map = json!([{ "containerID": 0, "hostID": 0, "size": 1 }]);
        bundle.set("/linux/uidMappings", map.clone()).set("/linux/gidMappings", map);
        rt.report(&bundle)?.mount("/dev/pts").map(drop)
    });
}

/// Lets a mapped user reach the root filesystem.
fn open_to_all(rt: &Runtime, bundle: &harness::Bundle) -> Outcome {
    for path in [rt.directory().to_path_buf(), bundle.path().to_path_buf(), bundle.rootfs()] {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    }
    Ok(())
}

fn time(cases: &mut Cases) {
    cases.section("config-linux.md#offset-for-time-namespace", "1.1.0");
    for clock in ["monotonic", "boottime"] {
        let case = cases.must(
            &["F13"],
            format!("the offset of {clock} is that of the config"),
            move |rt| {
                let mut bundle = rt.bundle()?;
                bundle.namespace("time", None);
                bundle
                    .set("/linux/timeOffsets", json!({ clock: { "secs": 86400, "nanosecs": 7 } }));
                let seen = rt.report(&bundle)?;
                let offsets = seen.text("/time_offsets");
                let line = offsets.lines().find(|line| line.starts_with(clock)).unwrap_or_default();
                let fields: Vec<&str> = line.split_whitespace().skip(1).collect();
                ensure_eq("offset", fields, vec!["86400", "7"])
            },
        );
        case.mutation(|config| bundle::remove(config, "/linux/timeOffsets"));
    }
    cases.must(&["F13"], "offsets together with the path of a time namespace are refused", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.namespace("time", Some(&PathBuf::from("/proc/self/ns/time")));
        bundle.set("/linux/timeOffsets", json!({ "boottime": { "secs": 1, "nanosecs": 0 } }));
        rt.run(&bundle, &[])?.refused().map(drop)
    });
    cases.section("cli#time-namespace", "");
    cases.cli(&["F13"], "offsets without a time namespace are refused", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/timeOffsets", json!({ "boottime": { "secs": 1, "nanosecs": 0 } }));
        rt.run(&bundle, &[])?.refused().map(drop)
    });
}

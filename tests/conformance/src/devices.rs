//! `config-linux.md#devices`, `#default-devices`, `runtime-linux.md#dev-symbolic-links`, and the device rules.

use std::fs;
use std::os::unix::fs::symlink;

use anyhow::Context;
use harness::{Cases, Outcome, Report, Runtime, bundle, ensure_eq};
use serde_json::json;

const DEFAULT: [(&str, u64, u64); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

const LINKS: [(&str, &str); 4] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
];

pub(crate) fn register(cases: &mut Cases) {
    cases.section("config-linux.md#default-devices", "1.0.0");
    for (path, major, minor) in DEFAULT {
        cases.must(&["G04"], format!("{path} is there, for everyone"), move |rt| {
            let mut bundle = rt.bundle()?;
            bundle.probe(&["open", path]);
            let seen = rt.report(&bundle)?;
            node(&seen, path, "c", (major, minor))?;
            ensure_eq("mode", seen.at("/devices")[path]["mode"].as_str(), Some("0666"))?;
            // There is no controlling terminal to open.
            if path == "/dev/tty" { Ok(()) } else { seen.allowed("open", path).map(drop) }
        });
    }
    cases.must(&["C31"], "/dev/ptmx leads to the container's own pseudo terminals", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.probe(&["open", "/dev/ptmx"]);
        let seen = rt.report(&bundle)?;
        seen.allowed("open", "/dev/ptmx")?;
        let ptmx = &seen.at("/devices")["/dev/ptmx"];
        let is_link = ptmx["target"].as_str().is_some_and(|target| target.ends_with("pts/ptmx"));
        let is_bound = ptmx["major"].as_u64() == Some(5) && ptmx["minor"].as_u64() == Some(2);
        ensure_eq("is a link or a bind mount", is_link || is_bound, true)
    });
    cases.section("runtime-linux.md#dev-symbolic-links", "1.0.0");
    for (path, target) in LINKS {
        cases.must(&["C31"], format!("{path} leads to {target}"), move |rt| {
            ensure_eq(
                path,
                rt.report(&rt.bundle()?)?.at("/devices")[path]["target"].as_str(),
                Some(target),
            )
        });
    }
    cases.section("config-linux.md#devices", "1.0.0");
    listed(cases);
    cases.section("config-linux.md#allowed-device-list", "1.0.0");
    rules(cases);
}

fn node(seen: &Report, path: &str, kind: &str, number: (u64, u64)) -> Outcome {
    let found = seen.at("/devices").get(path).with_context(|| format!("{path} is not there"))?;
    ensure_eq("type", found["type"].as_str(), Some(kind))?;
    let pair = (found["major"].as_u64().unwrap_or(0), found["minor"].as_u64().unwrap_or(0));
    ensure_eq("device number", pair, number)
}

/// Type in the config, type of the node, device number.
const TYPES: [(&str, &str, (u64, u64)); 4] =
    [("c", "c", (10, 229)), ("u", "c", (10, 229)), ("b", "b", (7, 0)), ("p", "p", (0, 0))];

fn listed(cases: &mut Cases) {
    for (kind, expected, number) in TYPES {
        cases
            .must(&["G01"], format!("a device of type {kind} is made"), move |rt| {
                let mut bundle = rt.bundle()?;
                let mut device = json!({ "path": "/dev/mine", "type": kind, "fileMode": 0o640, "uid": 0, "gid": 0 });
                if kind != "p" {
                    device["major"] = json!(number.0);
                    device["minor"] = json!(number.1);
                }
                bundle.push("/linux/devices", device);
                node(&rt.report(&bundle)?, "/dev/mine", expected, number)
            })
            .mutation(|config| bundle::remove(config, "/linux/devices"));
    }
    cases
        .must(&["G01"], "a device has the mode and the owner of the config", |rt| {
            let mut bundle = rt.bundle()?;
            let device = json!({ "path": "/dev/deep/mine", "type": "c", "major": 1, "minor": 5,
                             "fileMode": 0o623, "uid": 1000, "gid": 2000 });
            bundle.push("/linux/devices", device);
            let seen = rt.report(&bundle)?;
            let found = &seen.at("/devices")["/dev/deep/mine"];
            ensure_eq("mode", found["mode"].as_str(), Some("0623"))?;
            ensure_eq(
                "owner",
                [found["uid"].as_u64(), found["gid"].as_u64()],
                [Some(1000), Some(2000)],
            )
        })
        .mutation(|config| bundle::remove(config, "/linux/devices"));
    cases
        .must(&["G01"], "a device outside of /dev is made", |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set("/root/readonly", false).probe(&["stat", "/mnt/mine"]);
            bundle.push(
                "/linux/devices",
                json!({ "path": "/mnt/mine", "type": "c", "major": 1, "minor": 5 }),
            );
            let seen = rt.report(&bundle)?;
            ensure_eq("minor", seen.allowed("stat", "/mnt/mine")?["minor"].as_u64(), Some(5))
        })
        .mutation(|config| bundle::remove(config, "/linux/devices"));
    cases.must(
        &["G02"],
        "a file that is already there and is not that device is refused (no peer does)",
        |rt| {
            let mut bundle = rt.bundle()?;
            bundle.file("/mnt/mine", "a file")?;
            bundle.set("/root/readonly", false);
            bundle.push(
                "/linux/devices",
                json!({ "path": "/mnt/mine", "type": "c", "major": 1, "minor": 5 }),
            );
            rt.run(&bundle, &[])?.refused().map(drop)
        },
    );
    cases.must(&["G01"], "an unknown device type is refused", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.push(
            "/linux/devices",
            json!({ "path": "/dev/mine", "type": "x", "major": 1, "minor": 5 }),
        );
        rt.run(&bundle, &[])?.refused().map(drop)
    });
    cases.section("cli#devices", "");
    cases.cli(&["G03"], "in a user namespace a device is bound from the host", |rt| {
        let mut bundle = rt.bundle()?;
        let map = json!([{ "containerID": 0, "hostID": 0, "size": 65536 }]);
        bundle
            .set("/linux/uidMappings", map.clone())
            .set("/linux/gidMappings", map)
            .namespace("user", None);
        bundle.probe(&["write", "/dev/null"]);
        let seen = rt.report(&bundle)?;
        node(&seen, "/dev/null", "c", (1, 3))?;
        seen.allowed("write", "/dev/null").map(drop)
    });
    cases.cli(&["G06"], "a link at /dev in the root filesystem makes nothing on the host", |rt| {
        let mut bundle = rt.bundle()?;
        let outside = rt.directory().join("outside");
        fs::create_dir(&outside)?;
        fs::remove_dir(bundle.rootfs().join("dev"))?;
        symlink(&outside, bundle.rootfs().join("dev"))?;
        bundle.set("/root/readonly", false).set("/mounts", json!([]));
        // Whether it is refused or made inside is free.
        let output = rt.run(&bundle, &[])?;
        if output.code != 0 {
            output.refused()?;
        }
        ensure_eq("entries made on the host", fs::read_dir(&outside)?.count(), 0)
    });
    cases.cli(
        &["G09"],
        "nothing is made, removed or chowned in a /dev that is bound from the host",
        host_dev,
    );
}

/// A directory of ours stands for the host's `/dev`.
fn host_dev(rt: &Runtime) -> Outcome {
    let dev = rt.directory().join("dev");
    for name in ["pts", "shm", "mqueue"] {
        fs::create_dir_all(dev.join(name))?;
    }
    for (path, major, minor) in DEFAULT {
        let name = rustix::fs::CWD;
        let number = rustix::fs::makedev(u32::try_from(major)?, u32::try_from(minor)?);
        let path = dev.join(path.trim_start_matches("/dev/"));
        rustix::fs::mknodat(
            name,
            &path,
            rustix::fs::FileType::CharacterDevice,
            0o600.into(),
            number,
        )?;
    }
    symlink("pts/ptmx", dev.join("ptmx"))?;
    let before = listing(&dev)?;
    let mut bundle = rt.bundle()?;
    bundle.set(
        "/mounts",
        json!([
            { "destination": "/proc", "type": "proc", "source": "proc" },
            { "destination": "/dev", "type": "bind", "source": dev, "options": ["rbind"] },
        ]),
    );
    rt.run(&bundle, &[])?.ok()?;
    ensure_eq("what is in the directory", listing(&dev)?, before)
}

fn listing(directory: &std::path::Path) -> anyhow::Result<Vec<String>> {
    use std::os::unix::fs::MetadataExt;
    let mut list = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let seen = fs::symlink_metadata(entry.path())?;
        list.push(format!(
            "{:?} {:o} {}:{} {}",
            entry.file_name(),
            seen.mode(),
            seen.uid(),
            seen.gid(),
            seen.rdev()
        ));
    }
    list.sort();
    Ok(list)
}

fn rules(cases: &mut Cases) {
    // 10:229 is fuse, which no default allows.
    for (name, rules, opens) in [
        (
            "a device that no rule allows cannot be opened",
            json!([{ "allow": false, "access": "rwm" }]),
            false,
        ),
        (
            "a device that a rule allows can be opened",
            json!([{ "allow": false, "access": "rwm" }, { "allow": true, "type": "c", "major": 10, "minor": 229, "access": "rwm" }]),
            true,
        ),
        (
            "a rule without minor allows all of the major",
            json!([{ "allow": false, "access": "rwm" }, { "allow": true, "type": "c", "major": 10, "access": "rwm" }]),
            true,
        ),
        (
            "a rule of type a allows all",
            json!([{ "allow": false, "access": "rwm" }, { "allow": true, "type": "a", "access": "rwm" }]),
            true,
        ),
        (
            "a later rule takes back what an earlier allows",
            json!([{ "allow": false, "access": "rwm" }, { "allow": true, "type": "c", "major": 10, "minor": 229, "access": "rwm" },
                   { "allow": false, "type": "c", "major": 10, "minor": 229, "access": "rwm" }]),
            false,
        ),
        (
            "a rule that allows only making a node does not allow to open it",
            json!([{ "allow": false, "access": "rwm" }, { "allow": true, "type": "c", "major": 10, "minor": 229, "access": "m" }]),
            false,
        ),
    ] {
        cases.must(&["I01"], name, move |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set("/linux/resources/devices", rules.clone()).capabilities(&["CAP_MKNOD"]);
            bundle.set("/root/readonly", false).probe(&["mknod", "/dev/shm/fuse", "c", "10", "229"]);
            bundle.push("/linux/devices", json!({ "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o666 }));
            bundle.probe(&["open", "/dev/fuse"]);
            let probe = rt.report(&bundle)?.probe("open", "/dev/fuse")?.clone();
            ensure_eq("opens", probe["ok"].as_bool(), Some(opens))
        });
    }
    cases.section("cli#device-rules", "");
    cases.cli(&["I01"], "the default devices open although the config denies all devices", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.probe(&[
            "write",
            "/dev/null",
            "read",
            "/dev/zero",
            "read",
            "/dev/urandom",
            "open",
            "/dev/ptmx",
        ]);
        let seen = rt.report(&bundle)?;
        seen.allowed("write", "/dev/null")?;
        seen.allowed("read", "/dev/zero")?;
        seen.allowed("read", "/dev/urandom")?;
        seen.allowed("open", "/dev/ptmx").map(drop)
    });
    cases.cli(
        &["I01"],
        "nodes of any device can be made although the config denies all devices",
        |rt| {
            let mut bundle = rt.bundle()?;
            bundle.capabilities(&["CAP_MKNOD"]).mount("/mnt", "tmpfs", "tmpfs", &[]);
            bundle.probe(&["mknod", "/mnt/fuse", "c", "10", "229"]);
            let seen = rt.report(&bundle)?;
            ensure_eq(
                "it opens",
                seen.allowed("mknod", "/mnt/fuse")?["opens"].as_bool(),
                Some(false),
            )
        },
    );
}

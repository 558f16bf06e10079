//! `config-linux.md`: masked and read-only paths, propagation of the root, sysctl.

use std::fs;
use std::path::PathBuf;

use anyhow::bail;
use harness::{Cases, Runtime, bundle, ensure_eq};
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_bind, mount_change, unmount};
use serde_json::{Value, json};

pub(crate) fn register(cases: &mut Cases) {
    cases.section("config-linux.md#masked-paths", "1.0.0");
    masked(cases);
    cases.section("config-linux.md#readonly-paths", "1.0.0");
    readonly(cases);
    cases.section("config-linux.md#rootfs-mount-propagation", "1.0.0");
    propagation(cases);
    cases.section("config-linux.md#sysctl", "1.0.0");
    sysctl(cases);
}

fn masked(cases: &mut Cases) {
    cases
        .must(&["L01"], "a masked file reads as empty", |rt| {
            let mut bundle = rt.bundle()?;
            bundle.file("/etc/secret", "secret")?;
            bundle
                .set("/linux/maskedPaths", json!(["/etc/secret"]))
                .probe(&["read", "/etc/secret"]);
            ensure_eq(
                "length",
                rt.report(&bundle)?.allowed("read", "/etc/secret")?["length"].as_u64(),
                Some(0),
            )
        })
        .mutation(|config| bundle::remove(config, "/linux/maskedPaths"));
    cases
        .must(&["L01"], "a masked directory is empty", |rt| {
            let mut bundle = rt.bundle()?;
            bundle.file("/etc/secrets/one", "secret")?;
            bundle
                .set("/linux/maskedPaths", json!(["/etc/secrets"]))
                .probe(&["list", "/etc/secrets"]);
            ensure_eq(
                "length",
                rt.report(&bundle)?.allowed("list", "/etc/secrets")?["length"].as_u64(),
                Some(0),
            )
        })
        .mutation(|config| bundle::remove(config, "/linux/maskedPaths"));
    cases
        .must(&["L01"], "a masked directory cannot be written to", |rt| {
            let mut bundle = rt.bundle()?;
            bundle.file("/etc/secrets/one", "secret")?;
            bundle.set("/root/readonly", false).set("/linux/maskedPaths", json!(["/etc/secrets"]));
            bundle.probe(&["write", "/etc/secrets"]);
            rt.report(&bundle)?.denied("write", "/etc/secrets").map(drop)
        })
        .mutation(|config| bundle::remove(config, "/linux/maskedPaths"));
    cases
        .must(&["L01"], "a masked file of proc reads as empty", |rt| {
            let mut bundle = rt.bundle()?;
            bundle
                .set("/linux/maskedPaths", json!(["/proc/version"]))
                .probe(&["read", "/proc/version"]);
            ensure_eq(
                "length",
                rt.report(&bundle)?.allowed("read", "/proc/version")?["length"].as_u64(),
                Some(0),
            )
        })
        .mutation(|config| bundle::remove(config, "/linux/maskedPaths"));
    cases.must(&["L01"], "a masked path that does not exist is ignored", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/maskedPaths", json!(["/no/such/path"]));
        rt.report(&bundle).map(drop)
    });
    cases
        .must(&["L01"], "several directories and files are masked together", |rt| {
            let mut bundle = rt.bundle()?;
            for name in ["/etc/a/x", "/etc/b/x", "/etc/c", "/etc/d"] {
                bundle.file(name, "secret")?;
            }
            let paths = ["/etc/a", "/etc/b", "/etc/c", "/etc/d"];
            bundle.set("/linux/maskedPaths", json!(paths));
            bundle.probe(&paths.map(|path| ["read", path]).concat());
            let seen = rt.report(&bundle)?;
            paths.iter().try_for_each(|path| {
                ensure_eq(path, seen.allowed("read", path)?["length"].as_u64(), Some(0))
            })
        })
        .mutation(|config| bundle::remove(config, "/linux/maskedPaths"));
    cases.must(&["L01"], "a relative masked path is refused (no peer does)", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/maskedPaths", json!(["etc"]));
        rt.run(&bundle, &[])?.refused().map(drop)
    });
    cases.must(&["L04"], "a masked path through a link stays in the root", |rt| {
        let mut bundle = rt.bundle()?;
        let outside = rt.directory().join("outside");
        fs::write(&outside, "of the host")?;
        std::os::unix::fs::symlink(&outside, bundle.rootfs().join("link"))?;
        let inside = outside.to_string_lossy().into_owned();
        bundle.file(&inside, "of the container")?;
        bundle.set("/linux/maskedPaths", json!(["/link"])).probe(&["read", &inside]);
        let output = rt.run(&bundle, &[])?;
        if output.code == 0 {
            let seen = harness::Report::parse(&output.stdout())?;
            ensure_eq("length", seen.allowed("read", &inside)?["length"].as_u64(), Some(0))?;
        } else {
            output.refused()?;
        }
        ensure_eq("the host's file", fs::read_to_string(&outside)?.as_str(), "of the host")
    });
}

fn readonly(cases: &mut Cases) {
    for (what, path) in [("directory", "/etc"), ("file", "/etc/passwd")] {
        cases
            .must(&["L05"], format!("a read-only {what} cannot be written to"), move |rt| {
                let mut bundle = rt.bundle()?;
                bundle
                    .set("/root/readonly", false)
                    .set("/linux/readonlyPaths", json!([path]))
                    .probe(&["write", path]);
                ensure_eq("errno", rt.report(&bundle)?.denied("write", path)?, 30)
            })
            .mutation(|config| bundle::remove(config, "/linux/readonlyPaths"));
    }
    cases.must(&["L05"], "a read-only path can still be read", |rt| {
        let mut bundle = rt.bundle()?;
        bundle
            .set("/root/readonly", false)
            .set("/linux/readonlyPaths", json!(["/etc/passwd"]))
            .probe(&["read", "/etc/passwd"]);
        rt.report(&bundle)?.allowed("read", "/etc/passwd").map(drop)
    });
    cases
        .must(&["L05"], "a read-only directory of proc cannot be written to", |rt| {
            let mut bundle = rt.bundle()?;
            bundle
                .set("/linux/readonlyPaths", json!(["/proc/sys"]))
                .probe(&["write", "/proc/sys/kernel/shmmax"]);
            ensure_eq("errno", rt.report(&bundle)?.denied("write", "/proc/sys/kernel/shmmax")?, 30)
        })
        .mutation(|config| bundle::remove(config, "/linux/readonlyPaths"));
    cases.must(&["L05"], "a read-only path that does not exist is ignored", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/readonlyPaths", json!(["/no/such/path"]));
        rt.report(&bundle).map(drop)
    });
    cases.must(&["L05"], "a relative read-only path is refused (no peer does)", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/readonlyPaths", json!(["etc"]));
        rt.run(&bundle, &[])?.refused().map(drop)
    });
    cases.must(&["L05"], "a read-only path keeps the flags of its mount", |rt| {
        let mut bundle = rt.bundle()?;
        bundle
            .mount("/mnt", "tmpfs", "tmpfs", &["nosuid", "noexec"])
            .set("/linux/readonlyPaths", json!(["/mnt"]));
        let (own, _) = rt.report(&bundle)?.mount_options("/mnt")?;
        let flags =
            ["ro", "nosuid", "noexec", "nodev"].map(|flag| own.iter().any(|option| option == flag));
        ensure_eq("ro, nosuid, noexec, nodev", flags, [true, true, true, false])
    });
}

/// Value, and how the optional fields of the root mount begin then.
const PROPAGATION: [(&str, &[&str]); 8] = [
    ("private", &["L06"]),
    ("slave", &["L06"]),
    ("shared", &["L06"]),
    ("unbindable", &["L06"]),
    ("rprivate", &["L06b"]),
    ("rslave", &["L06b"]),
    ("rshared", &["L06b"]),
    ("runbindable", &["L06b"]),
];

fn propagation(cases: &mut Cases) {
    for (value, rows) in PROPAGATION {
        let body = move |rt: &Runtime| {
            let mut bundle = rt.bundle()?;
            bundle.set("/linux/rootfsPropagation", value);
            // A mount of our own below which all is shared, as the host's root often is.
            let path = bundle.path().to_path_buf();
            mount_bind(&path, &path)?;
            mount_change(&path, MountPropagationFlags::SHARED)?;
            let seen = rt.report(&bundle);
            unmount(&path, UnmountFlags::DETACH)?;
            let fields = seen?.mount("/")?["propagation"].clone();
            let found: Vec<&str> = fields
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|field| field.as_str())
                .collect();
            let has = |begin: &str| found.iter().any(|field| field.starts_with(begin));
            let fits = match value.trim_start_matches('r') {
                "private" => found.is_empty(),
                "slave" => has("master:") && !has("shared:"),
                "shared" => has("shared:"),
                _ => has("unbindable"),
            };
            if !fits {
                bail!("the root should be {value}: {found:?}");
            }
            Ok(())
        };
        let name = format!("the propagation of the root is {value}");
        if value.starts_with('r') {
            cases.section("cli#rootfs-propagation", "").cli(rows, name, body)
        } else {
            cases
                .section("config-linux.md#rootfs-mount-propagation", "1.0.0")
                .must(rows, name, body)
        }
        .mutation(if value.ends_with("private") || value.ends_with("slave") {
            unbindable
        } else {
            no_propagation
        });
    }
    cases.section("config-linux.md#rootfs-mount-propagation", "1.0.0");
    cases.must(&["L06"], "an unknown propagation of the root is refused", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/rootfsPropagation", "sideways");
        rt.run(&bundle, &[])?.refused().map(drop)
    });
}

fn no_propagation(config: &mut Value) {
    bundle::remove(config, "/linux/rootfsPropagation");
}

fn unbindable(config: &mut Value) {
    config["linux"]["rootfsPropagation"] = json!("unbindable");
}

const SYSCTL: [(&str, &str, &str); 12] = [
    ("kernel.msgmax", "9000", "ipc"),
    ("kernel.msgmnb", "17000", "ipc"),
    ("kernel.msgmni", "777", "ipc"),
    ("kernel.sem", "251\t32001\t33\t129", "ipc"),
    ("kernel.shmall", "65536", "ipc"),
    ("kernel.shmmax", "1048576", "ipc"),
    ("kernel.shmmni", "77", "ipc"),
    ("kernel.shm_rmid_forced", "1", "ipc"),
    ("fs.mqueue.msg_max", "11", "ipc"),
    ("net.ipv4.ip_forward", "1", "network"),
    ("net.core.somaxconn", "77", "network"),
    ("net.ipv4.ping_group_range", "0\t77", "network"),
];

fn sysctl(cases: &mut Cases) {
    for (key, value, namespace) in SYSCTL {
        let path = format!("/proc/sys/{}", key.replace('.', "/"));
        let rows: &[&str] = if key.contains("ping") { &["F16", "J09"] } else { &["J09"] };
        cases
            .must(rows, format!("the sysctl {key} is set"), move |rt| {
                let mut bundle = rt.bundle()?;
                bundle.set("/linux/sysctl", json!({ key: value })).probe(&["read", &path]);
                let found = rt.report(&bundle)?.allowed("read", &path)?["text"].clone();
                ensure_eq("value", found.as_str().map(str::trim_end), Some(value))
            })
            .mutation(|config| bundle::remove(config, "/linux/sysctl"));
        if ["kernel.msgmax", "fs.mqueue.msg_max", "net.core.somaxconn"].contains(&key) {
            let file = format!("/proc/sys/{}", key.replace('.', "/"));
            let who = if namespace == "ipc" { " (no peer does)" } else { "" };
            cases.cli(
                &["J09"],
                format!("the sysctl {key} in the host's {namespace} namespace, joined by its path, is refused{who}"),
                move |rt| {
                    // The value that is there, so that a runtime that sets it does no harm.
                    let there = fs::read_to_string(&file)?;
                    let short = if namespace == "network" { "net" } else { namespace };
                    let own = PathBuf::from(format!("/proc/{}/ns/{short}", std::process::id()));
                    let mut bundle = rt.bundle()?;
                    bundle.namespace(namespace, Some(&own));
                    bundle.set("/linux/sysctl", json!({ key: there.trim() }));
                    rt.run(&bundle, &[])?.refused().map(drop)
                },
            );
            cases.must(
                &["J09"],
                format!("the sysctl {key} without a new {namespace} namespace is refused"),
                move |rt| {
                    let mut bundle = rt.bundle()?;
                    bundle.without_namespace(namespace).set("/linux/sysctl", json!({ key: value }));
                    if namespace == "ipc" {
                        bundle.remove("/mounts/4");
                    } else {
                        bundle.config["mounts"] = harness::preset::host_network()["mounts"].clone();
                    }
                    rt.run(&bundle, &[])?.refused().map(drop)
                },
            );
        }
    }
    for key in
        ["kernel.panic", "vm.swappiness", "no.such.key", "net.ipv4.no_such_key", "../../etc/passwd"]
    {
        cases
            .must(&["J09"], format!("the sysctl {key} is refused"), move |rt| {
                let mut bundle = rt.bundle()?;
                bundle.set("/linux/sysctl", json!({ key: "60" }));
                rt.run(&bundle, &[])?.refused().map(drop)
            })
            .mutation(|config| bundle::remove(config, "/linux/sysctl"));
    }
    cases
        .must(&["J11"], "a sysctl is set although the container has no /proc", |rt| {
            let mut bundle = rt.bundle()?;
            bundle.remove("/mounts/0").set("/linux/sysctl", json!({ "kernel.msgmni": "778" }));
            bundle.args(&["/bin/sleep", "100"]);
            rt.create(&bundle, &[])?.ok()?;
            rt.start()?.ok()?;
            // The value is that of the ipc namespace, which a second container joins.
            let path = PathBuf::from(format!("/proc/{}/ns/ipc", rt.pid()?));
            let mut second = rt.bundle()?;
            second.namespace("ipc", Some(&path)).probe(&["read", "/proc/sys/kernel/msgmni"]);
            rt.write(&second)?;
            let other = format!("{}-other", rt.id());
            let output = rt.finish(rt.bundle_call("run", &other, &second, &[]))?.ok()?;
            let seen = harness::Report::parse(&output.stdout())?;
            let value = seen.allowed("read", "/proc/sys/kernel/msgmni")?;
            ensure_eq("value", value["text"].as_str(), Some("778\n"))
        })
        .mutation(|config| bundle::remove(config, "/linux/sysctl"));
    cases.must(&["J09"], "a sysctl of the container leaves the host's alone", |rt| {
        let before = fs::read_to_string("/proc/sys/kernel/msgmni")?;
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/sysctl", json!({ "kernel.msgmni": "778" }));
        rt.report(&bundle)?;
        ensure_eq("the host's value", fs::read_to_string("/proc/sys/kernel/msgmni")?, before)
    });
}

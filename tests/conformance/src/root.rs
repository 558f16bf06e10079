//! `config.md#root`.

use std::fs;

use harness::{Cases, Outcome, Runtime, bundle, ensure_eq};
use serde_json::{Value, json};

pub(crate) fn register(cases: &mut Cases) {
    cases.section("config.md#root", "1.0.0");
    cases.must(&["D01"], "a relative root.path is taken from the bundle", |rt| {
        rt.report(&rt.bundle()?).map(drop)
    });
    cases.must(&["D01"], "an absolute root.path is taken as it is", absolute);
    cases.must(&["D01"], "a root filesystem outside of the bundle is used", outside);
    cases
        .must(&["D01"], "a root.path that does not exist is refused", |rt| {
            refuse(rt, "/root/path", "absent")
        })
        .mutation(|config| config["root"]["path"] = json!("rootfs"));
    cases
        .must(&["D01"], "a root.path that is a file is refused", |rt| {
            refuse(rt, "/root/path", "config.json")
        })
        .mutation(|config| config["root"]["path"] = json!("rootfs"));
    cases
        .must(&["D01"], "a config without root is refused", |rt| {
            let mut bundle = rt.bundle()?;
            bundle.remove("/root");
            rt.run(&bundle, &[])?.refused().map(drop)
        })
        .mutation(|config| config["root"] = json!({ "path": "rootfs" }));
    cases
        .must(&["D02"], "a read-only root filesystem cannot be written to", read_only)
        .mutation(|config| bundle::remove(config, "/root/readonly"));
    cases.must(&["D02"], "root.readonly false gives a writable root filesystem", |rt| {
        writable(rt, Some(false))
    });
    cases.must(&["D02"], "root.readonly defaults to false", |rt| writable(rt, None));
    cases
        .must(&["D02"], "a read-only root filesystem leaves mounts in it writable", |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set("/root/readonly", true).probe(&["write", "/dev/shm"]);
            rt.report(&bundle)?.allowed("write", "/dev/shm").map(drop)
        })
        .mutation(|config| {
            if let Some(mounts) = config["mounts"].as_array_mut() {
                mounts.retain(|mount| mount["destination"] != "/dev/shm");
            }
        });
    cases.must(&["D01"], "nothing of the host is above the root", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.probe(&["stat", "/", "stat", "/.."]);
        let seen = rt.report(&bundle)?;
        let (root, above) = (seen.allowed("stat", "/")?, seen.allowed("stat", "/..")?);
        ensure_eq("inode of /..", &above["inode"], &root["inode"])
    });
}

fn absolute(rt: &Runtime) -> Outcome {
    let mut bundle = rt.bundle()?;
    let path = bundle.rootfs();
    bundle.file("/in-this-root", "")?;
    bundle.set("/root/path", path.to_string_lossy().into_owned()).probe(&["stat", "/in-this-root"]);
    rt.report(&bundle)?.allowed("stat", "/in-this-root").map(drop)
}

fn outside(rt: &Runtime) -> Outcome {
    let mut bundle = rt.bundle()?;
    let elsewhere = rt.directory().join("elsewhere");
    bundle.file("/in-this-root", "")?;
    fs::rename(bundle.rootfs(), &elsewhere)?;
    bundle.set("/root/path", elsewhere.to_string_lossy().into_owned());
    bundle.probe(&["stat", "/in-this-root"]);
    rt.report(&bundle)?.allowed("stat", "/in-this-root").map(drop)
}

fn refuse(rt: &Runtime, pointer: &str, value: impl Into<Value>) -> Outcome {
    let mut bundle = rt.bundle()?;
    bundle.set(pointer, value);
    rt.run(&bundle, &[])?.refused().map(drop)
}

fn read_only(rt: &Runtime) -> Outcome {
    const EROFS: i64 = 30;
    let mut bundle = rt.bundle()?;
    bundle.set("/root/readonly", true).probe(&["write", "/etc", "write", "/checker"]);
    let seen = rt.report(&bundle)?;
    ensure_eq("errno of a write", seen.denied("write", "/etc")?, EROFS)?;
    seen.denied("write", "/checker")?;
    let (options, _) = seen.mount_options("/")?;
    ensure_eq("the root mount is read-only", options.contains(&String::from("ro")), true)
}

fn writable(rt: &Runtime, readonly: Option<bool>) -> Outcome {
    let mut bundle = rt.bundle()?;
    bundle.remove("/root/readonly").probe(&["create", "/etc/new"]);
    if let Some(value) = readonly {
        bundle.set("/root/readonly", value);
    }
    rt.report(&bundle)?.allowed("create", "/etc/new")?;
    ensure_eq("the file is in the rootfs", bundle.rootfs().join("etc/new").is_file(), true)
}

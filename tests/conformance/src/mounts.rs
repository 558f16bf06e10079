//! `config.md#mounts`: order, sources, destinations, filesystem types. Options are in `mount_options.rs`.

use std::fs;
use std::os::unix::fs::symlink;

use harness::{Bundle, Cases, Outcome, Runtime, bundle, ensure_contains, ensure_eq};
use serde_json::json;

pub(crate) fn register(cases: &mut Cases) {
    cases.section("config.md#mounts", "1.0.0");
    sources(cases);
    destinations(cases);
    for (kind, point) in [
        ("proc", "/proc"),
        ("sysfs", "/sys"),
        ("tmpfs", "/dev"),
        ("devpts", "/dev/pts"),
        ("mqueue", "/dev/mqueue"),
        ("tmpfs", "/dev/shm"),
    ] {
        cases.must(
            &["D03"],
            format!("a filesystem of type {kind} is mounted on {point}"),
            move |rt| {
                ensure_eq(
                    "type",
                    rt.report(&rt.bundle()?)?.mount(point)?["type"].as_str(),
                    Some(kind),
                )
            },
        );
    }
    cases.must(&["D28"], "type cgroup shows the container's own cgroup", cgroup_mount);
    cases.must(&["D03"], "an unknown filesystem type is refused", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.mount("/mnt", "no-such-filesystem", "none", &[]);
        rt.run(&bundle, &[])?.refused().map(drop)
    });
    cases.must(&["D29"], "proc shows the processes of the container only", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.probe(&["list", "/proc"]);
        let seen = rt.report(&bundle)?;
        let names = seen.allowed("list", "/proc")?["names"].clone();
        let pids = names
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|name| name.as_str()?.parse::<u32>().ok());
        ensure_eq("process ids", pids.collect::<Vec<_>>(), vec![1])
    });
    cases.must(&["D03"], "mounts are applied in the order of the config", |rt| {
        let (first, second) = (
            host_file(rt, "first/file", "not seen")?,
            host_file(rt, "second/file", "of the host")?,
        );
        let (first, second) = (first.trim_end_matches("/file"), second.trim_end_matches("/file"));
        let mut bundle = rt.bundle()?;
        bundle.mount("/mnt", "bind", first, &["bind"]).mount("/mnt", "bind", second, &["bind"]);
        read_bound(rt, &bundle, "/mnt/file")
    });
    cases
        .must(&["D03"], "a mount hides what an earlier one put below it", |rt| {
            let mut bundle = rt.bundle()?;
            bundle.mount("/mnt/below", "tmpfs", "first", &[]).mount("/mnt", "tmpfs", "second", &[]);
            bundle.probe(&["list", "/mnt"]).set("/root/readonly", false);
            ensure_eq(
                "entries",
                rt.report(&bundle)?.allowed("list", "/mnt")?["length"].as_u64(),
                Some(0),
            )
        })
        .mutation(|config| bundle::remove(config, "/mounts/7"));
    cases.must(&["D03"], "no mount of the container is seen on the host", |rt| {
        let mut bundle = rt.bundle()?;
        rt.running(bundle.mount("/mnt", "tmpfs", "not-on-the-host", &[]))?;
        let host = fs::read_to_string("/proc/self/mountinfo")?;
        ensure_eq("mount on the host", host.contains("not-on-the-host"), false)
    });
    cases
        .must(&["D30"], "a read-only tmpfs on /dev has its devices and links all the same", |rt| {
            let mut bundle = rt.bundle()?;
            bundle.push("/mounts/1/options", "ro").probe(&["open", "/dev/null", "write", "/dev"]);
            let seen = rt.report(&bundle)?;
            seen.allowed("open", "/dev/null")?;
            ensure_eq("link", seen.at("/devices")["/dev/fd"]["target"].is_string(), true)?;
            ensure_eq("errno of a write", seen.denied("write", "/dev")?, 30)
        })
        .mutation(|config| bundle::remove(config, "/mounts/1/options"));
    cases.section("cli#mounts", "");
    cases.cli(&["D21"], "copy-symlink makes the link that is the source (crun has it)", |rt| {
        let link = rt.directory().join("link");
        symlink("/etc/passwd", &link)?;
        let mut bundle = rt.bundle()?;
        bundle.set("/root/readonly", false).mount(
            "/mnt/made",
            "bind",
            &link.to_string_lossy(),
            &["bind", "copy-symlink"],
        );
        rt.run(&bundle, &[])?.ok()?;
        let made = fs::read_link(bundle.rootfs().join("mnt/made"))?;
        ensure_eq("leads to", made.to_str(), Some("/etc/passwd"))
    });
    cases.cli(&["D21"], "copy-symlink binds what is no link (crun has it)", |rt| {
        let file = rt.directory().join("file");
        fs::write(&file, "bound")?;
        let mut bundle = rt.bundle()?;
        let options = ["bind", "copy-symlink"];
        bundle.mount("/mnt/file", "bind", &file.to_string_lossy(), &options);
        bundle.set("/root/readonly", false).probe(&["read", "/mnt/file"]);
        let seen = rt.report(&bundle)?;
        ensure_eq("length", seen.allowed("read", "/mnt/file")?["length"].as_i64(), Some(5))
    });
    cases.cli(&["D21"], "copy-symlink over another file is refused (crun has it)", |rt| {
        let link = rt.directory().join("link");
        symlink("/etc/passwd", &link)?;
        let mut bundle = rt.bundle()?;
        let options = ["bind", "copy-symlink"];
        bundle.mount("/checker", "bind", &link.to_string_lossy(), &options);
        rt.run(&bundle, &[])?.refused().map(drop)
    });
    cases.cli(&["D21"], "src-nofollow binds a link itself (crun has it)", |rt| {
        let link = rt.directory().join("link");
        symlink("/behind", &link)?;
        let mut bundle = rt.bundle()?;
        let options = ["bind", "src-nofollow"];
        bundle.mount("/mnt/link", "bind", &link.to_string_lossy(), &options);
        bundle.set("/root/readonly", false).probe(&["read", "/mnt/link"]);
        rt.write(&bundle)?;
        fs::write(bundle.rootfs().join("behind"), "inside")?;
        let seen = rt.report(&bundle)?;
        ensure_eq("length", seen.allowed("read", "/mnt/link")?["length"].as_i64(), Some(6))
    });
    cases.cli(&["D21"], "dest-nofollow covers a link itself (crun has it)", |rt| {
        let file = rt.directory().join("file");
        fs::write(&file, "bound")?;
        let mut bundle = rt.bundle()?;
        let options = ["bind", "dest-nofollow"];
        bundle.mount("/mnt-link", "bind", &file.to_string_lossy(), &options);
        bundle.set("/root/readonly", false).probe(&["read", "/mnt-link", "read", "/behind"]);
        rt.write(&bundle)?;
        symlink("/behind", bundle.rootfs().join("mnt-link"))?;
        let seen = rt.report(&bundle)?;
        ensure_eq("length", seen.allowed("read", "/mnt-link")?["length"].as_i64(), Some(5))?;
        ensure_eq("errno behind", seen.denied("read", "/behind")?, 2)
    });
    for option in ["copy-symlink", "src-nofollow", "dest-nofollow"] {
        cases.cli(&["D21"], format!("{option} with a tmpfs is refused"), move |rt| {
            let mut bundle = rt.bundle()?;
            bundle.mount("/mnt", "tmpfs", "tmpfs", &[option]);
            rt.run(&bundle, &[])?.refused().map(drop)
        });
    }
    cases.section("config.md#mounts", "1.0.0");
    cases.must(&["D03"], "no mount of the host is seen in the container", |rt| {
        let seen = rt.report(&rt.bundle()?)?;
        let mounts = seen.at("/mounts").as_array().into_iter().flatten();
        let points: Vec<&str> = mounts.filter_map(|mount| mount["point"].as_str()).collect();
        let inside = |point: &str| {
            point == "/" || ["/proc", "/dev", "/sys"].iter().any(|top| point.starts_with(top))
        };
        ensure_eq(
            "foreign mounts",
            points.into_iter().filter(|point| !inside(point)).collect::<Vec<_>>(),
            Vec::<&str>::new(),
        )
    });
}

/// Makes a file on the host, beside the bundle's root filesystem.
fn host_file(rt: &Runtime, name: &str, content: &str) -> anyhow::Result<String> {
    let path = rt.directory().join(name);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(&path, content)?;
    Ok(path.to_string_lossy().into_owned())
}

fn sources(cases: &mut Cases) {
    cases
        .must(&["D06", "D23"], "a file is bound on a file", |rt| {
            let source = host_file(rt, "source", "of the host")?;
            read_bound(
                rt,
                rt.bundle()?.mount("/etc/passwd", "bind", &source, &["bind"]),
                "/etc/passwd",
            )
        })
        .mutation(|config| bundle::remove(config, "/mounts/6"));
    cases
        .must(&["D06"], "a directory is bound on a directory", |rt| {
            host_file(rt, "directory/file", "of the host")?;
            let source = rt.directory().join("directory").to_string_lossy().into_owned();
            read_bound(rt, rt.bundle()?.mount("/mnt", "bind", &source, &["bind"]), "/mnt/file")
        })
        .mutation(|config| bundle::remove(config, "/mounts/6"));
    for kind in ["bind", "none", "", "tmpfs"] {
        cases.must(
            &["D06"],
            format!("the option bind makes a bind mount, whatever the type says ({kind:?})"),
            move |rt| {
                let source = host_file(rt, "source", "of the host")?;
                read_bound(
                    rt,
                    rt.bundle()?.mount("/etc/passwd", kind, &source, &["bind"]),
                    "/etc/passwd",
                )
            },
        );
    }
    cases.must(&["D06"], "a bind mount needs no type", |rt| {
        let source = host_file(rt, "source", "of the host")?;
        let mut bundle = rt.bundle()?;
        bundle.push(
            "/mounts",
            json!({ "destination": "/etc/passwd", "source": source, "options": ["bind"] }),
        );
        read_bound(rt, &bundle, "/etc/passwd")
    });
    cases.must(&["D05"], "a relative source is taken from the bundle", |rt| {
        let mut bundle = rt.bundle()?;
        fs::write(bundle.path().join("beside"), "of the host")?;
        read_bound(rt, bundle.mount("/etc/passwd", "bind", "beside", &["bind"]), "/etc/passwd")
    });
    cases
        .must(&["D23"], "a device node is bound", |rt| {
            let mut bundle = rt.bundle()?;
            bundle.file("/node", "")?;
            bundle.mount("/node", "bind", "/dev/zero", &["bind"]).probe(&["stat", "/node"]);
            let seen = rt.report(&bundle)?;
            let node = seen.allowed("stat", "/node")?;
            ensure_eq(
                "device",
                [node["major"].as_u64(), node["minor"].as_u64()],
                [Some(1), Some(5)],
            )
        })
        .mutation(|config| bundle::remove(config, "/mounts/6"));
    cases.must(&["D06"], "a source that does not exist is refused", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.mount("/mnt", "bind", "/no/such/source", &["bind"]);
        rt.run(&bundle, &[])?.refused().map(drop)
    });
    cases.must(&["D07"], "rbind takes the mounts below the source along", |rt| {
        below(rt, "rbind", true)
    });
    cases.must(&["D07"], "bind leaves the mounts below the source behind", |rt| {
        below(rt, "bind", false)
    });
}

fn read_bound(rt: &Runtime, bundle: &Bundle, path: &str) -> Outcome {
    let mut bundle = bundle.clone();
    bundle.probe(&["read", path]);
    ensure_eq(
        "content",
        rt.report(&bundle)?.allowed("read", path)?["text"].as_str(),
        Some("of the host"),
    )
}

fn below(rt: &Runtime, option: &str, expected: bool) -> Outcome {
    let source = rt.directory().join("tree");
    fs::create_dir_all(source.join("below"))?;
    let flags = rustix::mount::MountFlags::empty();
    rustix::mount::mount("tmpfs", source.join("below"), "tmpfs", flags, None)?;
    fs::write(source.join("below/file"), "x")?;
    let mut bundle = rt.bundle()?;
    bundle
        .mount("/mnt", "bind", &source.to_string_lossy(), &[option])
        .probe(&["stat", "/mnt/below/file"]);
    let seen = rt.report(&bundle);
    rustix::mount::unmount(source.join("below"), rustix::mount::UnmountFlags::empty())?;
    let probe = seen?.probe("stat", "/mnt/below/file")?.clone();
    ensure_eq("the file below is seen", probe["ok"].as_bool(), Some(expected))
}

fn destinations(cases: &mut Cases) {
    cases.must(&["D24"], "a destination that is missing is made, for a directory", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/root/readonly", false).mount("/new/deep/place", "tmpfs", "tmpfs", &[]);
        rt.report(&bundle)?.mount("/new/deep/place").map(drop)
    });
    cases.must(&["D24", "D23"], "a destination that is missing is made, for a file", |rt| {
        let source = host_file(rt, "source", "of the host")?;
        let mut bundle = rt.bundle()?;
        bundle.set("/root/readonly", false);
        read_bound(rt, bundle.mount("/new/deep/file", "bind", &source, &["bind"]), "/new/deep/file")
    });
    cases.should(&["D04"], "a relative destination is taken from the root", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.mount("mnt", "tmpfs", "tmpfs", &[]);
        rt.report(&bundle)?.mount("/mnt").map(drop)
    });
    cases.must(&["D24"], "a destination through an absolute link stays in the root", |rt| {
        stays(rt, "/")
    });
    cases.must(&["D24"], "a destination through a relative link stays in the root", |rt| {
        stays(rt, "../../../../../../../../")
    });
    cases.must(&["D24"], "a destination with .. stays in the root", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.mount("/../../../mnt", "tmpfs", "tmpfs", &[]);
        rt.report(&bundle)?.mount("/mnt").map(drop)
    });
    cases.must(&["D24"], "a dangling link as destination makes nothing on the host", |rt| {
        let mut bundle = rt.bundle()?;
        let outside = rt.directory().join("must-not-be-made");
        symlink(&outside, bundle.rootfs().join("dangling"))?;
        bundle.set("/root/readonly", false).mount("/dangling", "tmpfs", "tmpfs", &[]);
        // Whether it is refused or made inside is free.
        let output = rt.run(&bundle, &[])?;
        if output.code != 0 {
            output.refused()?;
        }
        ensure_eq("made on the host", outside.exists(), false)
    });
}

/// A link in the root that would lead to a directory of the host by `prefix`.
fn stays(rt: &Runtime, prefix: &str) -> Outcome {
    let mut bundle = rt.bundle()?;
    let outside = rt.directory().join("outside");
    fs::create_dir_all(&outside)?;
    let path = outside.to_string_lossy().into_owned();
    fs::create_dir_all(bundle.rootfs().join(path.trim_start_matches('/')))?;
    symlink(format!("{prefix}{}", path.trim_start_matches('/')), bundle.rootfs().join("link"))?;
    bundle.set("/root/readonly", false).mount("/link", "tmpfs", "tmpfs", &[]);
    let seen = rt.report(&bundle)?;
    seen.mount(&path)?;
    let host = fs::read_to_string("/proc/self/mountinfo")?;
    ensure_eq("mounted on the host", host.contains(&path), false)
}

fn cgroup_mount(rt: &Runtime) -> Outcome {
    let mut bundle = rt.bundle()?;
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", &["ro", "nosuid", "noexec", "nodev"]);
    let path = if harness::expected::cgroup_kind() == "v2" {
        "/sys/fs/cgroup/cgroup.procs"
    } else {
        "/sys/fs/cgroup/memory/cgroup.procs"
    };
    bundle.probe(&["read", path, "list", "/sys/fs/cgroup"]);
    let seen = rt.report(&bundle)?;
    let text = seen.allowed("read", path)?["text"].as_str().unwrap_or_default().to_owned();
    ensure_contains("processes of the cgroup", &text, "1\n")
}

//! Bad input: one clear error each, exit code 1, no panic, nothing left behind.

use std::fs;
use std::os::unix::fs::symlink;

use harness::{Bundle, Cases, Outcome, Runtime, ensure_eq};
use serde_json::{Value, json};

pub(crate) fn register(cases: &mut Cases) {
    cases.section("cli#bad-input", "");
    texts(cases);
    values(cases);
    files(cases);
    arguments(cases);
}

/// `create` is refused with code 1, in words.
fn refused(rt: &Runtime, bundle: &Bundle) -> Outcome {
    let call = rt.bundle_call("create", rt.id(), bundle, &[]);
    rt.finish_living(rt.id(), call)?.refused()?.exits(1).map(drop)
}

fn texts(cases: &mut Cases) {
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("an empty file", Vec::new()),
        ("blanks", b" \n\t ".to_vec()),
        ("a lone brace", b"{".to_vec()),
        ("null", b"null".to_vec()),
        ("a number", b"42".to_vec()),
        ("a list", b"[]".to_vec()),
        ("an empty object", b"{}".to_vec()),
        (
            "a config cut in the middle",
            b"{\"ociVersion\": \"1.0.2\", \"process\": {\"args\": [\"/che".to_vec(),
        ),
        ("something after the config", b"{\"ociVersion\": \"1.0.2\"} more".to_vec()),
        ("bytes that are no UTF-8", vec![b'{', b'"', 0xff, 0xfe, b'"', b':', b'1', b'}']),
        ("bytes of zero", vec![0; 4096]),
        ("lists nested 100,000 deep", [vec![b'['; 100_000], vec![b']'; 100_000]].concat()),
    ];
    for (what, text) in table {
        cases.cli(&["C25"], format!("a config.json that is {what} is refused"), move |rt| {
            let bundle = rt.bundle()?;
            bundle.write_text(&text)?;
            refused(rt, &bundle)
        });
    }
    cases
        .cli(&["C25"], "a config.json that is 100 MB of JSON without a config is refused", |rt| {
            let bundle = rt.bundle()?;
            let mut text = Vec::with_capacity(100 << 20);
            text.push(b'[');
            while text.len() < 100 << 20 {
                text.extend_from_slice(b"\"some text of no meaning, again and again\",");
            }
            text.extend_from_slice(b"1]");
            bundle.write_text(&text)?;
            let mut call = rt.bundle_call("create", rt.id(), &bundle, &[]);
            call.limit = std::time::Duration::from_secs(200);
            rt.finish_living(rt.id(), call)?.refused()?.exits(1).map(drop)
        })
        .limit(300);
    cases.cli(&["C25"], "a config.json that is a directory is refused", |rt| {
        let bundle = rt.bundle()?;
        fs::create_dir(bundle.path().join("config.json"))?;
        refused(rt, &bundle)
    });
    cases
        .cli(&["C25"], "a config.json that is missing is refused", |rt| refused(rt, &rt.bundle()?));
    cases.cli(&["C25"], "a config.json that is a dangling link is refused", |rt| {
        let bundle = rt.bundle()?;
        symlink("nowhere", bundle.path().join("config.json"))?;
        refused(rt, &bundle)
    });
    cases.cli(&["C25"], "a bundle that is missing is refused", |rt| {
        rt.command(&["create", "--bundle", "/no/such/bundle", rt.id()])?
            .refused()?
            .exits(1)
            .map(drop)
    });
}

/// What is wrong, where, and the value.
fn wrong() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("a number as ociVersion", "/ociVersion", json!(1)),
        ("an ociVersion that is none", "/ociVersion", json!("one")),
        ("an ociVersion 2.0.0", "/ociVersion", json!("2.0.0")),
        ("null as ociVersion", "/ociVersion", Value::Null),
        ("a text as process", "/process", json!("sh")),
        ("a text as args", "/process/args", json!("sh")),
        ("numbers in args", "/process/args", json!([1, 2])),
        ("null in args", "/process/args", json!(["/checker", null])),
        ("a zero byte in args", "/process/args", json!(["/checker", "a\u{0}b"])),
        ("a zero byte in the environment", "/process/env", json!(["A=a\u{0}b"])),
        ("a zero byte in cwd", "/process/cwd", json!("/a\u{0}b")),
        ("a zero byte in the hostname", "/hostname", json!("a\u{0}b")),
        ("a zero byte in root.path", "/root/path", json!("rootfs\u{0}")),
        ("a negative uid", "/process/user/uid", json!(-1)),
        ("a uid beyond 32 bits", "/process/user/uid", json!(1_u64 << 40)),
        ("a text as uid", "/process/user/uid", json!("root")),
        ("a fraction as gid", "/process/user/gid", json!(1.5)),
        ("an oomScoreAdj of a billion", "/process/oomScoreAdj", json!(1_000_000_000)),
        (
            "a negative rlimit",
            "/process/rlimits",
            json!([{ "type": "RLIMIT_NOFILE", "soft": -1, "hard": 1 }]),
        ),
        ("a text as rlimits", "/process/rlimits", json!("all")),
        ("a text as terminal", "/process/terminal", json!("yes")),
        ("a number as hostname", "/hostname", json!(7)),
        ("a hostname of 300 letters", "/hostname", json!("h".repeat(300))),
        ("a list as root", "/root", json!([])),
        ("a text as mounts", "/mounts", json!("none")),
        ("a mount without destination", "/mounts", json!([{ "type": "tmpfs", "source": "tmpfs" }])),
        (
            "a text as mount options",
            "/mounts",
            json!([{ "destination": "/mnt", "type": "tmpfs", "options": "ro" }]),
        ),
        ("a text as linux", "/linux", json!("yes")),
        ("a text as namespaces", "/linux/namespaces", json!("all")),
        ("a memory limit in words", "/linux/resources/memory/limit", json!("much")),
        ("a pids limit beyond 64 bits", "/linux/resources/pids/limit", json!(1e30)),
        ("a negative cpu share", "/linux/resources/cpu/shares", json!(-5)),
        ("a text as hooks", "/hooks", json!("none")),
        ("a hook without path", "/hooks/createRuntime", json!([{ "args": ["true"] }])),
        ("numbers as annotations", "/annotations", json!({ "key": 7 })),
        ("a text as seccomp", "/linux/seccomp", json!("on")),
        ("a cgroupsPath that leads out", "/linux/cgroupsPath", json!("/../../../../tmp/x\u{0}y")),
    ]
}

fn values(cases: &mut Cases) {
    for (what, pointer, value) in wrong() {
        cases.cli(&["C25"], format!("{what} is refused"), move |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set(pointer, value.clone());
            rt.write(&bundle)?;
            refused(rt, &bundle)
        });
    }
    for pointer in [
        "/process",
        "/process/user",
        "/process/args",
        "/process/cwd",
        "/root",
        "/root/path",
        "/linux",
    ] {
        cases.cli(
            &["C25"],
            format!("null at {pointer} is refused or taken as absent, without a panic"),
            move |rt| {
                let mut bundle = rt.bundle()?;
                bundle.set(pointer, Value::Null);
                rt.write(&bundle)?;
                let output =
                    rt.finish_living(rt.id(), rt.bundle_call("create", rt.id(), &bundle, &[]))?;
                if output.code == 0 { Ok(()) } else { output.refused().map(drop) }
            },
        );
    }
    cases.cli(&["C24"], "unknown members everywhere are ignored", |rt| {
        let mut bundle = rt.bundle()?;
        for pointer in [
            "/unknown",
            "/process/unknown",
            "/root/unknown",
            "/linux/unknown",
            "/linux/resources/unknown",
        ] {
            bundle.set(pointer, json!({ "deep": [1, null, "x"] }));
        }
        rt.report(&bundle).map(drop)
    });
    cases.cli(&["C24"], "null for what may be absent asks for nothing", |rt| {
        let mut bundle = rt.bundle()?;
        for pointer in [
            "/hooks",
            "/annotations",
            "/linux/seccomp",
            "/linux/sysctl",
            "/process/oomScoreAdj",
            "/domainname",
        ] {
            bundle.set(pointer, Value::Null);
        }
        rt.report(&bundle).map(drop)
    });
    for version in ["1.0.0", "1.0.2-dev", "1.1.0+build", "1.2.1", "1.3.0"] {
        cases.cli(&["C26"], format!("the ociVersion {version} is accepted"), move |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set("/ociVersion", version);
            rt.report(&bundle).map(drop)
        });
    }
}

fn files(cases: &mut Cases) {
    cases.cli(&["D01"], "a root filesystem that is a loop of links is refused", |rt| {
        let mut bundle = rt.bundle()?;
        symlink("loop", bundle.path().join("loop"))?;
        bundle.set("/root/path", "loop");
        rt.write(&bundle)?;
        refused(rt, &bundle)
    });
    cases.cli(&["D24"], "a destination that is a loop of links is refused", |rt| {
        let mut bundle = rt.bundle()?;
        symlink("loop", bundle.rootfs().join("loop"))?;
        bundle.mount("/loop", "tmpfs", "tmpfs", &[]);
        rt.write(&bundle)?;
        refused(rt, &bundle)
    });
    cases.cli(&["D24"], "a mount onto the root is made in the container or refused, and nothing happens to the host", |rt| {
        let before = fs::read_to_string("/proc/self/mountinfo")?;
        let mut bundle = rt.bundle()?;
        bundle.mount("/", "tmpfs", "tmpfs", &[]);
        let output = rt.run(&bundle, &[])?;
        if output.code != 0 {
            output.refused()?.exits(1)?;
        }
        ensure_eq("mounts of the host", fs::read_to_string("/proc/self/mountinfo")?, before)
    });
    cases.cli(&["D24"], "a destination below a file is refused", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.mount("/etc/passwd/below", "tmpfs", "tmpfs", &[]);
        rt.write(&bundle)?;
        refused(rt, &bundle)
    });
    cases.cli(&["D23"], "a directory bound on a file is refused", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.mount("/etc/passwd", "bind", &rt.root().to_string_lossy(), &["bind"]);
        rt.write(&bundle)?;
        refused(rt, &bundle)
    });
    cases.cli(&["C34", "T07"], "a passwd that is a FIFO does not hold the runtime up", |rt| {
        let bundle = rt.bundle()?;
        let path = bundle.rootfs().join("etc/passwd");
        fs::remove_file(&path)?;
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o644.into(), 0)?;
        rt.write(&bundle)?;
        let mut call = rt.bundle_call("run", rt.id(), &bundle, &[]);
        call.limit = std::time::Duration::from_secs(5);
        let output = rt.finish(call)?;
        if output.code == 0 { Ok(()) } else { output.refused().map(drop) }
    });
    cases.cli(&["C34", "T07"], "a passwd that leads out of the container is not read", |rt| {
        let mut bundle = rt.bundle()?;
        let outside = rt.directory().join("passwd");
        fs::write(&outside, "root:x:0:0:root:/from-the-host:/bin/sh\n")?;
        let path = bundle.rootfs().join("etc/passwd");
        fs::remove_file(&path)?;
        symlink(&outside, &path)?;
        bundle.set("/process/env", json!(["A=b"]));
        let seen = rt.report(&bundle)?;
        ensure_eq("HOME is the host's", seen.texts("/env").contains(&"HOME=/from-the-host"), false)
    });
}

fn arguments(cases: &mut Cases) {
    cases.cli(&["C25"], "arguments of 2 MB are refused in words", |rt| {
        let mut bundle = rt.bundle()?;
        let long = "x".repeat(2 << 20);
        bundle.args(&["/checker", &long]);
        rt.write(&bundle)?;
        // Whether create or start finds out is free: the limit is the kernel's.
        let created = rt.finish_living(rt.id(), rt.bundle_call("create", rt.id(), &bundle, &[]))?;
        if created.code != 0 {
            return created.refused()?.exits(1).map(drop);
        }
        rt.start()?.refused()?.exits(1).map(drop)
    });
    cases.cli(&["C25"], "an environment of 10,000 variables is passed", |rt| {
        let mut bundle = rt.bundle()?;
        let variables: Vec<String> =
            (0..10_000).map(|number| format!("V{number}={number}")).collect();
        bundle.set("/process/env", json!(variables));
        ensure_eq("variables", rt.report(&bundle)?.texts("/env").len() >= 10_000, true)
    });
    cases.cli(&["C01"], "an id of 5,000 letters is refused", |rt| {
        let bundle = rt.bundle()?;
        rt.write(&bundle)?;
        let id = "i".repeat(5000);
        rt.finish(rt.bundle_call("create", &id, &bundle, &[]))?.refused()?.exits(1).map(drop)
    });
    cases.cli(&["C25"], "two ids are refused", |rt| {
        rt.command(&["state", rt.id(), "another"])?.refused()?.exits(1).map(drop)
    });
}

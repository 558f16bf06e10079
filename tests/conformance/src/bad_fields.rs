//! Bad input, field by field: null, wrong types and huge numbers at every place of a config.

use std::fs;
use std::os::unix::fs::symlink;

use harness::{Bundle, Cases, Outcome, Runtime, ensure_eq};
use serde_json::{Value, json};

pub(crate) fn register(cases: &mut Cases) {
    cases.section("cli#bad-input", "");
    for (what, value) in [
        ("null", Value::Null),
        ("a text", json!("text")),
        ("a number", json!(7)),
        ("a number beyond 64 bits", json!(1e300)),
        ("a negative number", json!(-1)),
        ("true", json!(true)),
        ("an empty list", json!([])),
        ("an empty object", json!({})),
        ("a list of null", json!([null])),
        ("a text with a zero byte", json!("a\u{0}b")),
    ] {
        cases
            .cli(
                &["C24", "C25"],
                format!("{what} at any place of a config is taken or refused, without a panic"),
                move |rt| everywhere(rt, &value),
            )
            .limit(300);
    }
    users(cases);
    roots(cases);
    texts(cases);
}

/// A config with a value at many places that engines use.
fn full(rt: &Runtime) -> anyhow::Result<Bundle> {
    let mut bundle = rt.bundle()?;
    bundle
        .set("/process/rlimits", json!([{ "type": "RLIMIT_CORE", "soft": 0, "hard": 0 }]))
        .set("/process/user", json!({ "uid": 0, "gid": 0, "umask": 18, "additionalGids": [5] }))
        .set("/process/oomScoreAdj", 100)
        .set("/annotations", json!({ "key": "value" }))
        .set(
            "/linux/devices",
            json!([{ "path": "/dev/mine", "type": "c", "major": 1, "minor": 5 }]),
        )
        .set("/linux/sysctl", json!({ "kernel.msgmni": "778" }))
        .set("/linux/rootfsPropagation", "private")
        .set("/linux/cgroupsPath", rt.id())
        .set("/linux/resources/pids", json!({ "limit": 77 }))
        .set("/linux/resources/memory", json!({ "limit": 128 << 20 }))
        .set("/linux/resources/cpu", json!({ "shares": 512, "cpus": "0" }))
        .set("/hooks", json!({ "createRuntime": [{ "path": "/bin/true", "timeout": 5 }] }));
    let rule = json!({ "names": ["dup"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77 });
    bundle.set("/linux/seccomp", crate::seccomp::profile(json!([rule])));
    Ok(bundle)
}

/// Pointers to every place of a config but the elements of long lists after the first.
fn places(config: &Value, at: &str, found: &mut Vec<String>) {
    match config {
        Value::Object(members) => {
            for (key, value) in members {
                let pointer = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                found.push(pointer.clone());
                places(value, &pointer, found);
            }
        }
        Value::Array(elements) => {
            if let Some(first) = elements.first() {
                let pointer = format!("{at}/0");
                found.push(pointer.clone());
                places(first, &pointer, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Puts the value at one place after the other. What is refused is refused in words, with exit code 1, and leaves no
/// container; what is taken can be deleted. The watch of the frame looks for everything else.
fn everywhere(rt: &Runtime, value: &Value) -> Outcome {
    let mut bundle = full(rt)?;
    let whole = bundle.config.clone();
    rt.create(&bundle, &[])?.ok()?;
    rt.delete(&["--force"])?.ok()?;
    let mut pointers = Vec::new();
    places(&whole, "", &mut pointers);
    for pointer in pointers {
        bundle.config = whole.clone();
        if let Some(place) = bundle.config.pointer_mut(&pointer) {
            *place = value.clone();
        }
        bundle.write(None)?;
        let output = rt.bundle_call("create", rt.id(), &bundle, &[]).run()?;
        if output.code == 0 {
            rt.call(["delete", "--force", rt.id()]).run()?.ok()?;
            continue;
        }
        let said = anyhow::Context::with_context(output.refused(), || pointer.clone())?;
        ensure_eq(&format!("exit code, {pointer}"), said.code, 1)?;
        let left = fs::read_dir(rt.root())?.count();
        ensure_eq(&format!("states left, {pointer}"), left, 0)?;
    }
    Ok(())
}

fn refused(rt: &Runtime, bundle: &Bundle) -> Outcome {
    rt.create(bundle, &[])?.refused()?.exits(1).map(drop)
}

fn users(cases: &mut Cases) {
    for (what, pointer) in [("uid", "/process/user/uid"), ("gid", "/process/user/gid")] {
        cases.cli(
            &["C25"],
            format!("the {what} that means none, 2^32 - 1, is refused"),
            move |rt| {
                let mut bundle = rt.bundle()?;
                bundle.set(pointer, u32::MAX);
                refused(rt, &bundle)
            },
        );
    }
    for (what, args) in [
        ("with a path", json!(["/no/such/program"])),
        ("without a path", json!(["no-such-program"])),
        ("that is empty", json!([""])),
        ("below a file", json!(["/etc/passwd/program"])),
    ] {
        cases.cli(
            &["C25"],
            format!("a program {what} that is not there leaves nothing"),
            move |rt| {
                let mut bundle = rt.bundle()?;
                bundle.set("/process/args", args.clone());
                refused(rt, &bundle)
            },
        );
    }
}

fn roots(cases: &mut Cases) {
    cases.cli(&["D01"], "a root filesystem that is missing leaves nothing", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/root/path", "no-such-directory");
        refused(rt, &bundle)?;
        let made = bundle.path().join("no-such-directory").exists();
        ensure_eq("the directory was made", made, false)
    });
    for (what, target) in [("absolute", "/"), ("relative", "../../../../../../../../../")] {
        cases.cli(
            &["D24"],
            format!("a mount through a link to an {what} root of the host stays inside"),
            move |rt| {
                let outside = rt.directory().join("outside");
                fs::create_dir(&outside)?;
                let mut bundle = rt.bundle()?;
                symlink(target, bundle.rootfs().join("host"))?;
                let through = format!("/host{}", outside.display());
                bundle.set("/root/readonly", false).mount(&through, "tmpfs", "not-outside", &[]);
                bundle.probe(&["sleep-until-signal"]);
                let created = rt.create(&bundle, &[])?;
                let host = fs::read_to_string("/proc/self/mountinfo")?;
                ensure_eq("is mounted on the host", host.contains("not-outside"), false)?;
                if created.code != 0 {
                    return created.refused().map(drop);
                }
                let inside = fs::read_to_string(format!("/proc/{}/mountinfo", rt.pid()?))?;
                ensure_eq("is mounted inside", inside.contains("not-outside"), true)
            },
        );
    }
}

fn texts(cases: &mut Cases) {
    cases
        .cli(&["C25"], "a config of 100 MB with one huge text is taken or refused", |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set("/annotations", json!({ "huge": "x".repeat(100 << 20) }));
            bundle.write(None)?;
            let mut call = rt.bundle_call("create", rt.id(), &bundle, &[]);
            call.limit = std::time::Duration::from_secs(200);
            // Its config would not be of use in the message of a failure.
            let output = rt.finish_living(rt.id(), call)?;
            if output.code == 0 { Ok(()) } else { output.refused()?.exits(1).map(drop) }
        })
        .limit(300);
    cases.cli(&["C25"], "2 MB in the arguments altogether are refused in words", |rt| {
        let mut bundle = rt.bundle()?;
        let mut words = vec![String::from("/checker")];
        words.extend(std::iter::repeat_n("x".repeat(100_000), 90));
        bundle.set("/process/args", json!(words));
        bundle.write(None)?;
        let created = rt.finish_living(rt.id(), rt.bundle_call("create", rt.id(), &bundle, &[]))?;
        if created.code != 0 {
            return created.refused()?.exits(1).map(drop);
        }
        rt.start()?.refused()?.exits(1).map(drop)
    });
    for command in ["state", "start", "kill", "delete", "exec", "ps"] {
        for id in ["..", "a/b", "../../etc", "/absolute"] {
            cases.cli(&["C01", "C25"], format!("{command} of the id {id} is refused"), move |rt| {
                let mut words = vec![command, id];
                words.extend(["/bin/true"].iter().filter(|_| command == "exec"));
                // 255 is what engines tell from the codes of exec's program.
                let code = if command == "exec" { 255 } else { 1 };
                rt.command(&words)?.refused()?.exits(code).map(drop)
            });
        }
    }
}

//! `config.md#posix-platform-hooks` and the steps of `runtime.md#lifecycle` that run them.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use harness::{Bundle, Cases, Outcome, Runtime, bundle, ensure_contains, ensure_eq, wait};
use serde_json::{Value, json};

/// Kind, status in the state it gets, version of the specification.
const KINDS: [(&str, &[&str], &str); 6] = [
    ("prestart", &["creating", "created"], "1.0.0"),
    ("createRuntime", &["creating", "created"], "1.0.2"),
    ("createContainer", &["creating", "created"], "1.0.2"),
    ("startContainer", &["created"], "1.0.2"),
    ("poststart", &["running"], "1.0.0"),
    ("poststop", &["stopped"], "1.0.0"),
];

/// Hooks that run before the program: their failure ends the container.
const BEFORE: [&str; 4] = ["prestart", "createRuntime", "createContainer", "startContainer"];

pub(crate) fn register(cases: &mut Cases) {
    for (kind, statuses, since) in KINDS {
        cases.section("config.md#posix-platform-hooks", since);
        cases
            .must(&["C12"], format!("a {kind} hook runs"), move |rt| runs(rt, kind))
            .mutation(no_hooks);
        cases.must(&["C20"], format!("a {kind} hook gets the container's state"), move |rt| {
            state(rt, kind, statuses)
        });
        cases.must(
            &["C19"],
            format!("a {kind} hook gets its arguments and environment"),
            move |rt| environment(rt, kind),
        );
        cases.must(&["C19"], format!("a {kind} hook with a relative path is refused"), move |rt| {
            let mut bundle = rt.bundle()?;
            bundle.push(&format!("/hooks/{kind}"), json!({ "path": "bin/true" }));
            rt.run(&bundle, &[])?.refused().map(drop)
        });
        cases.must(
            &["C12"],
            format!("two {kind} hooks run in the order of the config"),
            move |rt| two(rt, kind),
        );
        if BEFORE.contains(&kind) {
            cases.must(
                &["C14", "C15"],
                format!("a {kind} hook that fails stops the container"),
                move |rt| fails(rt, kind),
            );
            cases.must(
                &["C19"],
                format!("a {kind} hook that takes longer than its timeout fails"),
                move |rt| slow(rt, kind),
            );
        }
    }
    cases.section("runtime.md#lifecycle", "1.0.2");
    cases.must(&["C12"], "the hooks run in the order of the life cycle", order);
    cases.must(
        &["C12"],
        "create runs the hooks up to createContainer, start those up to poststart",
        by_command,
    );
    cases
        .must(&["C14"], "the poststop hooks run after a failed createRuntime hook", |rt| {
            let mut bundle = rt.bundle()?;
            let log = hook_log(rt)?;
            bundle.hook("createRuntime", &FAILING);
            append(&mut bundle, "poststop", &log, "poststop");
            rt.run(&bundle, &[])?.refused()?;
            ensure_eq("poststop ran", fs::read_to_string(&log)?.as_str(), "poststop\n")
        })
        .mutation(no_hooks);
    cases.must(
        &["C17"],
        "the other poststop hooks run after one that fails, and delete succeeds",
        |rt| {
            let mut bundle = rt.bundle()?;
            let log = hook_log(rt)?;
            bundle.hook("poststop", &FAILING);
            append(&mut bundle, "poststop", &log, "second");
            rt.run(&bundle, &[])?.ok()?;
            ensure_eq("the second ran", fs::read_to_string(&log)?.as_str(), "second\n")
        },
    );
    cases
        .must(&["C18"], "poststop hooks run when delete is called, not before", |rt| {
            let mut bundle = rt.bundle()?;
            let log = hook_log(rt)?;
            append(&mut bundle, "poststop", &log, "poststop");
            rt.create(&bundle, &[])?.ok()?;
            let pid = rt.pid()?;
            rt.start()?.ok()?;
            wait::exit_code(pid)?;
            rt.state()?;
            ensure_eq("ran before delete", fs::read_to_string(&log)?.as_str(), "")?;
            rt.delete(&[])?.ok()?;
            ensure_eq("ran with delete", fs::read_to_string(&log)?.as_str(), "poststop\n")
        })
        .mutation(no_hooks);
    cases.section("runtime.md#lifecycle", "1.3.0");
    cases.must(&["C16"], "a poststart hook that fails stops the container (since 1.3)", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.probe(&["sleep-until-signal"]).hook("poststart", &FAILING);
        rt.create(&bundle, &[])?.ok()?;
        let pid = rt.pid()?;
        rt.start()?.refused()?;
        wait::exit_code(pid)?;
        ensure_eq(
            "is stopped or gone",
            rt.command(&["state", rt.id()])?.stdout().contains("running"),
            false,
        )
    });
    cases.section("runtime.md#lifecycle", "1.0.0");
    cases
        .must(&["C13"], "the poststart hooks run after the program was started", |rt| {
            let out = rt.directory().join("program");
            let mut bundle = rt.bundle()?;
            let pid = "grep -o '\"pid\": *[0-9]*' | grep -o '[0-9]*'";
            let script = format!("readlink /proc/$({pid})/exe > {}", out.display());
            bundle.probe(&["sleep-until-signal"]).hook("poststart", &["/bin/sh", "-c", &script]);
            rt.create(&bundle, &[])?.ok()?;
            rt.start()?.ok()?;
            ensure_eq("runs then", fs::read_to_string(out)?.trim_end().ends_with("/checker"), true)
        })
        .mutation(no_hooks);
    namespaces(cases);
}

fn no_hooks(config: &mut Value) {
    bundle::remove(config, "/hooks");
}

/// An empty file on the host, which hooks of the host append to.
fn hook_log(rt: &Runtime) -> anyhow::Result<PathBuf> {
    let path = rt.directory().join("hook-log");
    fs::write(&path, "")?;
    Ok(path)
}

/// A hook that fails. It reads its input, since not to do so is another case.
const FAILING: [&str; 3] = ["/bin/sh", "-c", "cat > /dev/null; exit 1"];

fn append(bundle: &mut Bundle, kind: &str, log: &std::path::Path, word: &str) {
    bundle.hook(
        kind,
        &["/bin/sh", "-c", &format!("cat > /dev/null; echo {word} >> {}", log.display())],
    );
}

/// A bundle whose hook runs a script that writes to `$out`, and what it wrote. A startContainer hook runs in
/// the container, whose `/mnt` is a directory of the host.
fn hooked(rt: &Runtime, kind: &str, hook: &Value, script: &str) -> anyhow::Result<String> {
    let directory = rt.directory().join("out");
    fs::create_dir_all(&directory)?;
    let mut bundle = rt.bundle()?;
    bundle.mount("/mnt", "bind", &directory.to_string_lossy(), &["bind"]);
    let out = if kind == "startContainer" {
        String::from("/mnt/hook")
    } else {
        format!("{}/hook", directory.display())
    };
    let mut hook = hook.clone();
    hook["path"] = json!("/bin/sh");
    let mut arguments = vec![
        String::from("sh"),
        String::from("-c"),
        format!("out={out}; {script}; cat > /dev/null"),
    ];
    arguments.extend(
        hook["args"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|word| word.as_str().map(String::from)),
    );
    hook["args"] = json!(arguments);
    bundle.push(&format!("/hooks/{kind}"), hook);
    rt.run(&bundle, &[])?.ok()?;
    fs::read_to_string(directory.join("hook")).context("the hook wrote nothing")
}

fn runs(rt: &Runtime, kind: &str) -> Outcome {
    ensure_eq("written", hooked(rt, kind, &json!({}), "echo ran >> $out")?.as_str(), "ran\n")
}

fn state(rt: &Runtime, kind: &str, statuses: &[&str]) -> Outcome {
    let text = hooked(rt, kind, &json!({}), "cat > $out")?;
    let state: Value =
        serde_json::from_str(&text).with_context(|| format!("not JSON: {text:?}"))?;
    ensure_eq("id", state["id"].as_str(), Some(rt.id()))?;
    ensure_eq("bundle", state["bundle"].as_str(), rt.directory().join("bundle0").to_str())?;
    ensure_contains("ociVersion", state["ociVersion"].as_str().unwrap_or_default(), "1.")?;
    let status = state["status"].as_str().unwrap_or_default();
    ensure_eq(&format!("{status} is one of {statuses:?}"), statuses.contains(&status), true)?;
    if kind != "poststop" {
        ensure_eq("has a pid", state["pid"].as_i64().is_some_and(|pid| pid > 0), true)?;
    }
    Ok(())
}

fn environment(rt: &Runtime, kind: &str) -> Outcome {
    let hook = json!({ "args": ["zero", "two words", ""], "env": ["FIRST=1", "SECOND=a b"] });
    let text = hooked(rt, kind, &hook, "echo \"$FIRST|$SECOND|$#|$1|$2\" > $out")?;
    ensure_eq("seen by the hook", text.as_str(), "1|a b|2|two words|\n")
}

fn two(rt: &Runtime, kind: &str) -> Outcome {
    let directory = rt.directory().join("out");
    fs::create_dir_all(&directory)?;
    let mut bundle = rt.bundle()?;
    bundle.mount("/mnt", "bind", &directory.to_string_lossy(), &["bind"]);
    let log =
        if kind == "startContainer" { PathBuf::from("/mnt/log") } else { directory.join("log") };
    append(&mut bundle, kind, &log, "first");
    append(&mut bundle, kind, &log, "second");
    rt.run(&bundle, &[])?.ok()?;
    ensure_eq("order", fs::read_to_string(directory.join("log"))?.as_str(), "first\nsecond\n")
}

fn fails(rt: &Runtime, kind: &str) -> Outcome {
    let mut bundle = rt.bundle()?;
    bundle.hook(kind, &FAILING);
    let output = rt.run(&bundle, &[])?.refused()?;
    ensure_eq("output of the program", output.stdout().as_str(), "")
}

fn slow(rt: &Runtime, kind: &str) -> Outcome {
    let mut bundle = rt.bundle()?;
    bundle.push(
        &format!("/hooks/{kind}"),
        json!({ "path": "/bin/sleep", "args": ["sleep", "60"], "timeout": 1 }),
    );
    rt.run(&bundle, &[])?.refused().map(drop)
}

fn order(rt: &Runtime) -> Outcome {
    let directory = rt.directory().join("out");
    fs::create_dir_all(&directory)?;
    let mut bundle = rt.bundle()?;
    bundle.mount("/mnt", "bind", &directory.to_string_lossy(), &["bind"]);
    for (kind, _, _) in KINDS {
        let log = if kind == "startContainer" {
            PathBuf::from("/mnt/log")
        } else {
            directory.join("log")
        };
        append(&mut bundle, kind, &log, kind);
    }
    bundle.shell("echo program >> /mnt/log");
    rt.create(&bundle, &[])?.ok()?;
    let pid = rt.pid()?;
    rt.start()?.ok()?;
    wait::exit_code(pid)?;
    rt.delete(&[])?.ok()?;
    let log = fs::read_to_string(directory.join("log"))?;
    let found: Vec<&str> = log.lines().collect();
    let before = ["prestart", "createRuntime", "createContainer", "startContainer"];
    ensure_eq("hooks before the program", found.get(..4).unwrap_or_default(), before.as_slice())?;
    // The program and the poststart hooks may overlap.
    let mut middle: Vec<&str> = found.get(4..6).unwrap_or_default().to_vec();
    middle.sort_unstable();
    ensure_eq("the program and the hooks after its start", middle, vec!["poststart", "program"])?;
    ensure_eq("the last", found.get(6..).unwrap_or_default(), ["poststop"].as_slice())
}

fn by_command(rt: &Runtime) -> Outcome {
    let directory = rt.directory().join("out");
    fs::create_dir_all(&directory)?;
    let mut bundle = rt.bundle()?;
    bundle
        .mount("/mnt", "bind", &directory.to_string_lossy(), &["bind"])
        .probe(&["sleep-until-signal"]);
    for (kind, _, _) in KINDS {
        let log = if kind == "startContainer" {
            PathBuf::from("/mnt/log")
        } else {
            directory.join("log")
        };
        append(&mut bundle, kind, &log, kind);
    }
    let log = || fs::read_to_string(directory.join("log")).unwrap_or_default();
    rt.create(&bundle, &[])?.ok()?;
    ensure_eq("after create", log().as_str(), "prestart\ncreateRuntime\ncreateContainer\n")?;
    rt.start()?.ok()?;
    ensure_contains("after start", &log(), "createContainer\nstartContainer\npoststart\n")
}

fn namespaces(cases: &mut Cases) {
    cases.section("config.md#posix-platform-hooks", "1.0.2");
    for (kind, inside) in [
        ("prestart", false),
        ("createRuntime", false),
        ("createContainer", true),
        ("poststart", false),
        ("poststop", false),
    ] {
        let place = if inside { "the container's" } else { "the runtime's" };
        cases.must(&["C12"], format!("a {kind} hook runs in {place} mount namespace"), move |rt| {
            let own = fs::read_link("/proc/self/ns/mnt")?.to_string_lossy().into_owned();
            let found = hooked(rt, kind, &json!({}), "readlink /proc/self/ns/mnt > $out")?;
            ensure_eq("is the runtime's", found.trim() == own, !inside)
        });
    }
    cases.must(&["C12"], "a startContainer hook runs in the container", |rt| {
        let found = hooked(
            rt,
            "startContainer",
            &json!({}),
            "readlink /proc/self/exe; ls -d /checker > $out",
        )?;
        ensure_eq("the checker is there", found.trim(), "/checker")
    });
    cases.must(&["C12"], "a createContainer hook runs before the root is changed", |rt| {
        let found = hooked(rt, "createContainer", &json!({}), "ls -d /usr/bin/env > $out")?;
        ensure_eq("the host's file is there", found.trim(), "/usr/bin/env")
    });
    cases.section("cli#hooks", "");
    cases.cli(&["C22"], "a hook without env has none of the caller's environment", |rt| {
        let out = rt.directory().join("hook-env");
        let mut bundle = rt.bundle()?;
        bundle.hook("createRuntime", &["/bin/sh", "-c", &format!("env > {}", out.display())]);
        rt.write(&bundle)?;
        let call = rt.bundle_call("run", rt.id(), &bundle, &[]).env("FROM_THE_CALLER", "1");
        rt.finish(call)?.ok()?;
        ensure_eq("has it", fs::read_to_string(out)?.contains("FROM_THE_CALLER"), false)
    });
    cases.cli(&["C20"], "a hook that does not read its input is no error", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/annotations", json!({ "large": "x".repeat(200_000) }));
        bundle.hook("createRuntime", &["/bin/true"]);
        rt.run(&bundle, &[])?.ok().map(drop)
    });
    for (kind, remark) in [("createRuntime", " (Debian's peers do not let it)"), ("poststart", "")]
    {
        cases.cli(
            &["T06"],
            format!("a {kind} hook can call state of its container{remark}"),
            move |rt| {
                let out = rt.directory().join("hook-state");
                let (binary, root) = (rt.binary().display(), rt.root());
                let state = format!(
                    "{binary} --root {} state {} > {}",
                    root.display(),
                    rt.id(),
                    out.display()
                );
                let mut bundle = rt.bundle()?;
                bundle.hook(kind, &["/bin/sh", "-c", &format!("cat > /dev/null; {state}")]);
                rt.run(&bundle, &[])?.ok()?;
                ensure_contains("state", &fs::read_to_string(out)?, rt.id())
            },
        );
    }
}

//! `runtime.md#state`, `runtime.md#query-state`.

use std::fs;

use anyhow::Context;
use harness::{Bundle, Cases, Outcome, Runtime, bundle, ensure_contains, ensure_eq, wait};
use serde_json::{Value, json};

pub(crate) fn register(cases: &mut Cases) {
    cases.section("runtime.md#state", "1.0.0");
    cases.must(&["B20"], "state has a version of the specification in ociVersion", |rt| {
        let version = member(rt, "ociVersion")?;
        ensure_eq(
            "ociVersion begins with 1.",
            version.as_str().map(|text| text.starts_with("1.")),
            Some(true),
        )
    });
    cases.must(&["B20"], "state has the container's id", |rt| {
        ensure_eq("id", member(rt, "id")?.as_str(), Some(rt.id()))
    });
    cases.must(&["B20"], "state has the absolute path of the bundle", |rt| {
        let expected = rt.directory().join("bundle0");
        ensure_eq("bundle", member(rt, "bundle")?.as_str(), expected.to_str())
    });
    cases.must(
        &["B20"],
        "a bundle given by a relative path has an absolute one in state",
        relative_bundle,
    );
    cases.must(&["B20"], "the pid in state is that of the container's process on the host", pid);
    cases
        .must(&["B20"], "state has the annotations of the config", annotations)
        .mutation(|config| bundle::remove(config, "/annotations"));
    cases.may(&["B20"], "without annotations state has none, or an empty map", |rt| {
        let annotations = member(rt, "annotations")?;
        ensure_eq(
            "no annotations",
            annotations.as_object().is_none_or(serde_json::Map::is_empty),
            true,
        )
    });
    cases.section("runtime.md#query-state", "1.0.0");
    cases.must(&["B20"], "state of an absent container is refused", |rt| {
        rt.command(&["state", rt.id()])?.refused().map(drop)
    });
    cases.must(&["B20"], "state without an id is refused", |rt| {
        rt.command(&["state"])?.refused().map(drop)
    });
    cases.must(&["B20"], "state of a stopped container is still told", stopped);
    cases.section("cli#state", "");
    cases.cli(&["B21"], "state tells the root filesystem of the container", |rt| {
        let rootfs = member(rt, "rootfs")?;
        let expected = rt.directory().join("bundle0/rootfs");
        ensure_eq("rootfs", rootfs.as_str(), expected.to_str())
    });
    cases.cli(&["B21"], "state tells when the container was created, as RFC 3339", |rt| {
        let created = member(rt, "created")?;
        let text = created.as_str().context("no time")?;
        let form = text.len() >= 20 && text.get(4..5) == Some("-") && text.get(10..11) == Some("T");
        ensure_eq(&format!("{text} is a time"), form, true)?;
        let seconds = rt.finish(rt.program("/bin/date").args(["--date", text, "+%s"]))?.ok()?;
        let seconds: u64 = seconds.stdout().trim().parse().context("the time in seconds")?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
        ensure_eq(
            &format!("{text} is just now"),
            (now.saturating_sub(300)..=now).contains(&seconds),
            true,
        )
    });
    cases.cli(&["B21"], "the pid of a stopped container is 0, or left out", stopped_pid);
}

fn member(rt: &Runtime, name: &str) -> anyhow::Result<Value> {
    rt.create(&rt.bundle()?, &[])?.ok()?;
    Ok(rt.state()?[name].clone())
}

fn relative_bundle(rt: &Runtime) -> Outcome {
    let bundle = rt.bundle()?;
    rt.write(&bundle)?;
    let mut call = rt.call(["create", "--bundle", "bundle0", rt.id()]);
    call.command.current_dir(rt.directory());
    rt.finish_living(rt.id(), call)?.ok()?;
    ensure_eq("bundle", rt.state()?["bundle"].as_str(), bundle.path().to_str())
}

fn pid(rt: &Runtime) -> Outcome {
    rt.running(&mut rt.bundle()?)?;
    let command = fs::read_to_string(format!("/proc/{}/cmdline", rt.pid()?))?;
    ensure_contains("command line of the process", &command, "/checker\0sleep-until-signal")
}

fn annotations(rt: &Runtime) -> Outcome {
    let mut bundle = rt.bundle()?;
    let expected = json!({ "org.example.first": "1", "org.example.empty": "", "org.example.text": "a \"quoted\" ü" });
    bundle.set("/annotations", expected.clone());
    rt.create(&bundle, &[])?.ok()?;
    ensure_eq("annotations", &rt.state()?["annotations"], &expected)
}

fn end(rt: &Runtime, bundle: &Bundle) -> Outcome {
    rt.create(bundle, &[])?.ok()?;
    let pid = rt.pid()?;
    rt.start()?.ok()?;
    wait::exit_code(pid)?;
    Ok(())
}

fn stopped(rt: &Runtime) -> Outcome {
    let bundle = rt.bundle()?;
    end(rt, &bundle)?;
    let state = rt.state()?;
    ensure_eq("status", state["status"].as_str(), Some("stopped"))?;
    ensure_eq("bundle", state["bundle"].as_str(), bundle.path().to_str())?;
    ensure_eq("id", state["id"].as_str(), Some(rt.id()))
}

fn stopped_pid(rt: &Runtime) -> Outcome {
    end(rt, &rt.bundle()?)?;
    ensure_eq("pid", rt.state()?["pid"].as_i64().unwrap_or(0), 0)
}

//! Hooks of the user's, from a directory that podman reads.

use std::fs;

use anyhow::Context;
use harness::{Cases, Outcome, Output, ensure_eq};
use serde_json::{Value, json};

use super::{Podman, case};
use crate::row::clean;

pub(super) fn register(cases: &mut Cases) {
    cases.section("podman#hooks", "");
    case(cases, "a prestart hook gets the state of the created container", prestart);
    case(cases, "the hooks of all stages run, in their order", all);
    case(cases, "a hook that fails keeps the container from running", fails);
}

/// `run` with a hook of these arguments of `sh -c`, at this stage.
fn run(
    podman: &Podman<'_>,
    hooks: &[(&str, String)],
    flags: &[&str],
    command: &[&str],
) -> anyhow::Result<Output> {
    let directory = podman.rt.directory().join("hooks");
    fs::create_dir(&directory)?;
    for (stage, script) in hooks {
        let hook = json!({
            "version": "1.0.0",
            "hook": { "path": "/bin/sh", "args": ["sh", "-c", script] },
            "when": { "always": true },
            "stages": [stage],
        });
        fs::write(directory.join(format!("{stage}.json")), hook.to_string())?;
    }
    let mut words = vec![format!("--hooks-dir={}", directory.display())];
    words.extend(podman.container("run", &[&["--rm"], flags].concat()));
    words.extend(command.iter().copied().map(String::from));
    podman.podman(&words)
}

fn prestart(podman: &Podman<'_>) -> Outcome {
    let state = podman.rt.directory().join("state.json");
    let hook = ("prestart", format!("cat >{}", state.display()));
    run(podman, &[hook], &[], &["true"])?.ok()?;
    let state: Value = serde_json::from_slice(&fs::read(&state).context("the hook did not run")?)?;
    // Runtimes do not agree on whether the container is created by then.
    let status = state["status"].as_str().unwrap_or_default();
    ensure_eq(&format!("status {status}"), ["creating", "created"].contains(&status), true)?;
    ensure_eq("the hook knows the process", state["pid"].as_i64() > Some(0), true)?;
    ensure_eq("length of the id", state["id"].as_str().map(str::len), Some(64))
}

fn all(podman: &Podman<'_>) -> Outcome {
    let share = podman.share().display().to_string();
    let on_the_host = |stage| (stage, format!("echo {stage} >>{share}/order"));
    let inside = ("startContainer", String::from("echo startContainer >>/share/order"));
    let hooks = [
        on_the_host("prestart"),
        on_the_host("createRuntime"),
        on_the_host("createContainer"),
        inside,
        on_the_host("poststop"),
    ];
    let volume = format!("--volume={share}:/share");
    let command = ["sh", "-c", "echo command >>/share/order"];
    run(podman, &hooks, &[&volume], &command)?.ok()?;
    let order = clean(&fs::read_to_string(podman.share().join("order"))?);
    let expected = "prestart createRuntime createContainer startContainer command poststop";
    ensure_eq(
        "the order",
        order.split_whitespace().collect::<Vec<_>>().join(" ").as_str(),
        expected,
    )
}

fn fails(podman: &Podman<'_>) -> Outcome {
    let hook = ("prestart", String::from("exit 3"));
    let output = run(podman, &[hook], &[], &["echo", "ran"])?.exits(126)?;
    ensure_eq("output", clean(&output.stdout()).as_str(), "")
}

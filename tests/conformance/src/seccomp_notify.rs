//! `config-linux.md#seccomp`: notifications, and what the compiled filter does besides its rules.

use anyhow::Context;
use harness::agent::{self, Agent};
use harness::{Bundle, Cases, Outcome, Report, Runtime, ensure_eq};
use serde_json::{Value, json};

pub(crate) fn register(cases: &mut Cases) {
    cases.section("config-linux.md#seccomp", "1.1.0");
    cases.must(
        &["K11"],
        "the agent at listenerPath gets the filter's fd and answers for the kernel",
        |rt| {
            let (seen, _) = with_agent(rt, &json!(null))?;
            ensure_eq(
                "what the call returned",
                seen.allowed("syscall", CALL)?.clone(),
                json!({ "errno": 88 }),
            )
        },
    );
    cases.must(&["K11"], "the agent gets listenerMetadata", |rt| {
        let (_, state) = with_agent(rt, &json!("some metadata"))?;
        ensure_eq("metadata", state["metadata"].as_str(), Some("some metadata"))
    });
    for (pointer, expected) in [("/fds/0", "seccompFd"), ("/state/status", "creating")] {
        cases.must(
            &["K11"],
            format!("the message to the agent has {expected} at {pointer}"),
            move |rt| {
                let (_, state) = with_agent(rt, &json!(null))?;
                ensure_eq(pointer, state.pointer(pointer).and_then(Value::as_str), Some(expected))
            },
        );
    }
    cases.must(
        &["K11"],
        "the message to the agent has version, pid and the container's state",
        |rt| {
            let (_, state) = with_agent(rt, &json!(null))?;
            ensure_eq("id", state["state"]["id"].as_str(), Some(rt.id()))?;
            ensure_eq(
                "ociVersion",
                state["ociVersion"].as_str().is_some_and(|text| text.starts_with("1.")),
                true,
            )?;
            ensure_eq("pid", state["pid"].as_u64().is_some_and(|pid| pid > 0), true)
        },
    );
    cases.must(&["K11"], "a listenerPath where no one listens is refused", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/seccomp", profile("/no/such/socket", &json!(null)));
        rt.run(&bundle, &[])?.refused().map(drop)
    });
    cases.must(&["K11"], "SCMP_ACT_NOTIFY without listenerPath is refused", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/seccomp", profile("", &json!(null)));
        bundle.remove("/linux/seccomp/listenerPath");
        rt.run(&bundle, &[])?.refused().map(drop)
    });
    cases.section("cli#seccomp", "");
    cases.cli(&["K12"], "SCMP_ACT_NOTIFY as the default action is refused", |rt| {
        let path = rt.directory().join("agent");
        let _agent = Agent::listen(&path)?;
        let mut bundle = rt.bundle()?;
        bundle.set(
            "/linux/seccomp",
            json!({ "defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": path }),
        );
        rt.run(&bundle, &[])?.refused().map(drop)
    });
    cases.cli(&["K12"], "SCMP_ACT_NOTIFY for write is refused", |rt| {
        let path = rt.directory().join("agent");
        let _agent = Agent::listen(&path)?;
        let mut bundle = rt.bundle()?;
        let rule = json!({ "names": ["write"], "action": "SCMP_ACT_NOTIFY" });
        let profile =
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path, "syscalls": [rule] });
        bundle.set("/linux/seccomp", profile);
        rt.run(&bundle, &[])?.refused().map(drop)
    });
    cases.cli(
        &["K10", "T08"],
        "a call newer than every one that a denying profile names gets ENOSYS",
        |rt| newest(rt, "1000", json!({ "errno": 38 })),
    );
    cases.cli(&["K10", "T08"], "a rule for a new call is kept, though the library may not know it", |rt| {
        let rule = json!({ "names": ["fchmodat2", "cachestat", "statmount"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77 });
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/seccomp", json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] }));
        bundle.probe(&["syscall", "fchmodat2", "syscall", "cachestat", "syscall", "statmount"]);
        let seen = rt.report(&bundle)?;
        ["fchmodat2", "cachestat", "statmount"]
            .iter()
            .try_for_each(|name| ensure_eq(name, seen.allowed("syscall", name)?.clone(), json!({ "errno": 77 })))
    });
    cases.cli(&["K16"], "the second container with a profile is filtered like the first", |rt| {
        for _ in 0..2 {
            let rule = json!({ "names": ["dup"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77 });
            let mut bundle = rt.bundle()?;
            bundle.set(
                "/linux/seccomp",
                json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] }),
            );
            bundle.probe(&["syscall", "dup:77"]);
            ensure_eq(
                "dup",
                rt.report(&bundle)?.allowed("syscall", "dup:77")?.clone(),
                json!({ "errno": 77 }),
            )?;
        }
        Ok(())
    });
}

const CALL: &str = "getpriority:99,1";

fn profile(path: &str, metadata: &Value) -> Value {
    let rule = json!({ "names": ["getpriority"], "action": "SCMP_ACT_NOTIFY" });
    let mut profile =
        json!({ "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path, "syscalls": [rule] });
    if !metadata.is_null() {
        profile["listenerMetadata"] = metadata.clone();
    }
    profile
}

/// Runs a container whose `getpriority` is answered by an agent: its report, and what the agent was sent.
fn with_agent(rt: &Runtime, metadata: &Value) -> anyhow::Result<(Report, Value)> {
    let path = rt.directory().join("agent");
    let agent = Agent::listen(&path)?;
    let mut bundle: Bundle = rt.bundle()?;
    bundle
        .set("/linux/seccomp", profile(&path.to_string_lossy(), metadata))
        .probe(&["syscall", CALL]);
    rt.write(&bundle)?;
    let running = rt.bundle_call("run", rt.id(), &bundle, &[]).spawn()?;
    let handover = agent.accept()?;
    let listener = handover.fds.first().context("no fd came with the message")?;
    agent::answer(listener, 88)?;
    let output = running.wait()?;
    rt.remember(&output);
    let output = output.ok()?;
    Ok((Report::parse(&output.stdout())?, handover.state))
}

/// A profile like those of engines: all denied with EPERM but what is listed.
fn newest(rt: &Runtime, call: &str, expected: Value) -> Outcome {
    let mut bundle = rt.bundle()?;
    let allowed: Vec<String> =
        crate::seccomp::NEEDED.iter().map(|name| String::from(*name)).collect();
    let profile = json!({ "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"],
                          "syscalls": [{ "names": allowed, "action": "SCMP_ACT_ALLOW" }] });
    bundle.set("/linux/seccomp", profile).probe(&["syscall", call]);
    ensure_eq(
        "what the call returned",
        rt.report(&bundle)?.allowed("syscall", call)?.clone(),
        expected,
    )
}

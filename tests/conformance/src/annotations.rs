//! Annotations by which peers let a config ask for more than the specification has.

use std::fs;
use std::os::fd::AsRawFd;

use anyhow::Context;
use harness::agent::{self, Agent};
use harness::{Bundle, Cases, Outcome, Report, Runtime, ensure_contains, ensure_eq};
use serde_json::{Value, json};

use crate::process::run_with_groups;
use crate::screen::Receiver;

pub(crate) fn register(cases: &mut Cases) {
    cases.section("cli#annotations", "");
    for (name, stream) in [("run.oci.hooks.stdout", "1"), ("run.oci.hooks.stderr", "2")] {
        cases.cli(
            &["C23", "M04"],
            format!("{name} names the file that gets what hooks print (crun has it)"),
            move |rt| hook_output(rt, name, stream),
        );
    }
    cases.cli(
        &["E20", "M06"],
        "run.oci.keep_original_groups leaves the caller's groups (crun has it)",
        groups,
    );
    cases.cli(
        &["M05"],
        "run.oci.pidfd_receiver gets the process before create returns (crun has it)",
        pidfd,
    );
    cases.cli(
        &["K13", "M08"],
        "run.oci.seccomp.receiver is the agent if the profile names none (crun has it)",
        receiver,
    );
    cases.cli(
        &["K13", "M08"],
        "run.oci.seccomp.receiver is not asked where the profile names an agent (crun has it)",
        |rt| {
            let agent = Agent::listen(&rt.directory().join("agent"))?;
            let mut bundle = notifying(rt, "/no/such/socket")?;
            let path = rt.directory().join("agent");
            bundle.set("/linux/seccomp/listenerPath", json!(path.to_string_lossy()));
            answered(rt, &bundle, &agent)
        },
    );
    cases.cli(
        &["K15", "K13", "M08"],
        "a program of run.oci.seccomp_bpf_data can ask the agent of run.oci.seccomp.receiver (crun has it)",
        |rt| {
            let path = rt.directory().join("agent");
            let agent = Agent::listen(&path)?;
            let mut bundle = notifying(rt, &path.to_string_lossy())?;
            bundle.remove("/linux/seccomp");
            let program = encoded(rt, PRIORITY, NOTIFY)?;
            bundle.config["annotations"]["run.oci.seccomp_bpf_data"] = json!(program);
            answered(rt, &bundle, &agent)
        },
    );
    for (name, value, asks) in REFUSED {
        cases.cli(
            &["M05", "M08"],
            format!("{name} with {value} is refused (crun has it)"),
            move |rt| {
                let mut bundle = notifying(rt, "/no/such/socket")?;
                if *asks == Asks::Nothing {
                    bundle.remove("/linux/seccomp");
                }
                annotate(&mut bundle, name, value);
                rt.run(&bundle, &[])?.refused().map(drop)
            },
        );
    }
    cases.cli(&["K15", "M08"], "exec loads run.oci.seccomp_bpf_data too (crun has it)", |rt| {
        let mut bundle = rt.bundle()?;
        annotate(&mut bundle, "run.oci.seccomp_bpf_data", &encoded(rt, DUP, ANSWER_77)?);
        rt.running(&mut bundle)?;
        let output = rt.exec(&[], &["/checker", "syscall", "dup:77"])?.ok()?;
        let seen = Report::parse(&output.stdout())?;
        let found = seen.allowed("syscall", "dup:77")?.clone();
        ensure_eq("what dup returned", found, json!({ "errno": 77 }))
    });
    cases.cli(
        &["K15", "M08"],
        "run.oci.seccomp_bpf_data is loaded instead of the profile (crun has it)",
        ready_program,
    );
    for value in ["1", "true"] {
        cases.cli(
            &["K09", "M08"],
            format!("run.oci.seccomp_fail_unknown_syscall={value} refuses a rule for an unknown call (crun has it)"),
            move |rt| {
                let mut bundle = rt.bundle()?;
                let rule = json!({ "names": ["no_such_call"], "action": "SCMP_ACT_ERRNO" });
                bundle.set("/linux/seccomp", crate::seccomp::profile(json!([rule])));
                rt.report(&bundle)?;
                annotate(&mut bundle, "run.oci.seccomp_fail_unknown_syscall", "0");
                rt.report(&bundle)?;
                annotate(&mut bundle, "run.oci.seccomp_fail_unknown_syscall", value);
                rt.run(&bundle, &[])?.refused().map(drop)
            },
        );
    }
}

/// What a config asks for besides the annotation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    Nothing,
    /// A filter that notifies.
    Agent,
}

const REFUSED: &[(&str, &str, Asks)] = &[
    ("run.oci.pidfd_receiver", "/no/such/socket", Asks::Nothing),
    ("run.oci.seccomp.receiver", "no/absolute/path", Asks::Agent),
    ("run.oci.seccomp.receiver", "/no/such/socket", Asks::Agent),
    ("run.oci.seccomp.plugins", "/no/such/library.so", Asks::Agent),
    ("run.oci.seccomp_bpf_data", "no base64", Asks::Nothing),
    ("run.oci.seccomp_bpf_data", "AAAA", Asks::Nothing),
];

/// A config whose filter asks the agent at `path` about getpriority, which its program calls.
fn notifying(rt: &Runtime, path: &str) -> anyhow::Result<Bundle> {
    let mut bundle = rt.bundle()?;
    annotate(&mut bundle, "run.oci.seccomp.receiver", path);
    let rule = json!({ "names": ["getpriority"], "action": "SCMP_ACT_NOTIFY" });
    bundle.set("/linux/seccomp", crate::seccomp::profile(json!([rule])));
    bundle.probe(&["syscall", "getpriority:99,1"]);
    Ok(bundle)
}

fn annotate(bundle: &mut Bundle, name: &str, value: &str) {
    bundle.config["annotations"] = json!({ name: value });
}

fn hook_output(rt: &Runtime, name: &str, stream: &str) -> Outcome {
    let file = rt.directory().join("hook-output");
    let mut bundle = rt.bundle()?;
    annotate(&mut bundle, name, &file.to_string_lossy());
    let script = format!("cat > /dev/null; echo from the hook >&{stream}");
    bundle.hook("createRuntime", &["/bin/sh", "-c", &script]);
    rt.run(&bundle, &[])?.ok()?;
    ensure_contains("the file", &fs::read_to_string(&file)?, "from the hook\n")
}

fn groups(rt: &Runtime) -> Outcome {
    let mut bundle = rt.bundle()?;
    bundle.set("/process/user/uid", 1000);
    annotate(&mut bundle, "run.oci.keep_original_groups", "1");
    let seen = run_with_groups(rt, &bundle)?;
    ensure_eq("groups", seen.at("/ids/groups").clone(), json!([7777, 8888]))
}

fn pidfd(rt: &Runtime) -> Outcome {
    let receiver = Receiver::new(rt)?;
    let mut bundle = rt.bundle()?;
    annotate(&mut bundle, "run.oci.pidfd_receiver", receiver.path());
    rt.create(&bundle, &[])?.ok()?;
    let pidfd = receiver.receive()?;
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()))?;
    ensure_contains("fdinfo", &info, &format!("Pid:\t{}\n", rt.state()?["pid"]))
}

fn receiver(rt: &Runtime) -> Outcome {
    let path = rt.directory().join("agent");
    let agent = Agent::listen(&path)?;
    let bundle = notifying(rt, &path.to_string_lossy())?;
    answered(rt, &bundle, &agent)
}

/// The agent is asked, and what it answers is what the call returns.
fn answered(rt: &Runtime, bundle: &Bundle, agent: &Agent) -> Outcome {
    rt.write(bundle)?;
    let running = rt.bundle_call("run", rt.id(), bundle, &[]).spawn()?;
    let handover = match agent.accept() {
        Ok(handover) => handover,
        Err(error) => {
            running.wait()?.ok()?;
            return Err(error);
        }
    };
    agent::answer(handover.fds.first().context("no fd came with the message")?, 88)?;
    let output = running.wait()?.ok()?;
    let seen = Report::parse(&output.stdout())?;
    let answer = seen.allowed("syscall", "getpriority:99,1")?;
    ensure_eq("what the call returned", answer, &json!({ "errno": 88 }))
}

/// Numbers of calls on `x86_64`.
const DUP: u32 = 32;
const PRIORITY: u32 = 140;

/// What a filter returns.
const ANSWER_77: u32 = 0x0005_004d;
const NOTIFY: u32 = 0x7fc0_0000;

/// Loads the number of the call, compares it, returns `answer` for it and allows all others. As base64.
fn encoded(rt: &Runtime, call: u32, answer: u32) -> anyhow::Result<String> {
    let program: [(u16, u8, u8, u32); 4] =
        [(0x20, 0, 0, 0), (0x15, 0, 1, call), (0x06, 0, 0, answer), (0x06, 0, 0, 0x7fff_0000)];
    let bytes: Vec<u8> = program
        .iter()
        .flat_map(|(code, yes, no, value)| {
            let (code, value) = (code.to_le_bytes(), value.to_le_bytes());
            code.into_iter().chain([*yes, *no]).chain(value).collect::<Vec<u8>>()
        })
        .collect();
    let encoder = rt.program("/usr/bin/base64").args(["-w", "0"]).stdin(bytes);
    Ok(rt.finish(encoder)?.ok()?.stdout().trim().to_owned())
}

fn ready_program(rt: &Runtime) -> Outcome {
    let mut bundle = rt.bundle()?;
    annotate(&mut bundle, "run.oci.seccomp_bpf_data", &encoded(rt, DUP, ANSWER_77)?);
    bundle.probe(&["syscall", "dup:77"]);
    let seen = rt.report(&bundle)?;
    let found: &Value = seen.allowed("syscall", "dup:77")?;
    ensure_eq("what dup returned", found, &json!({ "errno": 77 }))
}

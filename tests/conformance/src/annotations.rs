//! Annotations by which peers let a config ask for more than the specification has.

use std::fs;
use std::os::unix::net::UnixListener;

use anyhow::Context;
use harness::agent::{self, Agent};
use harness::{Cases, Outcome, Report, Runtime, ensure_contains, ensure_eq, wait};
use serde_json::{Value, json};

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
        &["K15", "M08"],
        "run.oci.seccomp_bpf_data is loaded instead of the profile (crun has it)",
        ready_program,
    );
    cases.cli(
        &["K09", "M08"],
        "run.oci.seccomp_fail_unknown_syscall refuses a rule for an unknown call (crun has it)",
        |rt| {
            let mut bundle = rt.bundle()?;
            let rule = json!({ "names": ["no_such_call"], "action": "SCMP_ACT_ERRNO" });
            bundle.set("/linux/seccomp", crate::seccomp::profile(json!([rule])));
            rt.report(&bundle)?;
            annotate(&mut bundle, "run.oci.seccomp_fail_unknown_syscall", "1");
            rt.run(&bundle, &[])?.refused().map(drop)
        },
    );
}

fn annotate(bundle: &mut harness::Bundle, name: &str, value: &str) {
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
    rt.write(&bundle)?;
    let call = rt.bundle_call("run", rt.id(), &bundle, &[]);
    let words: Vec<_> = std::iter::once(call.command.get_program())
        .chain(call.command.get_args())
        .map(ToOwned::to_owned)
        .collect();
    let caller = rt.program("/usr/bin/setpriv").args(["--groups", "7777,8888"]).args(words);
    let output = rt.finish(caller)?.ok()?;
    let seen = Report::parse(&output.stdout())?;
    ensure_eq("groups", seen.at("/ids/groups").clone(), json!([7777, 8888]))
}

fn pidfd(rt: &Runtime) -> Outcome {
    let path = rt.directory().join("pidfd");
    let socket = UnixListener::bind(&path)?;
    let mut bundle = rt.bundle()?;
    annotate(&mut bundle, "run.oci.pidfd_receiver", &path.to_string_lossy());
    rt.create(&bundle, &[])?.ok()?;
    let comes = wait::readable(&socket, std::time::Duration::ZERO)?;
    ensure_eq("the runtime has called", comes, true)
}

fn receiver(rt: &Runtime) -> Outcome {
    let path = rt.directory().join("agent");
    let agent = Agent::listen(&path)?;
    let mut bundle = rt.bundle()?;
    annotate(&mut bundle, "run.oci.seccomp.receiver", &path.to_string_lossy());
    let rule = json!({ "names": ["getpriority"], "action": "SCMP_ACT_NOTIFY" });
    bundle.set("/linux/seccomp", crate::seccomp::profile(json!([rule])));
    bundle.probe(&["syscall", "getpriority:99,1"]);
    rt.write(&bundle)?;
    let running = rt.bundle_call("run", rt.id(), &bundle, &[]).spawn()?;
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

/// Loads the number of the call, compares it with that of dup on `x86_64`, answers 77 for it.
fn ready_program(rt: &Runtime) -> Outcome {
    let program: [(u16, u8, u8, u32); 4] =
        [(0x20, 0, 0, 0), (0x15, 0, 1, 32), (0x06, 0, 0, 0x0005_004d), (0x06, 0, 0, 0x7fff_0000)];
    let bytes: Vec<u8> = program
        .iter()
        .flat_map(|(code, yes, no, value)| {
            let (code, value) = (code.to_le_bytes(), value.to_le_bytes());
            code.into_iter().chain([*yes, *no]).chain(value).collect::<Vec<u8>>()
        })
        .collect();
    let encoder = rt.program("/usr/bin/base64").args(["-w", "0"]).stdin(bytes);
    let text = rt.finish(encoder)?.ok()?.stdout();
    let mut bundle = rt.bundle()?;
    annotate(&mut bundle, "run.oci.seccomp_bpf_data", text.trim());
    bundle.probe(&["syscall", "dup:77"]);
    let seen = rt.report(&bundle)?;
    let found: &Value = seen.allowed("syscall", "dup:77")?;
    ensure_eq("what dup returned", found, &json!({ "errno": 77 }))
}

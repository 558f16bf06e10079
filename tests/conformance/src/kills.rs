//! The runtime killed at any moment: the state tells the truth, `delete --force` removes what there is, and the id can
//! be used again. The sweep is by time and knows nothing of the runtime; the leak watch of the frame has the last word.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use harness::{Bundle, Cases, Outcome, Runtime, wait};
use rustix::process::{Pid, WaitOptions, waitpid};

/// Moments of one sweep, from the start of the command to a little after its usual end.
const MOMENTS: u32 = 24;

pub(crate) fn register(cases: &mut Cases) {
    cases.section("cli#killed", "");
    for command in ["create", "run", "start", "exec", "delete"] {
        let name =
            format!("a {command} that is killed at any time leaves what delete --force removes");
        cases.cli(&["C11", "R06"], name, move |rt| sweep(rt, command)).limit(300);
    }
}

fn sweep(rt: &Runtime, command: &str) -> Outcome {
    let mut bundle = rt.bundle()?;
    bundle.probe(&["sleep-until-signal"]);
    rt.write(&bundle)?;
    let usual = usual_time(rt, &bundle, command)?;
    for moment in 0..MOMENTS {
        let delay = usual * moment * 6 / (MOMENTS * 5);
        prepare(rt, &bundle, command)?;
        kill_after(rt, &bundle, command, delay)?;
        check(rt, delay).with_context(|| format!("killed after {delay:?} of {usual:?}"))?;
    }
    Ok(())
}

/// How long the command takes here and now when nobody kills it. A `run` in the foreground ends by itself.
fn usual_time(rt: &Runtime, bundle: &Bundle, command: &str) -> anyhow::Result<Duration> {
    prepare(rt, bundle, command)?;
    let begin = Instant::now();
    rt.finish(call(rt, bundle, command))?.ok()?;
    let usual = begin.elapsed();
    rt.command(&["delete", "--force", rt.id()])?.ok()?;
    Ok(usual)
}

fn prepare(rt: &Runtime, bundle: &Bundle, command: &str) -> anyhow::Result<()> {
    if command == "start" || command == "exec" || command == "delete" {
        rt.finish(rt.bundle_call("create", rt.id(), bundle, &[]))?.ok()?;
    }
    if command == "exec" {
        rt.start()?.ok()?;
    }
    if command == "delete" {
        rt.start()?.ok()?;
        let pid = rt.pid()?;
        rt.kill("KILL")?.ok()?;
        wait::ended(pid)?;
    }
    Ok(())
}

fn call(rt: &Runtime, bundle: &Bundle, command: &str) -> harness::Call {
    match command {
        "create" => rt.bundle_call("create", rt.id(), bundle, &[]),
        "run" => rt.bundle_call("run", rt.id(), bundle, &["--detach"]),
        "exec" => rt.call(["exec", rt.id(), "/checker", "exit", "0"]),
        other => rt.call([other, rt.id()]),
    }
}

fn kill_after(rt: &Runtime, bundle: &Bundle, command: &str, delay: Duration) -> anyhow::Result<()> {
    let mut running = call(rt, bundle, command).spawn()?;
    if let Some(pidfd) = wait::pidfd(running.pid())? {
        // The time is what is tested; an end before it is as good.
        wait::readable(pidfd, delay)?;
    }
    running.child.kill()?;
    running.wait()?;
    Ok(())
}

/// The state is true, `delete --force` succeeds, and nothing is known of the container afterwards.
fn check(rt: &Runtime, delay: Duration) -> Outcome {
    let output = rt.command(&["state", rt.id()])?;
    if output.code == 0 {
        let state = output.json()?;
        let status = state["status"].as_str().unwrap_or_default().to_owned();
        let pid = state["pid"].as_i64().unwrap_or_default();
        let alive = pid > 0 && std::fs::exists(format!("/proc/{pid}"))?;
        let living = ["created", "running"].contains(&status.as_str());
        ensure!(
            !living || alive,
            "after {delay:?} the status is {status}, and there is no process {pid}"
        );
    }
    delete(rt)?.ok()?;
    rt.command(&["state", rt.id()])?.refused()?;
    Ok(())
}

/// Init only ends when everything in its pid namespace has been reaped, and this process stands in for the one that
/// reaps orphans: it goes on doing so while the command waits.
fn delete(rt: &Runtime) -> anyhow::Result<harness::Output> {
    let running = rt.call(["delete", "--force", rt.id()]).spawn()?;
    let pidfd = wait::pidfd(running.pid())?.context("the command is gone")?;
    while !wait::readable(&pidfd, Duration::from_millis(5))? {
        reap_all_but(running.pid())?;
    }
    let output = running.wait()?;
    rt.remember(&output);
    Ok(output)
}

fn reap_all_but(kept: i32) -> Outcome {
    for task in std::fs::read_dir("/proc/self/task")? {
        let children = std::fs::read_to_string(task?.path().join("children"))?;
        for pid in children.split_whitespace().filter_map(|pid| pid.parse().ok()) {
            if let Some(child) = Pid::from_raw(pid).filter(|_| pid != kept) {
                // One that lives is left alone.
                let _ = waitpid(Some(child), WaitOptions::NOHANG);
            }
        }
    }
    Ok(())
}

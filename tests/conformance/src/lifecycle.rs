//! `runtime.md`: the operations and the states between them.

use harness::{Cases, Outcome, Runtime, ensure_eq, wait};
use serde_json::json;

pub(crate) fn register(cases: &mut Cases) {
    cases.section("runtime.md#create", "1.0.0");
    cases.must(&["C03", "B01"], "a created container has the status created", created);
    cases.must(&["C03"], "the program does not run before start", not_before_start);
    cases.must(
        &["C02"],
        "an id that is in use is refused, and its container left alone",
        id_in_use,
    );
    cases.must(&["C02"], "the id of a stopped container is still in use", id_of_stopped);
    cases.must(&["C09"], "a config changed after create has no effect", changed_config);
    cases.must(&["B01"], "the same bundle serves two containers", two_of_a_bundle);
    cases.section("runtime.md#start", "1.0.0");
    cases.must(&["C03", "B12"], "a started container has the status running", running);
    cases
        .must(&["C03", "B12"], "the status is running as soon as start returns", running_at_once)
        .limit(300);
    cases.must(&["C05"], "start of a running container is refused without effect", start_twice);
    cases.must(&["C05"], "start of a stopped container is refused", start_stopped);
    cases.must(&["C05"], "start of an absent container is refused", |rt| {
        rt.start()?.refused().map(drop)
    });
    cases.must(&["C06"], "start of a container without process is refused", start_without_process);
    cases.section("runtime.md#kill", "1.0.0");
    cases.must(&["C07"], "kill of a stopped container is refused", kill_stopped);
    cases.must(&["C07"], "kill of an absent container is refused", |rt| {
        rt.kill("KILL")?.refused().map(drop)
    });
    cases.must(&["B22"], "kill sends the signal to the container's process", kill);
    cases.must(&["B22"], "kill ends a created container", kill_created);
    cases.section("runtime.md#delete", "1.0.0");
    cases.must(&["C08"], "delete of a running container is refused without effect", delete_running);
    cases.must(&["B29"], "a deleted container is not known any more", delete);
    cases.must(&["B29"], "delete of an absent container is refused", |rt| {
        rt.delete(&[])?.refused().map(drop)
    });
    cases.must(&["B29"], "a deleted container's id can be used again", id_again);
    cases.section("runtime.md#lifecycle", "1.0.0");
    cases.must(&["C03"], "a container whose program has ended is stopped", stopped);
    cases.must(
        &["C03", "C04"],
        "a container whose process was killed from outside is stopped",
        killed_outside,
    );
}

fn created(rt: &Runtime) -> Outcome {
    rt.create(&rt.bundle()?, &[])?.ok()?;
    ensure_eq("status", rt.status()?.as_str(), "created")
}

fn not_before_start(rt: &Runtime) -> Outcome {
    let created = rt.create(&rt.bundle()?, &[])?.ok()?;
    ensure_eq("status", rt.status()?.as_str(), "created")?;
    ensure_eq("output before start", created.stdout().as_str(), "")?;
    rt.start()?.ok()?;
    rt.report_of(&created)?;
    Ok(())
}

fn id_in_use(rt: &Runtime) -> Outcome {
    rt.create(&rt.bundle()?, &[])?.ok()?;
    let pid = rt.pid()?;
    rt.create(&rt.bundle()?, &[])?.refused()?;
    ensure_eq("pid after the refusal", rt.pid()?, pid)?;
    ensure_eq("status", rt.status()?.as_str(), "created")
}

fn id_of_stopped(rt: &Runtime) -> Outcome {
    end_one(rt)?;
    rt.create(&rt.bundle()?, &[])?.refused()?;
    ensure_eq("status", rt.status()?.as_str(), "stopped")
}

/// Creates, starts and awaits a container, which is stopped then.
fn end_one(rt: &Runtime) -> Outcome {
    rt.create(&rt.bundle()?, &[])?.ok()?;
    let pid = rt.pid()?;
    rt.start()?.ok()?;
    ensure_eq("exit code", wait::exit_code(pid)?, 0)
}

fn changed_config(rt: &Runtime) -> Outcome {
    let mut bundle = rt.bundle()?;
    bundle.probe(&["stat", "/"]);
    let created = rt.create(&bundle, &[])?.ok()?;
    bundle.probe(&["stat", "/bin"]).set("/process/env", json!(["CHANGED=1"]));
    bundle.write(None)?;
    rt.start()?.ok()?;
    let seen = rt.report_of(&created)?;
    ensure_eq("arguments", seen.texts("/args"), vec!["/checker", "stat", "/"])?;
    ensure_eq("changed environment", seen.texts("/env").contains(&"CHANGED=1"), false)
}

fn two_of_a_bundle(rt: &Runtime) -> Outcome {
    let bundle = rt.bundle()?;
    rt.create(&bundle, &[])?.ok()?;
    let other = format!("{}-other", rt.id());
    rt.create_as(&other, &bundle, &[])?.ok()?;
    let state = rt.command(&["state", &other])?.ok()?.json()?;
    ensure_eq("status of the second", state["status"].as_str(), Some("created"))
}

fn running(rt: &Runtime) -> Outcome {
    rt.running(&mut rt.bundle()?)?;
    ensure_eq("status", rt.status()?.as_str(), "running")
}

/// On one processor, and with the higher priority, the runtime's `start` goes on as soon as the program's exec has
/// told it anything.
fn running_at_once(rt: &Runtime) -> Outcome {
    let allowed = rustix::thread::sched_getaffinity(None)?;
    let mut one = rustix::thread::CpuSet::new();
    let first = (0..rustix::thread::CpuSet::MAX_CPU).find(|cpu| allowed.is_set(*cpu));
    one.set(first.unwrap_or(0));
    rustix::thread::sched_setaffinity(None, &one)?;
    let mut bundle = rt.bundle()?;
    bundle.probe(&["sleep-until-signal"]);
    for _ in 0..60 {
        rustix::process::setpriority_process(None, 19)?;
        rt.create(&bundle, &[])?.ok()?;
        rustix::process::setpriority_process(None, 0)?;
        rt.start()?.ok()?;
        ensure_eq("status", rt.status()?.as_str(), "running")?;
        rt.delete(&["--force"])?.ok()?;
    }
    Ok(())
}

fn start_twice(rt: &Runtime) -> Outcome {
    rt.running(&mut rt.bundle()?)?;
    let pid = rt.pid()?;
    rt.start()?.refused()?;
    ensure_eq("status", rt.status()?.as_str(), "running")?;
    ensure_eq("pid", rt.pid()?, pid)
}

fn start_stopped(rt: &Runtime) -> Outcome {
    end_one(rt)?;
    rt.start()?.refused()?;
    ensure_eq("status", rt.status()?.as_str(), "stopped")
}

fn start_without_process(rt: &Runtime) -> Outcome {
    let mut bundle = rt.bundle()?;
    bundle.remove("/process");
    // "If process was not set, start MUST generate an error": create may not refuse it, then. All of the peers do.
    let created = rt.create(&bundle, &[])?;
    if created.code != 0 {
        created.refused()?;
        return Ok(());
    }
    rt.start()?.refused()?;
    Ok(())
}

fn kill_stopped(rt: &Runtime) -> Outcome {
    end_one(rt)?;
    ensure_eq("status", rt.status()?.as_str(), "stopped")?;
    rt.kill("KILL")?.refused()?;
    Ok(())
}

fn kill(rt: &Runtime) -> Outcome {
    rt.running(&mut rt.bundle()?)?;
    let pid = rt.pid()?;
    rt.kill("TERM")?.ok()?;
    ensure_eq("exit code", wait::exit_code(pid)?, 128 + 15)
}

fn kill_created(rt: &Runtime) -> Outcome {
    rt.create(&rt.bundle()?, &[])?.ok()?;
    let pid = rt.pid()?;
    rt.kill("KILL")?.ok()?;
    ensure_eq("exit code", wait::exit_code(pid)?, 128 + 9)?;
    ensure_eq("status", rt.status()?.as_str(), "stopped")
}

fn delete_running(rt: &Runtime) -> Outcome {
    rt.running(&mut rt.bundle()?)?;
    rt.delete(&[])?.refused()?;
    ensure_eq("status", rt.status()?.as_str(), "running")
}

fn delete(rt: &Runtime) -> Outcome {
    end_one(rt)?;
    rt.delete(&[])?.ok()?;
    rt.command(&["state", rt.id()])?.refused()?;
    Ok(())
}

fn id_again(rt: &Runtime) -> Outcome {
    end_one(rt)?;
    rt.delete(&[])?.ok()?;
    end_one(rt)
}

fn stopped(rt: &Runtime) -> Outcome {
    end_one(rt)?;
    ensure_eq("status", rt.status()?.as_str(), "stopped")
}

fn killed_outside(rt: &Runtime) -> Outcome {
    rt.running(&mut rt.bundle()?)?;
    let pid = rt.pid()?;
    harness::leak::kill(pid);
    ensure_eq("exit code", wait::exit_code(pid)?, 128 + 9)?;
    ensure_eq("status", rt.status()?.as_str(), "stopped")?;
    rt.delete(&[])?.ok()?;
    Ok(())
}

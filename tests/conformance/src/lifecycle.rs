//! `runtime.md`: the operations and the states between them.

use harness::{Cases, Outcome, Runtime, ensure_eq, wait};

pub(crate) fn register(cases: &mut Cases) {
    cases.section("runtime.md#create", "1.0.0");
    cases.must(&["C03", "B01"], "a created container has the status created", created);
    cases.must(&["C03"], "the program does not run before start", not_before_start);
    cases.must(&["C02"], "an id that is in use is refused", id_in_use);
    cases.section("runtime.md#start", "1.0.0");
    cases.must(&["C03", "B12"], "a started container has the status running", running);
    cases.must(&["C05"], "start of a running container is refused", start_twice);
    cases.must(&["C05"], "start of an absent container is refused", start_absent);
    cases.section("runtime.md#kill", "1.0.0");
    cases.must(&["C07"], "kill of a stopped container is refused", kill_stopped);
    cases.must(&["B22"], "kill sends the signal to the container's process", kill);
    cases.section("runtime.md#delete", "1.0.0");
    cases.must(&["C08"], "delete of a running container is refused", delete_running);
    cases.must(&["B29"], "a deleted container is not known any more", delete);
    cases.section("cli#run", "");
    cases.cli(&["A15"], "run ends with the program's exit code", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.probe(&["exit", "23"]);
        rt.run(&bundle, &[])?.exits(23)?;
        Ok(())
    });
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
    ensure_eq("pid after the refusal", rt.pid()?, pid)
}

fn running(rt: &Runtime) -> Outcome {
    rt.running(&mut rt.bundle()?)?;
    ensure_eq("status", rt.status()?.as_str(), "running")
}

fn start_twice(rt: &Runtime) -> Outcome {
    rt.running(&mut rt.bundle()?)?;
    let pid = rt.pid()?;
    rt.start()?.refused()?;
    ensure_eq("status", rt.status()?.as_str(), "running")?;
    ensure_eq("pid", rt.pid()?, pid)
}

fn start_absent(rt: &Runtime) -> Outcome {
    rt.start()?.refused()?;
    Ok(())
}

fn kill_stopped(rt: &Runtime) -> Outcome {
    rt.create(&rt.bundle()?, &[])?.ok()?;
    let pid = rt.pid()?;
    rt.start()?.ok()?;
    ensure_eq("exit code", wait::exit_code(pid)?, 0)?;
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

fn delete_running(rt: &Runtime) -> Outcome {
    rt.running(&mut rt.bundle()?)?;
    rt.delete(&[])?.refused()?;
    ensure_eq("status", rt.status()?.as_str(), "running")
}

fn delete(rt: &Runtime) -> Outcome {
    rt.running(&mut rt.bundle()?)?;
    let pid = rt.pid()?;
    rt.kill("KILL")?.ok()?;
    ensure_eq("exit code", wait::exit_code(pid)?, 128 + 9)?;
    rt.delete(&[])?.ok()?;
    rt.command(&["state", rt.id()])?.refused()?;
    Ok(())
}

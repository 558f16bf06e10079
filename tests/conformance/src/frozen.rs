//! `pause` and `resume`: what a frozen container does not do, and what can be done with it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, bail};
use harness::{Cases, Runtime, cgroup, ensure_contains, ensure_eq, wait};

use crate::exec::{container, detach_checker, send, shell};

pub(crate) fn register(cases: &mut Cases) {
    cases.section("cli#pause", "");
    freezing(cases);
    statuses(cases);
    endings(cases);
}

/// A running container, paused.
fn paused(rt: &Runtime) -> anyhow::Result<i32> {
    container(rt, |_| {})?;
    rt.command(&["pause", rt.id()])?.ok()?;
    rt.pid()
}

/// Whether the container is frozen, by either freezer: a hybrid machine has both.
fn is_frozen(pid: i32) -> bool {
    cgroup::read(pid, "freezer", "freezer.state").is_ok_and(|state| state == "FROZEN")
        || cgroup::read(pid, "", "cgroup.freeze").is_ok_and(|state| state == "1")
}

/// Clock ticks that a process has used.
fn ticks(pid: i32) -> anyhow::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split(' ').collect();
    let field = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
    Ok(field(12).context("utime")? + field(13).context("stime")?)
}

fn freezing(cases: &mut Cases) {
    cases.cli(&["I27"], "a paused container uses no processor", |rt| {
        let mut bundle = rt.bundle()?;
        rt.create(bundle.shell("while :; do :; done"), &[])?.ok()?;
        rt.start()?.ok()?;
        rt.command(&["pause", rt.id()])?.ok()?;
        let (pid, own) = (rt.pid()?, std::process::id().cast_signed());
        let before = ticks(pid)?;
        // Until this process itself has used as many ticks as show the difference.
        let start = ticks(own)?;
        while ticks(own)? < start + 3 {}
        ensure_eq("ticks", ticks(pid)?, before)
    });
    cases.cli(&["I27"], "the processes of execs are frozen with the container", |rt| {
        container(rt, |_| {})?;
        let left = detach_checker(rt, &["--detach"])?;
        rt.command(&["pause", rt.id()])?.ok()?;
        send(left.pid, 15)?;
        let pidfd = wait::pidfd(left.pid)?.context("the process is gone")?;
        ensure_eq("ended", wait::readable(&pidfd, Duration::from_millis(30))?, false)?;
        rt.command(&["resume", rt.id()])?.ok()?;
        ensure_eq("ended", wait::readable(&pidfd, wait::LIMIT)?, true)
    });
    cases.cli(&["B58", "I27"], "a resumed container's freezer is thawed", |rt| {
        let pid = paused(rt)?;
        ensure_eq("frozen", is_frozen(pid), true)?;
        rt.command(&["resume", rt.id()])?.ok()?;
        ensure_eq("frozen", is_frozen(pid), false)?;
        shell(rt, &[], "exit 4")?.exits(4).map(drop)
    });
    cases.cli(&["B58"], "a container can be paused and resumed again and again", |rt| {
        container(rt, |_| {})?;
        for _ in 0..5 {
            rt.command(&["pause", rt.id()])?.ok()?;
            rt.command(&["resume", rt.id()])?.ok()?;
        }
        ensure_eq("status", rt.status()?.as_str(), "running")
    });
}

fn statuses(cases: &mut Cases) {
    cases.cli(&["B58"], "pause of a paused container is refused", |rt| {
        paused(rt)?;
        rt.command(&["pause", rt.id()])?.refused()?;
        ensure_eq("status", rt.status()?.as_str(), "paused")
    });
    cases.cli(&["B58"], "list tells that a container is paused", |rt| {
        paused(rt)?;
        let list = rt.command(&["list", "--format", "json"])?.ok()?.json()?;
        ensure_eq("status", list[0]["status"].as_str(), Some("paused"))
    });
    cases.cli(&["B58"], "the pid of a paused container is told", |rt| {
        let pid = paused(rt)?;
        ensure_eq("pid is alive", wait::pidfd(pid)?.is_some(), true)
    });
    cases.cli(&["B57"], "ps lists the processes of a paused container", |rt| {
        let pid = paused(rt)?;
        let list = rt.command(&["ps", "--format", "json", rt.id()])?.ok()?.json()?;
        ensure_eq("processes", list, serde_json::json!([pid]))
    });
    cases.cli(&["B58"], "start of a paused container is refused", |rt| {
        paused(rt)?;
        rt.start()?.refused().map(drop)
    });
    cases.cli(&["B31"], "delete without --force of a paused container is refused", |rt| {
        let pid = paused(rt)?;
        rt.delete(&[])?.refused()?;
        ensure_eq("pid is alive", wait::pidfd(pid)?.is_some(), true)
    });
}

fn endings(cases: &mut Cases) {
    cases.cli(&["B58"], "a signal for a paused container comes when it is resumed", |rt| {
        let pid = paused(rt)?;
        rt.kill("TERM")?.ok()?;
        let pidfd = wait::pidfd(pid)?.context("the process is gone")?;
        ensure_eq("ended", wait::readable(&pidfd, Duration::from_millis(30))?, false)?;
        rt.command(&["resume", rt.id()])?.ok()?;
        ensure_eq("exit code", wait::exit_code(pid)?, 128 + 15)
    });
    cases.cli(
        &["B25"],
        "kill --all KILL ends a paused container with all of its processes",
        |rt| {
            container(rt, |_| {})?;
            let left = detach_checker(rt, &["--detach"])?;
            rt.command(&["pause", rt.id()])?.ok()?;
            let pid = rt.pid()?;
            rt.command(&["kill", "--all", rt.id(), "KILL"])?.ok()?;
            wait::ended(left.pid)?;
            drop(left);
            wait::exit_code(pid).map(drop)
        },
    );
    cases.cli(
        &["B31"],
        "delete --force of a paused container leaves no process of an exec",
        |rt| {
            container(rt, |_| {})?;
            let left = detach_checker(rt, &["--detach"])?;
            rt.command(&["pause", rt.id()])?.ok()?;
            let call = rt.call(["delete", "--force", rt.id()]).spawn()?;
            // Its reaper is this process: init ends after it.
            wait::ended(left.pid)?;
            drop(left);
            call.wait()?.ok().map(drop)
        },
    );
    cases.cli(&["B58"], "an exec that was refused leaves a paused container as it is", |rt| {
        let pid = paused(rt)?;
        let output = rt.exec(&[], &["/bin/true"])?.refused()?;
        ensure_contains("errors", &output.errors(), "paused")?;
        if !is_frozen(pid) {
            bail!("the container was thawed");
        }
        Ok(())
    });
}

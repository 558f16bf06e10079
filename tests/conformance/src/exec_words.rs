//! `exec`: what it says, in which status, and with which exit code.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::Context;
use harness::{Cases, Outcome, Runtime, ensure_contains, ensure_eq, wait};

use crate::exec::{container, report};

pub(crate) fn register(cases: &mut Cases) {
    cases.section("cli#exec", "");
    statuses(cases);
    words(cases);
}

/// A container whose process has ended.
fn stopped(rt: &Runtime) -> Outcome {
    let mut bundle = rt.bundle()?;
    rt.create(bundle.args(&["/bin/true"]), &[])?.ok()?;
    let pid = rt.pid()?;
    rt.start()?.ok()?;
    wait::exit_code(pid).map(drop)
}

fn statuses(cases: &mut Cases) {
    cases.cli(&["B32"], "exec in a created container runs, before its own process does", |rt| {
        rt.create(&rt.bundle()?, &[])?.ok()?;
        ensure_eq("namespaces", report(rt, &[], &[])?.text("/hostname"), "creel")?;
        ensure_eq("status", rt.status()?.as_str(), "created")
    });
    cases.cli(&["B32", "S02"], "exec in a stopped container is refused with the words", |rt| {
        stopped(rt)?;
        let words = ["cannot exec in a stopped container", "is not running"];
        rt.exec(&[], &["/bin/true"])?.refused()?.says(&words).map(drop)
    });
    cases.cli(&["B49"], "exec in a paused container is refused with the words", |rt| {
        container(rt, |_| {})?;
        rt.command(&["pause", rt.id()])?.ok()?;
        let words = ["cannot exec in a paused container", "is paused"];
        rt.exec(&[], &["/bin/true"])?.refused()?.says(&words).map(drop)
    });
    cases.cli(&["B49"], "exec --ignore-paused runs once the container is resumed", |rt| {
        container(rt, |_| {})?;
        rt.command(&["pause", rt.id()])?.ok()?;
        let flags = ["exec", "--ignore-paused", rt.id(), "/bin/sh", "-c", "exit 5"];
        let running = rt.call(flags).spawn()?;
        // Until then a second process is in the cgroup, frozen.
        let end = std::time::Instant::now() + wait::LIMIT;
        while std::time::Instant::now() < end {
            let list = rt.command(&["ps", "--format", "json", rt.id()])?.ok()?.json()?;
            let ended = wait::readable(
                wait::pidfd(running.pid())?.context("gone")?,
                std::time::Duration::ZERO,
            )?;
            if ended || list.as_array().is_some_and(|list| list.len() > 1) {
                break;
            }
        }
        ensure_eq("status", rt.status()?.as_str(), "paused")?;
        rt.command(&["resume", rt.id()])?.ok()?;
        running.wait()?.exits(5).map(drop)
    });
    cases.cli(&["B32", "S02"], "exec in an absent container is refused with the words", |rt| {
        rt.exec(&[], &["/bin/true"])?.refused()?.says(&["does not exist"]).map(drop)
    });
    cases.cli(&["B32"], "exec without a program is refused", |rt| {
        container(rt, |_| {})?;
        rt.exec(&[], &[])?.refused().map(drop)
    });
}

fn words(cases: &mut Cases) {
    for (what, program, expected) in [
        ("a missing name", "no-such-program", "executable file not found in $PATH"),
        ("a missing path", "/no/such/program", "no such file or directory"),
        ("a file without the x bit", "/plain", "permission denied"),
        ("a directory", "/etc", "permission denied"),
        ("a file that is no program", "/garbage", "exec format error"),
        ("a script without its interpreter", "/script", "no such file or directory"),
    ] {
        cases.cli(&["A16"], format!("exec of {what} ends with 255 and the words"), move |rt| {
            container(rt, |bundle| {
                for (name, content, mode) in [
                    ("/plain", "", 0o644),
                    ("/garbage", "?", 0o755),
                    ("/script", "#!/no/interpreter\n", 0o755),
                ] {
                    let made = bundle.file(name, content).and_then(|path| {
                        Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
                    });
                    drop(made);
                }
            })?;
            let output = rt.exec(&[], &[program])?.exits(255)?;
            ensure_contains("errors", &output.errors().to_lowercase(), &expected.to_lowercase())
        });
    }
    cases.cli(&["A15"], "exec with a working directory that is missing ends with 255", |rt| {
        container(rt, |_| {})?;
        let output = rt.exec(&["--cwd", "/no/such"], &["/bin/true"])?.exits(255)?;
        ensure_contains("errors", &output.errors().to_lowercase(), "no such file or directory")
    });
}

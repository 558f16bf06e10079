//! What engines rely on in the commands: flags, output, exit codes, words.

use std::fs;

use anyhow::Context;
use harness::{Cases, ensure_contains, ensure_eq, wait};
use serde_json::Value;

pub(crate) fn register(cases: &mut Cases) {
    global(cases);
    list(cases);
    kill(cases);
    delete(cases);
}

fn global(cases: &mut Cases) {
    cases.section("cli#version", "");
    cases.cli(&["A11"], "--version tells the runtime's name first", |rt| {
        let output = rt.finish(rt.bare_call(["--version"]))?.ok()?;
        ensure_contains(
            "first line",
            output.stdout().lines().next().unwrap_or_default(),
            rt.flavor.name(),
        )
    });
    cases.cli(&["A11"], "--version has a line with the version of the specification", |rt| {
        let output = rt.finish(rt.bare_call(["--version"]))?.ok()?;
        let text = output.stdout();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("spec: "))
            .context("no line `spec: `")?;
        ensure_eq("begins with 1.", line.starts_with("1."), true)
    });
    cases.section("cli#global", "");
    cases.cli(&["A12"], "--help tells the commands", |rt| {
        let output = rt.finish(rt.bare_call(["--help"]))?.ok()?;
        ["create", "start", "state", "kill", "delete", "run", "exec", "list"]
            .iter()
            .try_for_each(|command| ensure_contains("help", &output.stdout(), command))
    });
    cases.cli(&["A12"], "an unknown command is refused", |rt| {
        rt.finish(rt.bare_call(["no-such-command"]))?.refused().map(drop)
    });
    cases.cli(&["A12"], "an unknown flag is refused", |rt| {
        rt.command(&["state", "--no-such-flag", rt.id()])?.refused().map(drop)
    });
    cases.cli(&["A01"], "containers of one root are not seen in another", |rt| {
        rt.create(&rt.bundle()?, &[])?.ok()?;
        let other = rt.directory().join("other-root");
        let call = rt.bare_call(["--root"]).args([other.as_os_str()]).args(["state", rt.id()]);
        rt.finish(call)?.refused().map(drop)
    });
    for (format, rows) in [("json", &["A02", "A03", "A04"] as &[&str]), ("text", &["A02", "A03"])] {
        cases.cli(rows, format!("an error is written to the log as {format}"), move |rt| {
            let log = rt.directory().join("log");
            let root = rt.root();
            let call = rt
                .bare_call(["--log-format", format, "--log"])
                .args([&log])
                .args(["--root"])
                .args([root]);
            rt.finish(call.args(["state", rt.id()]))?.refused()?;
            let text = fs::read_to_string(&log)?;
            let line = text.lines().last().context("the log is empty")?;
            if format == "text" {
                return ensure_eq("is a JSON record", line.starts_with('{'), false);
            }
            let record: Value =
                serde_json::from_str(line).with_context(|| format!("not JSON: {line:?}"))?;
            ensure_eq("level", record["level"].as_str(), Some("error"))?;
            ensure_eq(
                "has words",
                record["msg"].as_str().is_some_and(|text| !text.is_empty()),
                true,
            )?;
            ensure_eq(
                "has a time",
                record["time"].as_str().is_some_and(|text| text.contains('T')),
                true,
            )
        });
    }
    cases.cli(&["A02"], "a log is appended to", |rt| {
        let log = rt.directory().join("log");
        fs::write(&log, "before\n")?;
        let root = rt.root();
        let call = rt
            .bare_call(["--log"])
            .args([&log])
            .args(["--root"])
            .args([root])
            .args(["state", rt.id()]);
        rt.finish(call)?.refused()?;
        ensure_eq("begins as before", fs::read_to_string(&log)?.starts_with("before\n"), true)
    });
    cases.cli(&["A05"], "--debug is accepted", |rt| {
        rt.command(&["--debug", "list"])?.ok().map(drop)
    });
    cases.cli(&["A07"], "--systemd-cgroup is a global flag", |rt| {
        let output = rt.finish(rt.bare_call(["--systemd-cgroup", "--version"]))?;
        ensure_eq("exit code", output.code, 0)
    });
}

fn list(cases: &mut Cases) {
    cases.section("cli#list", "");
    cases.cli(&["B53"], "list shows a table with id, pid, status and bundle", |rt| {
        let bundle = rt.bundle()?;
        rt.create(&bundle, &[])?.ok()?;
        let output = rt.command(&["list"])?.ok()?;
        let text = output.stdout();
        let (head, line) =
            (text.lines().next().unwrap_or_default(), text.lines().nth(1).unwrap_or_default());
        for title in ["ID", "PID", "STATUS", "BUNDLE"] {
            ensure_contains("heading", head, title)?;
        }
        for value in [rt.id(), &rt.pid()?.to_string(), "created", &bundle.path().to_string_lossy()]
        {
            ensure_contains("line", line, value)?;
        }
        Ok(())
    });
    for flag in ["--format=json", "--format json", "-f json"] {
        cases.cli(&["B54"], format!("list {flag} has the members that engines read"), move |rt| {
            let bundle = rt.bundle()?;
            rt.create(&bundle, &[])?.ok()?;
            let words: Vec<&str> = ["list"].into_iter().chain(flag.split(' ')).collect();
            let all = rt.command(&words)?.ok()?.json()?;
            let entry = &all[0];
            ensure_eq("id", entry["id"].as_str(), Some(rt.id()))?;
            ensure_eq("pid", entry["pid"].as_i64(), Some(i64::from(rt.pid()?)))?;
            ensure_eq("status", entry["status"].as_str(), Some("created"))?;
            ensure_eq("bundle", entry["bundle"].as_str(), bundle.path().to_str())?;
            ensure_eq(
                "created",
                entry["created"].as_str().is_some_and(|time| time.contains('T')),
                true,
            )
        });
    }
    for flag in ["--quiet", "-q"] {
        cases.cli(&["B55"], format!("list {flag} shows ids alone"), move |rt| {
            rt.create(&rt.bundle()?, &[])?.ok()?;
            ensure_eq("ids", rt.command(&["list", flag])?.ok()?.stdout().trim(), rt.id())
        });
    }
    cases.cli(&["B53"], "list of an empty root succeeds", |rt| {
        rt.command(&["list"])?.ok().map(drop)
    });
    cases.cli(&["B54"], "list --format json of an empty root is null or an empty list", |rt| {
        let all = rt.command(&["list", "--format", "json"])?.ok()?.json()?;
        ensure_eq("no entries", all.is_null() || all.as_array().is_some_and(Vec::is_empty), true)
    });
    cases.cli(&["B54"], "list with an unknown format is refused", |rt| {
        rt.command(&["list", "--format", "no-such"])?.refused().map(drop)
    });
}

/// How a signal may be written, and its number.
pub(crate) const SIGNALS: [(&str, i32); 14] = [
    ("TERM", 15),
    ("SIGTERM", 15),
    ("15", 15),
    ("HUP", 1),
    ("SIGHUP", 1),
    ("1", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("USR1", 10),
    ("SIGUSR2", 12),
    ("KILL", 9),
    ("9", 9),
    ("SIGRTMIN+3", 37),
    ("34", 34),
];

fn kill(cases: &mut Cases) {
    cases.section("cli#kill", "");
    for (name, number) in SIGNALS {
        cases.cli(&["B23"], format!("kill sends the signal written as {name}"), move |rt| {
            rt.running(&mut rt.bundle()?)?;
            let pid = rt.pid()?;
            rt.kill(name)?.ok()?;
            ensure_eq("exit code", wait::exit_code(pid)?, 128 + number)
        });
    }
    cases.cli(&["B22"], "kill without a signal sends TERM", |rt| {
        rt.running(&mut rt.bundle()?)?;
        let pid = rt.pid()?;
        rt.command(&["kill", rt.id()])?.ok()?;
        ensure_eq("exit code", wait::exit_code(pid)?, 128 + 15)
    });
    for name in ["NOSUCH", "SIGNOSUCH", "", "-1", "99999"] {
        cases.cli(&["B23"], format!("kill with the signal {name:?} is refused"), move |rt| {
            rt.running(&mut rt.bundle()?)?;
            rt.command(&["kill", rt.id(), name])?.refused()?;
            ensure_eq("status", rt.status()?.as_str(), "running")
        });
    }
    for flag in ["--all", "-a"] {
        cases.cli(
            &["B24", "T01"],
            format!("kill {flag} ends every process of the container"),
            move |rt| {
                let mut bundle = rt.bundle()?;
                bundle.without_namespace("pid").shell("sleep 100 & echo ready; exec sleep 100");
                let created = rt.create(&bundle, &[])?.ok()?;
                rt.start()?.ok()?;
                wait::directory(rt.directory(), || {
                    Ok(created.stdout().contains("ready").then_some(()))
                })?;
                let pid = rt.pid()?;
                let children = harness::leak::children(pid);
                rt.command(&["kill", flag, rt.id(), "KILL"])?.ok()?;
                wait::exit_code(pid)?;
                children.into_iter().try_for_each(wait::ended)
            },
        );
    }
    cases.cli(&["B25"], "kill --all of a stopped container succeeds", |rt| {
        rt.create(&rt.bundle()?, &[])?.ok()?;
        let pid = rt.pid()?;
        rt.start()?.ok()?;
        wait::exit_code(pid)?;
        rt.command(&["kill", "--all", rt.id(), "KILL"])?.ok().map(drop)
    });
}

fn delete(cases: &mut Cases) {
    cases.section("cli#delete", "");
    for flag in ["--force", "-f"] {
        cases.cli(
            &["B30"],
            format!("delete {flag} ends a running container and removes it"),
            move |rt| {
                rt.running(&mut rt.bundle()?)?;
                let pid = rt.pid()?;
                rt.delete(&[flag])?.ok()?;
                wait::ended(pid)?;
                rt.command(&["state", rt.id()])?.refused().map(drop)
            },
        );
        cases.cli(&["B30"], format!("delete {flag} of an absent container succeeds"), move |rt| {
            rt.delete(&[flag])?.ok().map(drop)
        });
    }
    cases.cli(&["C08"], "delete --force ends a created container and removes it", |rt| {
        rt.create(&rt.bundle()?, &[])?.ok()?;
        let pid = rt.pid()?;
        rt.delete(&["--force"])?.ok()?;
        wait::ended(pid)
    });
    cases.cli(&["C08"], "delete of a created container ends and removes it", |rt| {
        rt.create(&rt.bundle()?, &[])?.ok()?;
        let pid = rt.pid()?;
        rt.delete(&[])?.ok()?;
        wait::ended(pid)
    });
    cases.cli(
        &["T01", "C38"],
        "delete --force ends all processes of a container without a pid namespace",
        |rt| {
            let mut bundle = rt.bundle()?;
            bundle.without_namespace("pid").shell("sleep 100 & echo ready; exec sleep 100");
            let created = rt.create(&bundle, &[])?.ok()?;
            rt.start()?.ok()?;
            wait::directory(rt.directory(), || {
                Ok(created.stdout().contains("ready").then_some(()))
            })?;
            let children = harness::leak::children(rt.pid()?);
            rt.delete(&["--force"])?.ok()?;
            children.into_iter().try_for_each(wait::ended)
        },
    );
}

//! What engines rely on in the commands: flags, output, exit codes, words.

use std::fs;

use anyhow::Context;
use harness::{Cases, Outcome, Runtime, ensure_contains, ensure_eq, wait};
use serde_json::Value;

pub(crate) fn register(cases: &mut Cases) {
    global(cases);
    list(cases);
    kill(cases);
    delete(cases);
    create(cases);
    run(cases);
    words(cases);
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
const SIGNALS: [(&str, i32); 14] = [
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

fn create(cases: &mut Cases) {
    cases.section("cli#create", "");
    for flag in ["--bundle", "-b"] {
        cases.cli(&["B02"], format!("create takes the bundle of {flag}"), move |rt| {
            let bundle = rt.bundle()?;
            rt.write(&bundle)?;
            let call = rt.call(["create", flag]).args([bundle.path()]).args([rt.id()]);
            rt.finish_living(rt.id(), call)?.ok().map(drop)
        });
    }
    cases.cli(&["B02"], "create without --bundle takes the current directory", |rt| {
        let bundle = rt.bundle()?;
        rt.write(&bundle)?;
        let mut call = rt.call(["create", rt.id()]);
        call.command.current_dir(bundle.path());
        rt.finish_living(rt.id(), call)?.ok()?;
        ensure_eq("bundle", rt.state()?["bundle"].as_str(), bundle.path().to_str())
    });
    for command in ["create", "run"] {
        cases.cli(
            &["B06"],
            format!("{command} --pid-file writes the process id, without a newline"),
            move |rt| {
                let file = rt.directory().join("pid-file");
                let file = file.to_string_lossy();
                let mut bundle = rt.bundle()?;
                bundle.probe(&["sleep-until-signal"]);
                if command == "create" {
                    rt.create(&bundle, &["--pid-file", &file])?.ok()?;
                } else {
                    rt.run_detached(&bundle, &["--pid-file", &file])?.ok()?;
                }
                ensure_eq("content", fs::read_to_string(&*file)?, rt.pid()?.to_string())
            },
        );
    }
    cases.cli(&["B07"], "create --no-pivot gives a container with its own root", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.file("/only-inside", "")?;
        bundle.probe(&["stat", "/only-inside", "stat", "/.."]);
        let output = rt.run(&bundle, &["--no-pivot"])?.ok()?;
        harness::Report::parse(&output.stdout())?.allowed("stat", "/only-inside").map(drop)
    });
    cases.cli(&["B09"], "the container has a new session keyring", |rt| keyring(rt, &[], false));
    cases.cli(&["B08"], "create --no-new-keyring leaves the caller's session keyring", |rt| {
        keyring(rt, &["--no-new-keyring"], true)
    });
    ids(cases);
}

/// Compares session keyrings by their description, since the checker may not be allowed to see more.
fn keyring(rt: &Runtime, flags: &[&str], same: bool) -> Outcome {
    let own = rt.program("/bin/cat").args(["/proc/self/comm"]);
    rt.finish(own)?;
    let described = |output: &str| -> anyhow::Result<i64> {
        harness::Report::parse(output)?.at("/keyring/id").as_i64().context("no session keyring")
    };
    let bundle = rt.bundle()?;
    let checker = bundle.rootfs().join("checker");
    let outside = rt.finish(rt.program(&checker.to_string_lossy()))?.ok()?;
    let inside = rt.run(&bundle, flags)?.ok()?;
    ensure_eq(
        "is the caller's",
        described(&inside.stdout())? == described(&outside.stdout())?,
        same,
    )
}

fn ids(cases: &mut Cases) {
    for suffix in ["", ".dots", "_underscores", "+plus", "-minus", "UPPER", "-0123"] {
        cases.cli(&["C01"], format!("an id that ends with {suffix:?} is accepted"), move |rt| {
            let id = format!("{}{suffix}", rt.id());
            rt.create_as(&id, &rt.bundle()?, &[])?.ok().map(drop)
        });
    }
    for (what, id) in [
        ("an empty id", ""),
        ("the id .", "."),
        ("the id ..", ".."),
        ("an id with a slash", "a/b"),
        ("an id that leads out", "../escape"),
        ("an absolute id", "/absolute"),
        ("an id with a space", "two words"),
        ("an id with a newline", "two\nlines"),
        ("an id with other letters", "ü"),
        ("an id with a colon", "a:b"),
    ] {
        cases.cli(&["C01"], format!("{what} is refused"), move |rt| {
            rt.create_as(id, &rt.bundle()?, &[])?.refused()?;
            let left = fs::read_dir(rt.root()).map(Iterator::count).unwrap_or(0);
            ensure_eq("entries of the state directory", left, 0)
        });
    }
}

fn run(cases: &mut Cases) {
    cases.section("cli#run", "");
    for code in [0, 1, 2, 23, 126, 127, 255] {
        cases.cli(&["A15"], format!("run ends with the program's exit code {code}"), move |rt| {
            let mut bundle = rt.bundle()?;
            bundle.probe(&["exit", &code.to_string()]);
            rt.run(&bundle, &[])?.exits(code).map(drop)
        });
    }
    for signal in [1, 9, 15, 11] {
        cases.cli(
            &["A15"],
            format!(
                "run ends with 128 and the number of the signal {signal} that ended the program"
            ),
            move |rt| {
                let mut bundle = rt.bundle()?;
                // A process 1 cannot send itself a deadly signal.
                bundle.without_namespace("pid").probe(&["kill-self", &signal.to_string()]);
                rt.run(&bundle, &[])?.exits(128 + signal).map(drop)
            },
        );
    }
    cases.cli(&["B13"], "a container that was run is gone at its end", |rt| {
        rt.run(&rt.bundle()?, &[])?.ok()?;
        rt.command(&["state", rt.id()])?.refused().map(drop)
    });
    for flag in ["--detach", "-d"] {
        cases.cli(&["B14"], format!("run {flag} returns while the container runs"), move |rt| {
            let mut bundle = rt.bundle()?;
            bundle.probe(&["sleep-until-signal"]);
            rt.write(&bundle)?;
            rt.finish_living(rt.id(), rt.bundle_call("run", rt.id(), &bundle, &[flag]))?.ok()?;
            ensure_eq("status", rt.status()?.as_str(), "running")
        });
    }
    cases.cli(&["B15"], "run --keep leaves the stopped container", |rt| {
        rt.write(&rt.bundle()?)?;
        let bundle = rt.bundle()?;
        rt.write(&bundle)?;
        rt.finish_living(rt.id(), rt.bundle_call("run", rt.id(), &bundle, &["--keep"]))?.ok()?;
        ensure_eq("status", rt.status()?.as_str(), "stopped")
    });
    for signal in ["TERM", "INT", "HUP", "USR1", "QUIT"] {
        cases.cli(
            &["B19"],
            format!("run forwards the signal {signal} to the container"),
            move |rt| forward(rt, signal),
        );
    }
    cases.cli(&["B13"], "run passes standard input to the program", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.args(&["/bin/cat"]);
        rt.write(&bundle)?;
        let call = rt.bundle_call("run", rt.id(), &bundle, &[]).stdin("some input");
        ensure_eq("output", rt.finish(call)?.ok()?.stdout().as_str(), "some input")
    });
    cases.cli(&["B13"], "run passes output and errors apart", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.shell("echo out; echo err >&2");
        let output = rt.run(&bundle, &[])?.ok()?;
        ensure_eq("stdout", output.stdout().as_str(), "out\n")?;
        ensure_eq("stderr", output.stderr().as_str(), "err\n")
    });
    cases.cli(&["C30"], "only the standard streams reach the program", |rt| {
        let seen = rt.report(&rt.bundle()?)?;
        let fds: Vec<&String> =
            seen.at("/fds").as_object().into_iter().flatten().map(|(fd, _)| fd).collect();
        ensure_eq("open fds", fds, vec!["0", "1", "2"])
    });
}

fn forward(rt: &Runtime, signal: &str) -> Outcome {
    let number = SIGNALS.iter().find(|(name, _)| *name == signal).map_or(0, |(_, number)| *number);
    let mut bundle = rt.bundle()?;
    bundle.probe(&["sleep-until-signal"]);
    rt.write(&bundle)?;
    let running = rt.bundle_call("run", rt.id(), &bundle, &[]).spawn()?;
    let runtime = running.pid();
    let base = rt.directory().to_path_buf();
    let log = || {
        fs::read_dir(&base).into_iter().flatten().flatten().any(|entry| {
            entry.path().extension().is_some_and(|ext| ext == "out")
                && fs::read_to_string(entry.path())
                    .is_ok_and(|text| text.contains("\"namespaces\""))
        })
    };
    wait::directory(rt.directory(), || Ok(log().then_some(())))?;
    let sent = rustix::process::Signal::from_named_raw(number).context("no such signal")?;
    let pid = rustix::process::Pid::from_raw(runtime).context("no pid")?;
    rustix::process::kill_process(pid, sent)?;
    running.wait()?.exits(128 + number).map(drop)
}

fn words(cases: &mut Cases) {
    cases.section("cli#errors", "");
    for command in ["state", "start", "kill", "delete"] {
        cases.cli(
            &["S01"],
            format!("{command} of an absent container says that it does not exist"),
            move |rt| {
                rt.command(&[command, rt.id()])?.exits(1)?.says(&["does not exist"]).map(drop)
            },
        );
    }
    for (what, args, words) in [
        (
            "a missing program in PATH",
            &["no-such-program"] as &[&str],
            "executable file not found in $PATH",
        ),
        ("a missing program with a path", &["/no/such/program"], "no such file or directory"),
        ("a program without permission", &["/etc/passwd"], "permission denied"),
    ] {
        cases.cli(
            &["A16"],
            format!("{what} is said in the words that engines map to 126 and 127"),
            move |rt| {
                let mut bundle = rt.bundle()?;
                bundle.args(args);
                let output = rt.create(&bundle, &[])?.exits(1)?;
                ensure_contains("errors", &output.errors().to_lowercase(), &words.to_lowercase())
            },
        );
    }
    cases.cli(&["A15"], "a command without an id is refused with exit code 1", |rt| {
        rt.command(&["start"])?.exits(1)?.refused().map(drop)
    });
    cases.cli(&["S01"], "kill of a stopped container says so", |rt| {
        rt.create(&rt.bundle()?, &[])?.ok()?;
        let pid = rt.pid()?;
        rt.start()?.ok()?;
        wait::exit_code(pid)?;
        rt.kill("TERM")?.exits(1)?.says(&["not running", "process already finished"]).map(drop)
    });
    cases.cli(&["S01"], "create with an id in use says so", |rt| {
        rt.create(&rt.bundle()?, &[])?.ok()?;
        rt.create(&rt.bundle()?, &[])?.exits(1)?.says(&["already exists"]).map(drop)
    });
}

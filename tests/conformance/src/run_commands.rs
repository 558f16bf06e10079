//! What engines rely on in `create` and `run`, and in the words of errors.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use harness::{Cases, Outcome, Runtime, ensure_contains, ensure_eq, wait};

use crate::commands::SIGNALS;

pub(crate) fn register(cases: &mut Cases) {
    create(cases);
    run(cases);
    words(cases);
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
    for (rows, flag, terminal, what) in [
        (&["B04", "G05"] as &[&str], "--console-socket", true, "the terminal"),
        (&["B05"], "--pidfd-socket", false, "a pidfd"),
    ] {
        cases.cli(rows, format!("create {flag} sends {what} before it returns"), move |rt| {
            let path = rt.directory().join("socket");
            let socket = std::os::unix::net::UnixListener::bind(&path)?;
            let mut bundle = rt.bundle()?;
            bundle.set("/process/terminal", terminal);
            rt.create(&bundle, &[flag, &path.to_string_lossy()])?.ok()?;
            ensure_eq("calls", wait::readable(&socket, Duration::ZERO)?, true)?;
            let (stream, _) = socket.accept()?;
            ensure_eq("fds sent", fds(&stream)?, 1)
        });
    }
    cases.cli(&["B07"], "create --no-pivot gives a container with its own root", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.file("/only-inside/file", "")?;
        bundle.probe(&["stat", "/only-inside/..", "stat", "/.."]);
        let output = rt.run(&bundle, &["--no-pivot"])?.ok()?;
        let seen = harness::Report::parse(&output.stdout())?;
        let inode = seen.allowed("stat", "/only-inside/..")?["inode"].clone();
        ensure_eq("inode of /..", &seen.allowed("stat", "/..")?["inode"], &inode)
    });
    cases.cli(&["B09"], "the container has a new session keyring", |rt| keyring(rt, &[], false));
    cases.cli(&["B08"], "create --no-new-keyring leaves the caller's session keyring", |rt| {
        keyring(rt, &["--no-new-keyring"], true)
    });
    ids(cases);
}

/// How many fds wait in the socket.
fn fds(stream: &std::os::unix::net::UnixStream) -> anyhow::Result<usize> {
    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let (mut ancillary, mut bytes) = (RecvAncillaryBuffer::new(&mut space), [0; 4096]);
    let mut slices = [std::io::IoSliceMut::new(&mut bytes)];
    recvmsg(stream, &mut slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let mut count = 0;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            count += rights.count();
        }
    }
    Ok(count)
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
        rt.run(&bundle, &[])?.refused()?;
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

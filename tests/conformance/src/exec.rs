//! `exec`: its flags, its exit code, its words.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

use anyhow::Context;
use harness::{Bundle, Cases, Outcome, Output, Report, Runtime, ensure_contains, ensure_eq, wait};
use serde_json::{Value, json};

use crate::screen::Receiver;
use crate::streams;

pub(crate) fn register(cases: &mut Cases) {
    cases.section("cli#exec", "");
    endings(cases);
    streams_and_signals(cases);
    process_flags(cases);
    privileges(cases);
    descriptors(cases);
    detached(cases);
}

/// A running container with the default config, changed.
pub(crate) fn container(rt: &Runtime, change: impl Fn(&mut Bundle)) -> anyhow::Result<Report> {
    let mut bundle = rt.bundle()?;
    change(&mut bundle);
    rt.running(&mut bundle)
}

/// What the checker reports when it is executed with these flags and probes.
pub(crate) fn report(rt: &Runtime, flags: &[&str], probes: &[&str]) -> anyhow::Result<Report> {
    let words: Vec<&str> = std::iter::once("/checker").chain(probes.iter().copied()).collect();
    Report::parse(&rt.exec(flags, &words)?.ok()?.stdout())
}

/// Executes a shell script.
pub(crate) fn shell(rt: &Runtime, flags: &[&str], script: &str) -> anyhow::Result<Output> {
    rt.exec(flags, &["/bin/sh", "-c", script])
}

/// Writes a process for `--process` and executes it.
pub(crate) fn process(rt: &Runtime, process: &Value) -> anyhow::Result<Output> {
    let file = rt.directory().join("process.json");
    fs::write(&file, process.to_string())?;
    rt.command(&["exec", "--process", file.to_str().unwrap_or_default(), rt.id()])
}

/// A process that engines would write: everything that is required, and the default config's capabilities.
pub(crate) fn plain_process(arguments: &[&str]) -> Value {
    let names = harness::preset::CAPABILITIES;
    json!({
        "user": { "uid": 0, "gid": 0 }, "args": arguments, "cwd": "/", "env": ["PATH=/bin", "FROM=the-file"],
        "capabilities": { "bounding": names, "effective": names, "permitted": names },
        "noNewPrivileges": true,
    })
}

fn endings(cases: &mut Cases) {
    for code in [0, 1, 7, 255] {
        cases.cli(&["B32", "A15"], format!("exec ends with the exit code {code}"), move |rt| {
            container(rt, |_| {})?;
            shell(rt, &[], &format!("exit {code}"))?.exits(code).map(drop)
        });
    }
    for signal in [1, 9, 15, 31] {
        cases.cli(&["A15"], format!("exec of what signal {signal} ends: 128 and it"), move |rt| {
            container(rt, |_| {})?;
            rt.exec(&[], &["/checker", "kill-self", &signal.to_string()])?
                .exits(128 + signal)
                .map(drop)
        });
    }
    cases.cli(&["B32"], "exec ends with its process, whatever that leaves behind", |rt| {
        container(rt, |_| {})?;
        shell(rt, &[], "sleep 1000 & exit 3")?.exits(3).map(drop)
    });
    cases.cli(&["B32"], "arguments after the program are the program's", |rt| {
        container(rt, |_| {})?;
        let words = ["/checker", "stat", "--tty", "stat", "-p", "stat", "--", "stat", ""];
        let seen = Report::parse(&rt.exec(&[], &words)?.ok()?.stdout())?;
        ensure_eq("arguments", seen.texts("/args"), words.to_vec())
    });
}

fn streams_and_signals(cases: &mut Cases) {
    cases.cli(&["B32"], "exec passes standard input on, to its end", |rt| {
        container(rt, |_| {})?;
        let call = rt.call(["exec", rt.id(), "/bin/cat"]).stdin("one\ntwo");
        ensure_eq("output", rt.finish(call)?.ok()?.stdout().as_str(), "one\ntwo")
    });
    cases.cli(&["B32"], "exec passes output and errors apart", |rt| {
        container(rt, |_| {})?;
        let output = shell(rt, &[], "echo out; echo err >&2")?.ok()?;
        ensure_eq("output", output.stdout().as_str(), "out\n")?;
        ensure_eq("errors", output.stderr().as_str(), "err\n")
    });
    for (name, signal) in [("TERM", 15), ("INT", 2), ("HUP", 1), ("USR1", 10), ("QUIT", 3)] {
        cases.cli(&["B32"], format!("exec passes the signal {name} on"), move |rt| {
            container(rt, |_| {})?;
            let running = rt.call(["exec", rt.id(), "/checker", "sleep-until-signal"]).spawn()?;
            wait::directory(rt.directory(), || Ok(Report::parse(&running.stdout()).ok()))?;
            send(running.pid(), signal)?;
            running.wait()?.exits(128 + signal).map(drop)
        });
    }
}

/// Sends a standard signal.
pub(crate) fn send(pid: i32, signal: i32) -> Outcome {
    let signal = rustix::process::Signal::from_named_raw(signal).context("signal")?;
    let pid = rustix::process::Pid::from_raw(pid).context("pid")?;
    Ok(rustix::process::kill_process(pid, signal)?)
}

fn process_flags(cases: &mut Cases) {
    cases.cli(&["B36"], "exec --cwd is the working directory", |rt| {
        container(rt, |_| {})?;
        ensure_eq("cwd", report(rt, &["--cwd", "/home/user"], &[])?.text("/cwd"), "/home/user")
    });
    cases.cli(&["B36"], "without --cwd it is that of the config", |rt| {
        container(rt, |bundle| {
            bundle.set("/process/cwd", "/tmp");
        })?;
        ensure_eq("cwd", report(rt, &[], &[])?.text("/cwd"), "/tmp")
    });
    for flag in ["--env", "-e"] {
        cases.cli(&["B37"], format!("exec {flag} adds to the environment"), move |rt| {
            container(rt, |_| {})?;
            let seen = report(rt, &[flag, "A=b=c", flag, "EMPTY="], &[])?;
            for variable in ["A=b=c", "EMPTY=", "TERM=xterm"] {
                ensure_eq(variable, seen.texts("/env").contains(&variable), true)?;
            }
            Ok(())
        });
    }
    cases.cli(&["B37"], "exec --env prevails over the variable of the config", |rt| {
        container(rt, |_| {})?;
        let output = shell(rt, &["--env", "TERM=dumb"], "echo $TERM")?.ok()?;
        ensure_eq("TERM", output.stdout().as_str(), "dumb\n")
    });
    for (user, uid, gid, home) in [
        ("1000:1000", 1000, 1000, "/home/user"),
        ("1000", 1000, 0, "/home/user"),
        ("4242:5", 4242, 5, "/"),
    ] {
        cases.cli(&["B39", "C34"], format!("exec --user {user} sets ids and HOME"), move |rt| {
            container(rt, |_| {})?;
            let seen = report(rt, &["--user", user], &[])?;
            for (name, id) in [
                ("uid", uid),
                ("euid", uid),
                ("suid", uid),
                ("gid", gid),
                ("egid", gid),
                ("sgid", gid),
            ] {
                ensure_eq(name, seen.at(&format!("/ids/{name}")).as_u64(), Some(id))?;
            }
            let variable = format!("HOME={home}");
            ensure_eq("HOME", seen.texts("/env").contains(&variable.as_str()), true)
        });
    }
    cases.cli(&["B39"], "a user who is not root has no effective capability in exec", |rt| {
        container(rt, |_| {})?;
        let seen = report(rt, &["--user", "1000:1000"], &[])?;
        ensure_eq("effective", seen.texts("/capabilities/effective"), Vec::<&str>::new())
    });
    cases.cli(&["B40"], "exec --additional-gids adds groups", |rt| {
        container(rt, |bundle| {
            bundle.set("/process/user/additionalGids", json!([7]));
        })?;
        let seen = report(rt, &["--additional-gids", "5", "-g", "70000"], &[])?;
        let found = seen.at("/ids/groups").as_array().cloned().unwrap_or_default();
        for gid in [5, 7, 70000] {
            ensure_eq(&format!("has group {gid}"), found.contains(&json!(gid)), true)?;
        }
        Ok(())
    });
    for flag in ["--process", "-p"] {
        cases.cli(
            &["B33"],
            format!("exec {flag} takes the whole process from a file"),
            move |rt| from_file(rt, flag),
        );
    }
    for (what, text) in [("no JSON", "{"), ("no process", "[]"), ("nothing", "")] {
        cases.cli(&["B33"], format!("a --process file with {what} is refused"), move |rt| {
            container(rt, |_| {})?;
            let file = rt.directory().join("process.json");
            fs::write(&file, text)?;
            rt.command(&["exec", "--process", file.to_str().unwrap_or_default(), rt.id()])?
                .refused()
                .map(drop)
        });
    }
    cases.cli(&["B33"], "a --process file without args is refused", |rt| {
        container(rt, |_| {})?;
        let mut wanted = plain_process(&[]);
        wanted["args"] = Value::Null;
        process(rt, &wanted)?.refused().map(drop)
    });
}

fn from_file(rt: &Runtime, flag: &str) -> Outcome {
    container(rt, |_| {})?;
    let mut wanted = plain_process(&["/checker", "stat", "/"]);
    wanted["cwd"] = json!("/home");
    wanted["user"] = json!({ "uid": 1000, "gid": 5, "additionalGids": [6, 7], "umask": 0o027 });
    let file = rt.directory().join("process.json");
    fs::write(&file, wanted.to_string())?;
    let output = rt.command(&["exec", flag, file.to_str().unwrap_or_default(), rt.id()])?.ok()?;
    let seen = Report::parse(&output.stdout())?;
    ensure_eq("cwd", seen.text("/cwd"), "/home")?;
    ensure_eq("uid", seen.at("/ids/uid").as_u64(), Some(1000))?;
    ensure_eq("gid", seen.at("/ids/gid").as_u64(), Some(5))?;
    let groups = seen.at("/ids/groups").as_array().cloned().unwrap_or_default();
    ensure_eq("groups", groups.contains(&json!(6)) && groups.contains(&json!(7)), true)?;
    ensure_eq("umask", seen.text("/ids/umask"), "0027")?;
    let env = seen.texts("/env");
    ensure_eq("variable of the file", env.contains(&"FROM=the-file"), true)?;
    ensure_eq("variable of the config", env.contains(&"TERM=xterm"), false)
}

fn privileges(cases: &mut Cases) {
    for (flags, expected) in [(vec![], false), (vec!["--no-new-privs"], true)] {
        cases.cli(&["B45"], format!("no_new_privs is {expected} with {flags:?}"), move |rt| {
            container(rt, |bundle| {
                bundle.set("/process/noNewPrivileges", false);
            })?;
            let seen = report(rt, &flags, &[])?;
            ensure_eq("no_new_privs", seen.at("/no_new_privs").as_bool(), Some(expected))
        });
    }
    for flag in ["--cap", "-c"] {
        cases.cli(
            &["B46"],
            format!("exec {flag} adds a capability, not to inheritable"),
            move |rt| {
                container(rt, |_| {})?;
                let seen = report(rt, &[flag, "CAP_NET_RAW"], &[])?;
                for set in ["bounding", "effective", "permitted"] {
                    let names = seen.texts(&format!("/capabilities/{set}"));
                    ensure_eq(
                        set,
                        names,
                        vec!["CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_AUDIT_WRITE"],
                    )?;
                }
                ensure_eq(
                    "inheritable",
                    seen.texts("/capabilities/inheritable"),
                    Vec::<&str>::new(),
                )
            },
        );
    }
    let lsm = |name: &str| {
        fs::read_to_string("/sys/kernel/security/lsm").is_ok_and(|list| list.contains(name))
    };
    for (flag, value, name, rows) in [
        ("--apparmor", "a-profile", "apparmor", &["B44"] as &'static [&'static str]),
        ("--process-label", "system_u:system_r:container_t:s0", "selinux", &["B43"]),
    ] {
        cases.cli(
            rows,
            format!("exec {flag} without that LSM is refused by its name"),
            move |rt| {
                if lsm(name) {
                    return harness::skip("the kernel has this LSM");
                }
                container(rt, |_| {})?;
                let output = rt.exec(&[flag, value], &["/bin/true"])?.refused()?;
                ensure_contains("errors", &output.errors().to_lowercase(), name)
            },
        );
    }
}

fn descriptors(cases: &mut Cases) {
    cases.cli(&["C30"], "only the standard streams reach the program of exec", |rt| {
        container(rt, |_| {})?;
        let mut call = rt.call(["exec", rt.id(), "/checker"]);
        let fds = (0..4).map(|_| File::open("/").map(OwnedFd::from)).collect::<Result<_, _>>()?;
        streams::pass(&mut call, fds);
        let seen = Report::parse(&rt.finish(call)?.ok()?.stdout())?;
        let numbers: Vec<&String> = seen.at("/fds").as_object().context("fds")?.keys().collect();
        ensure_eq("descriptors", numbers, vec!["0", "1", "2"])
    });
    for count in [1, 3] {
        cases.cli(&["B47"], format!("exec --preserve-fds {count} passes that many"), move |rt| {
            container(rt, |_| {})?;
            let path = rt.directory().join("passed");
            fs::write(&path, "")?;
            let mut call =
                rt.call(["exec", "--preserve-fds", &count.to_string(), rt.id(), "/checker"]);
            let open = |_| File::open(&path).map(OwnedFd::from);
            streams::pass(&mut call, (0..count + 1).map(open).collect::<Result<_, _>>()?);
            let seen = Report::parse(&rt.finish(call)?.ok()?.stdout())?;
            let numbers: Vec<&String> =
                seen.at("/fds").as_object().context("fds")?.keys().collect();
            let expected: Vec<String> = (0..3 + count).map(|fd| fd.to_string()).collect();
            ensure_eq("descriptors", numbers, expected.iter().collect::<Vec<_>>())
        });
    }
    cases.cli(&["C29"], "LISTEN_FDS passes sockets and variables to exec's program", listen_fds);
    cases.cli(&["B35"], "exec --pidfd-socket sends a pidfd of the process", |rt| {
        container(rt, |_| {})?;
        let receiver = Receiver::new(rt)?;
        let flags = ["--detach", "--pidfd-socket", receiver.path()];
        let left = detach_checker(rt, &flags)?;
        let pidfd = receiver.receive()?;
        let number = std::os::fd::AsRawFd::as_raw_fd(&pidfd);
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}"))?;
        ensure_contains("fdinfo", &info, &format!("Pid:\t{}\n", left.pid))
    });
}

fn listen_fds(rt: &Runtime) -> Outcome {
    container(rt, |_| {})?;
    let binary = rt.binary().to_string_lossy().into_owned();
    let root = rt.root().to_string_lossy().into_owned();
    let mut call = rt
        .program("/bin/sh")
        .args(["-c", "LISTEN_PID=$$ exec \"$@\"", "sh", &binary, "--root", &root])
        .args(["exec", rt.id(), "/checker"])
        .env("LISTEN_FDS", "1");
    let socket = UnixDatagram::bind(rt.directory().join("socket"))?;
    streams::pass(&mut call, vec![OwnedFd::from(socket)]);
    let seen = Report::parse(&rt.finish(call)?.ok()?.stdout())?;
    ensure_contains("fd 3", seen.text("/fds/3"), "socket:")?;
    let env = seen.texts("/env");
    ensure_eq("LISTEN_FDS", env.contains(&"LISTEN_FDS=1"), true)?;
    let own = format!("LISTEN_PID={}", seen.at("/pid"));
    ensure_eq(
        "LISTEN_PID is the program's, or 1 as runc has it",
        env.contains(&own.as_str()) || env.contains(&"LISTEN_PID=1"),
        true,
    )
}

fn detached(cases: &mut Cases) {
    for flag in ["--detach", "-d"] {
        cases.cli(
            &["B41", "B42"],
            format!("exec {flag} returns with the process in its cgroup"),
            move |rt| {
                container(rt, |_| {})?;
                let left = detach_checker(rt, &[flag])?;
                let cgroups = |pid: i32| fs::read_to_string(format!("/proc/{pid}/cgroup"));
                ensure_eq("cgroups", cgroups(left.pid)?, cgroups(rt.pid()?)?)?;
                let line = fs::read_to_string(format!("/proc/{}/cmdline", left.pid))?;
                ensure_contains("program", &line, "/checker")
            },
        );
    }
}

/// A process that an exec has left, which ends with this value.
#[derive(Debug)]
pub(crate) struct Left {
    /// Its id.
    pub(crate) pid: i32,
}

impl Drop for Left {
    /// Ends and reaps it: init ends when all others of its pid namespace have been reaped.
    fn drop(&mut self) {
        harness::leak::kill(self.pid);
        let _reported_as_a_leak = wait::exit_code(self.pid);
    }
}

/// Leaves a checker that has reported: the signals that it waits for are blocked by then, and end nothing in a frozen container.
pub(crate) fn detach_checker(rt: &Runtime, flags: &[&str]) -> anyhow::Result<Left> {
    let (left, output) = execute(rt, flags, &["/checker", "sleep-until-signal"])?;
    rt.report_of(&output)?;
    Ok(left)
}

/// Executes a process and leaves it; its id is that of the pid file.
pub(crate) fn detach(rt: &Runtime, flags: &[&str], arguments: &[&str]) -> anyhow::Result<Left> {
    execute(rt, flags, arguments).map(|(left, _)| left)
}

fn execute(rt: &Runtime, flags: &[&str], arguments: &[&str]) -> anyhow::Result<(Left, Output)> {
    let file = rt.directory().join("pid");
    let words = flags.iter().copied().chain(["--pid-file", file.to_str().unwrap_or_default()]);
    let output = rt.exec(&words.collect::<Vec<_>>(), arguments)?.ok()?;
    let text = fs::read_to_string(&file)?;
    let pid = text.trim().parse().with_context(|| format!("the pid file contains {text:?}"))?;
    Ok((Left { pid }, output))
}

//! `runtime-linux.md#file-descriptors`, and the odd states in which engines call a runtime.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;

use anyhow::{Context, bail};
use harness::{Cases, Outcome, Report, Runtime, ensure_contains, ensure_eq, wait};

pub(crate) fn register(cases: &mut Cases) {
    cases.section("runtime-linux.md#file-descriptors", "1.0.0");
    for count in [1, 3] {
        cases.may(
            &["B10"],
            format!("--preserve-fds {count} passes that many fds from 3 on"),
            move |rt| preserve(rt, count),
        );
    }
    cases.may(&["C28"], "LISTEN_FDS passes the sockets and the variables", |rt| {
        let seen = listen_fds(rt)?;
        ensure_contains("fd 3", seen.text("/fds/3"), "socket:")?;
        for variable in ["LISTEN_FDS=1", "LISTEN_PID=1"] {
            ensure_eq(variable, seen.texts("/env").contains(&variable), true)?;
        }
        Ok(())
    });
    cases.may(&["C28"], "LISTEN_FDNAMES passes the names of the sockets (no peer does)", |rt| {
        let seen = listen_fds(rt)?;
        ensure_eq("names", seen.texts("/env").contains(&"LISTEN_FDNAMES=web"), true)
    });
    cases.section("cli#start-conditions", "");
    cases.cli(
        &["C27"],
        "what the program sends to NOTIFY_SOCKET reaches the caller, with its process id",
        notify,
    );
    cases.cli(&["T09"], "a caller with an odd umask does not change the container's files", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.probe(&["stat", "/dev/null"]);
        rt.write(&bundle)?;
        let mut call = rt.bundle_call("run", rt.id(), &bundle, &[]);
        before_exec(&mut call, || {
            rustix::process::umask(0o777.into());
        });
        let output = rt.finish(call)?.ok()?;
        let seen = Report::parse(&output.stdout())?;
        ensure_eq(
            "mode of /dev/null",
            seen.allowed("stat", "/dev/null")?["mode"].as_str(),
            Some("0666"),
        )?;
        ensure_eq("umask", seen.text("/ids/umask"), "0022")
    });
    cases.cli(&["T09"], "a caller in another directory, which is gone, is no hindrance", |rt| {
        let gone = rt.directory().join("gone");
        fs::create_dir(&gone)?;
        let bundle = rt.bundle()?;
        rt.write(&bundle)?;
        let mut call = rt.bundle_call("run", rt.id(), &bundle, &[]);
        call.command.current_dir(&gone);
        let path = gone.clone();
        before_exec(&mut call, move || {
            let _gone_already = fs::remove_dir(&path);
        });
        rt.finish(call)?.ok().map(drop)
    });
}

/// Runs `body` in the child before it becomes the runtime.
pub(crate) fn before_exec(call: &mut harness::Call, body: impl Fn() + Send + Sync + 'static) {
    #[expect(unsafe_code, reason = "the only way to prepare a child")]
    // SAFETY: this process has one thread, so anything may be called between fork and exec.
    unsafe {
        call.command.pre_exec(move || {
            body();
            Ok(())
        })
    };
}

/// Puts duplicates of these fds at 3, 4 … in the runtime.
pub(crate) fn pass(call: &mut harness::Call, fds: Vec<OwnedFd>) {
    before_exec(call, move || {
        // Out of the way first, so that none is overwritten before it is duplicated.
        let high: Vec<OwnedFd> =
            fds.iter().filter_map(|fd| rustix::io::fcntl_dupfd_cloexec(fd, 100).ok()).collect();
        for (index, fd) in (3..).zip(&high) {
            #[expect(unsafe_code, reason = "a number becomes an fd")]
            // SAFETY: dup2 closes whatever the number stood for, which only the child loses.
            let mut target = unsafe { <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(index) };
            let _failed = rustix::io::dup2(fd, &mut target);
            let _stays_open = std::mem::ManuallyDrop::new(target);
        }
    });
}

fn preserve(rt: &Runtime, count: usize) -> Outcome {
    let bundle = rt.bundle()?;
    rt.write(&bundle)?;
    let path = rt.directory().join("passed");
    fs::write(&path, "")?;
    let mut call = rt.bundle_call("run", rt.id(), &bundle, &["--preserve-fds", &count.to_string()]);
    let fds =
        (0..count).map(|_| fs::File::open(&path).map(OwnedFd::from)).collect::<Result<_, _>>()?;
    pass(&mut call, fds);
    let output = rt.finish(call)?.ok()?;
    let seen = Report::parse(&output.stdout())?;
    let fds = seen.at("/fds").as_object().context("no fds")?;
    let passed: Vec<&String> = fds
        .iter()
        .filter(|(_, target)| target.as_str().is_some_and(|t| t.ends_with("/passed")))
        .map(|(fd, _)| fd)
        .collect();
    let expected: Vec<String> = (3..3 + count).map(|fd| fd.to_string()).collect();
    ensure_eq("fds that lead to the file", passed, expected.iter().collect::<Vec<_>>())
}

fn listen_fds(rt: &Runtime) -> anyhow::Result<Report> {
    let bundle = rt.bundle()?;
    rt.write(&bundle)?;
    let call = rt.bundle_call("run", rt.id(), &bundle, &[]);
    // LISTEN_PID has to be the runtime's own, which is known only in the child.
    let words: Vec<String> = std::iter::once(call.command.get_program())
        .chain(call.command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let mut shell = rt
        .program("/bin/sh")
        .args(["-c", "LISTEN_PID=$$ exec \"$@\"", "sh"])
        .args(&words)
        .env("LISTEN_FDS", "1")
        .env("LISTEN_FDNAMES", "web");
    let socket = UnixDatagram::bind(rt.directory().join("socket"))?;
    pass(&mut shell, vec![OwnedFd::from(socket)]);
    let output = rt.finish(shell)?.ok()?;
    Report::parse(&output.stdout())
}

fn notify(rt: &Runtime) -> Outcome {
    let path = rt.directory().join("notify");
    let socket = UnixDatagram::bind(&path)?;
    let mut bundle = rt.bundle()?;
    bundle.probe(&["notify", "READY=1", "sleep-until-signal"]);
    rt.write(&bundle)?;
    let call = rt.bundle_call("create", rt.id(), &bundle, &[]).env("NOTIFY_SOCKET", &path);
    rt.finish_living(rt.id(), call)?.ok()?;
    rt.finish(rt.call(["start", rt.id()]).env("NOTIFY_SOCKET", &path))?.ok()?;
    let mut all = String::new();
    let process = format!("MAINPID={}", rt.pid()?);
    while !(all.contains("READY=1") && all.contains(&process)) {
        if !wait::readable(&socket, wait::LIMIT)? {
            bail!("no READY=1 and {process} on the caller's socket, only {all:?}");
        }
        let mut message = [0; 4096];
        let length = socket.recv(&mut message)?;
        all += &String::from_utf8_lossy(message.get(..length).unwrap_or_default());
        all.push('\n');
    }
    Ok(())
}

//! `process.terminal` with a console socket: the master is sent, the process has the slave.

use harness::{Bundle, Cases, Outcome, Runtime, ensure_contains, ensure_eq};
use serde_json::json;

use crate::exec::{Left, container, detach};
use crate::foreground::noise;
use crate::screen::{Receiver, Screen};

pub(crate) fn register(cases: &mut Cases) {
    cases.section("config.md#terminal", "1.0.0");
    for how in [How::Create, How::Run, How::Exec] {
        inside(cases, how);
        keys(cases, how);
        cases.must(how.rows(), format!("{how:?}: 5 MB arrive as they were written"), move |rt| {
            flood(rt, how, 5)
        });
        let title = format!("{how:?}: 100 MB arrive as they were written");
        cases.must(how.rows(), title, move |rt| flood(rt, how, 100)).slow().limit(180);
    }
    console(cases);
    refusals(cases);
}

/// The command that makes the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Create,
    Run,
    Exec,
}

impl How {
    fn rows(self) -> &'static [&'static str] {
        match self {
            Self::Create => &["E01", "B03"],
            Self::Run => &["E01", "B16"],
            Self::Exec => &["E01", "B34", "B38"],
        }
    }
}

/// A process with a terminal, whose other end is in the test's hands.
#[derive(Debug)]
struct Attached {
    screen: Screen,
    /// The process of an exec.
    _left: Option<Left>,
}

/// Runs a script with a terminal.
fn attach(rt: &Runtime, how: How, uid: u32, script: &str) -> anyhow::Result<Attached> {
    let receiver = Receiver::new(rt)?;
    let socket = ["--console-socket", receiver.path()];
    let mut bundle = terminal_bundle(rt, script)?;
    bundle.set("/process/user/uid", uid);
    match how {
        How::Create => {
            rt.create(&bundle, &socket)?.ok()?;
            let screen = Screen::of(receiver.receive()?);
            rt.start()?.ok()?;
            Ok(Attached { screen, _left: None })
        }
        How::Run => {
            rt.run_detached(&bundle, &socket)?.ok()?;
            Ok(Attached { screen: Screen::of(receiver.receive()?), _left: None })
        }
        How::Exec => {
            container(rt, |bundle| share(rt, bundle))?;
            let user = format!("{uid}:0");
            let flags = ["--detach", "--tty", "--user", &user, socket[0], socket[1]];
            let left = detach(rt, &flags, &["/bin/sh", "-c", script])?;
            Ok(Attached { screen: Screen::of(receiver.receive()?), _left: Some(left) })
        }
    }
}

fn terminal_bundle(rt: &Runtime, script: &str) -> anyhow::Result<Bundle> {
    let mut bundle = rt.bundle()?;
    bundle.shell(script).set("/process/terminal", true);
    share(rt, &mut bundle);
    Ok(bundle)
}

/// The directory `shared` of the test, if there is one, is `/shared` inside.
fn share(rt: &Runtime, bundle: &mut Bundle) {
    let shared = rt.directory().join("shared");
    if shared.is_dir() {
        bundle.mount("/shared", "bind", shared.to_str().unwrap_or_default(), &["bind", "ro"]);
    }
}

/// What a script finds out, and the text that says so.
const SCRIPTS: [(&str, u32, &str, &str); 6] = [
    (
        "all three standard streams are the terminal",
        0,
        "for fd in 0 1 2; do test -t $fd && echo -n \"$fd \"; done; echo end",
        "0 1 2 end",
    ),
    ("the terminal is one of the container's", 0, "tty", "/dev/pts/0"),
    ("the terminal controls the process", 0, ": < /dev/tty && echo controlled", "controlled"),
    ("the slave belongs to the user of the process", 1000, "stat -c '%u %a' $(tty)", "1000 620"),
    ("the slave's group is that of the mount", 1000, "stat -c 'group %g' $(tty)", "group 5"),
    (
        "nothing else of the host's is open",
        0,
        "cd /proc/self/fd; for fd in *; do test -e $fd -a $fd -gt 2 && readlink $fd; done; echo end",
        "end",
    ),
];

fn inside(cases: &mut Cases, how: How) {
    for (sentence, uid, script, expected) in SCRIPTS {
        cases.must(how.rows(), format!("{how:?}: {sentence}"), move |rt| {
            let mut attached = attach(rt, how, uid, script)?;
            let text = attached.screen.rest()?;
            ensure_eq("what the script says", text.trim(), expected)
        });
    }
    cases.must(how.rows(), format!("{how:?}: the master is sent once, alone"), move |rt| {
        // The receiver counts messages and descriptors.
        attach(rt, how, 0, "true").map(drop)
    });
    cases.must(how.rows(), format!("{how:?}: a hang-up ends the process"), move |rt| {
        let Attached { mut screen, _left } = attach(rt, how, 0, "echo ready; exec cat")?;
        screen.see("ready")?;
        let pid = _left.as_ref().map_or_else(|| rt.pid(), |left| Ok(left.pid))?;
        drop(screen);
        harness::wait::ended(pid)
    });
}

fn keys(cases: &mut Cases, how: How) {
    cases.must(how.rows(), format!("{how:?}: ctrl-C is an interrupt"), move |rt| {
        let script = "trap 'echo interrupted; exit' INT; echo ready; while :; do read line; done";
        let mut attached = attach(rt, how, 0, script)?;
        attached.screen.see("ready")?;
        attached.screen.enter("\x03")?;
        attached.screen.see("interrupted").map(drop)
    });
    cases.must(how.rows(), format!("{how:?}: ctrl-D ends the input"), move |rt| {
        let mut attached = attach(rt, how, 0, "echo ready; cat; echo the-end")?;
        attached.screen.see("ready")?;
        attached.screen.enter("typed\n\x04")?;
        let text = attached.screen.see("the-end")?;
        ensure_contains("output after its echo", &text, "typed\ntyped\n")
    });
    cases.must(how.rows(), format!("{how:?}: a resize is a signal and a size"), move |rt| {
        let script = "trap 'stty size; exit' WINCH; echo ready; while :; do read line; done";
        let mut attached = attach(rt, how, 0, script)?;
        attached.screen.see("ready")?;
        attached.screen.resize(44, 155)?;
        attached.screen.see("44 155").map(drop)
    });
    cases.must(how.rows(), format!("{how:?}: an interactive shell has job control"), move |rt| {
        let mut attached = attach(rt, how, 0, "exec sh -i")?;
        attached.screen.see("# ")?;
        attached.screen.enter("echo run''ning; cat\r")?;
        attached.screen.see("running\n")?;
        attached.screen.enter("typed\r")?;
        attached.screen.see("typed\ntyped\n")?;
        attached.screen.enter("\x1a")?;
        let text = attached.screen.see("Stopped")?;
        ensure_eq("job control is off", text.contains("turned off"), false)
    });
}

/// All that is written into the terminal comes out of its other end, when nothing there translates it.
fn flood(rt: &Runtime, how: How, megabytes: usize) -> Outcome {
    let shared = rt.directory().join("shared");
    std::fs::create_dir(&shared)?;
    let expected = noise(megabytes);
    std::fs::write(shared.join("flood"), &expected)?;
    let mut attached = attach(rt, how, 0, "stty raw; cat /shared/flood")?;
    let found = attached.screen.bytes()?;
    ensure_eq("bytes", found.len(), expected.len())?;
    ensure_eq("all are the same", found == expected, true)
}

fn console(cases: &mut Cases) {
    for how in [How::Create, How::Run] {
        cases.must(&["G05"], format!("{how:?}: /dev/console is the terminal"), move |rt| {
            let script = "stat -Lc '%t:%T' /dev/console $(tty); echo through > /dev/console";
            let mut attached = attach(rt, how, 0, script)?;
            let text = attached.screen.rest()?;
            let lines: Vec<&str> = text.lines().collect();
            ensure_eq("devices", lines.first(), lines.get(1))?;
            ensure_eq("written to it", lines.get(2), Some(&"through"))
        });
    }
    cases.must(&["E02"], "consoleSize is the size at the start", |rt| {
        let receiver = Receiver::new(rt)?;
        let mut bundle = terminal_bundle(rt, "stty size")?;
        bundle.set("/process/consoleSize", json!({ "height": 33, "width": 121 }));
        rt.run_detached(&bundle, &["--console-socket", receiver.path()])?.ok()?;
        let text = Screen::of(receiver.receive()?).rest()?;
        ensure_eq("size", text.trim(), "33 121")
    });
    cases.must(&["E02"], "consoleSize without terminal is ignored", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.set("/process/consoleSize", json!({ "height": 33, "width": 121 }));
        rt.run(&bundle, &[])?.ok().map(drop)
    });
}

fn refusals(cases: &mut Cases) {
    cases.section("cli#console-socket", "");
    cases.cli(&["B03"], "create with a terminal and no console socket is refused", |rt| {
        rt.create(&terminal_bundle(rt, "true")?, &[])?.refused().map(drop)
    });
    cases.cli(&["B03"], "create with a console socket and no terminal is refused", |rt| {
        let receiver = Receiver::new(rt)?;
        rt.create(&rt.bundle()?, &["--console-socket", receiver.path()])?.refused().map(drop)
    });
    cases.cli(&["B34"], "exec --detach --tty without a console socket is refused", |rt| {
        container(rt, |_| {})?;
        rt.exec(&["--detach", "--tty"], &["/bin/true"])?.refused().map(drop)
    });
    cases.cli(&["B34"], "exec with a console socket and no terminal is refused", |rt| {
        container(rt, |_| {})?;
        let receiver = Receiver::new(rt)?;
        rt.exec(&["--console-socket", receiver.path()], &["/bin/true"])?.refused().map(drop)
    });
    cases.cli(&["B03"], "a console socket that is not there is refused", |rt| {
        let path = rt.directory().join("absent");
        let path = path.to_str().unwrap_or_default();
        rt.create(&terminal_bundle(rt, "true")?, &["--console-socket", path])?.refused()?;
        nothing_left(rt)
    });
    cases.cli(&["B17"], "run with a terminal where there is none is refused by its name", |rt| {
        let output = rt.run(&terminal_bundle(rt, "true")?, &[])?.refused()?;
        ensure_contains("errors", &output.errors(), "terminal")?;
        nothing_left(rt)
    });
    cases.cli(&["B38"], "exec --tty where there is no terminal is refused by its name", |rt| {
        container(rt, |_| {})?;
        let output = rt.exec(&["--tty"], &["/bin/true"])?.refused()?;
        ensure_contains("errors", &output.errors(), "terminal")
    });
    cases.cli(&["B03"], "a terminal without a devpts inside is refused, and names it", |rt| {
        let receiver = Receiver::new(rt)?;
        let mut bundle = terminal_bundle(rt, "true")?;
        if let Some(list) = bundle.config["mounts"].as_array_mut() {
            list.retain(|mount| mount["type"] != "devpts");
        }
        let output = rt.create(&bundle, &["--console-socket", receiver.path()])?.refused()?;
        ensure_contains("errors", &output.errors(), "pt")?;
        nothing_left(rt)
    });
}

/// The container of a create that was refused is not there.
fn nothing_left(rt: &Runtime) -> Outcome {
    rt.command(&["state", rt.id()])?.refused().map(drop)
}

//! `run` and `exec` in a terminal: what a person sees and types goes to the container's process.

use std::fs;

use harness::call::Running;
use harness::{Bundle, Call, Cases, Outcome, Runtime, ensure_contains, ensure_eq, wait};
use rustix::termios::{LocalModes, Termios};

use crate::exec::{container, send};
use crate::screen::Screen;

pub(crate) fn register(cases: &mut Cases) {
    cases.section("cli#terminal", "");
    for how in [How::Run, How::Exec] {
        sizes(cases, how);
        keys(cases, how);
        settings(cases, how);
        cases.cli(&["B17"], format!("{how:?}: 20 MB arrive as they were written"), move |rt| {
            flood(rt, how, 20)
        });
        let title = format!("{how:?}: 100 MB arrive as they were written");
        cases.cli(&["B17"], title, move |rt| flood(rt, how, 100)).slow().limit(180);
    }
}

/// Which command has the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Run,
    Exec,
}

fn call(
    rt: &Runtime,
    how: How,
    change: impl Fn(&mut Bundle),
    script: &str,
) -> anyhow::Result<Call> {
    match how {
        How::Run => {
            let mut bundle = rt.bundle()?;
            bundle.shell(script).set("/process/terminal", true);
            change(&mut bundle);
            rt.write(&bundle)?;
            Ok(rt.bundle_call("run", rt.id(), &bundle, &[]))
        }
        How::Exec => {
            container(rt, change)?;
            Ok(rt.call(["exec", "--tty", rt.id(), "/bin/sh", "-c", script]))
        }
    }
}

/// Runs a script in a terminal of 40 rows and 132 columns.
fn open(rt: &Runtime, how: How, script: &str) -> anyhow::Result<(Screen, Running)> {
    let screen = Screen::new(40, 132)?;
    let running = screen.spawn(call(rt, how, |_| {}, script)?)?;
    Ok((screen, running))
}

fn sizes(cases: &mut Cases, how: How) {
    cases.cli(&["B17"], format!("{how:?}: the size is that of the caller's terminal"), move |rt| {
        let (mut screen, running) = open(rt, how, "echo size: $(stty size)")?;
        screen.see("size: 40 132")?;
        running.wait()?.ok().map(drop)
    });
    cases.cli(
        &["B17", "B18"],
        format!("{how:?}: a resize of the terminal is passed on"),
        move |rt| {
            let script = "trap 'stty size' WINCH; echo ready; until read line; do :; done; exit 7";
            let (mut screen, running) = open(rt, how, script)?;
            screen.see("ready")?;
            screen.resize(31, 99)?;
            screen.see("31 99")?;
            screen.enter("\r")?;
            running.wait()?.exits(7).map(drop)
        },
    );
    cases.cli(&["B17"], format!("{how:?}: the exit code is the program's"), move |rt| {
        let (_screen, running) = open(rt, how, "exit 9")?;
        running.wait()?.exits(9).map(drop)
    });
    cases.cli(
        &["B17"],
        format!("{how:?}: the streams are a terminal of the container's"),
        move |rt| {
            let script =
                "for fd in 0 1 2; do test -t $fd && echo -n \"$fd \"; done; tty; read line";
            let (mut screen, running) = open(rt, how, script)?;
            screen.see("0 1 2 /dev/pts/0")?;
            screen.enter("\r")?;
            running.wait()?.ok().map(drop)
        },
    );
}

fn keys(cases: &mut Cases, how: How) {
    cases.cli(
        &["B17"],
        format!("{how:?}: ctrl-C interrupts the program inside alone"),
        move |rt| {
            let script =
                "trap 'echo interrupted; exit 8' INT; echo ready; while :; do read line; done";
            let (mut screen, running) = open(rt, how, script)?;
            screen.see("ready")?;
            screen.enter("\x03")?;
            screen.see("interrupted")?;
            running.wait()?.exits(8).map(drop)
        },
    );
    cases.cli(&["B17"], format!("{how:?}: ctrl-D ends the program's input"), move |rt| {
        let (mut screen, running) = open(rt, how, "echo ready; cat; exit 6")?;
        screen.see("ready")?;
        screen.enter("typed\r\x04")?;
        screen.see("typed\ntyped\n")?;
        running.wait()?.exits(6).map(drop)
    });
    cases.cli(&["B17"], format!("{how:?}: an interactive shell has job control"), move |rt| {
        let (mut screen, running) = open(rt, how, "exec sh -i")?;
        screen.see("# ")?;
        screen.enter("echo run''ning; cat\r")?;
        screen.see("running\n")?;
        screen.enter("typed\r")?;
        screen.see("typed\ntyped\n")?;
        screen.enter("\x1a")?;
        let text = screen.see("Stopped")?;
        ensure_eq("job control is off", text.contains("turned off"), false)?;
        screen.enter("exit 5\r")?;
        screen.see("You have stopped jobs")?;
        screen.enter("exit 5\r")?;
        running.wait()?.exits(5).map(drop)
    });
    cases.cli(
        &["B17"],
        format!("{how:?}: a hang-up of the terminal ends the program"),
        move |rt| {
            let (mut screen, running) = open(rt, how, "echo ready; exec cat")?;
            screen.see("ready")?;
            drop(screen);
            running.wait().map(drop)
        },
    );
    cases.cli(
        &["B17"],
        format!("{how:?}: a signal to the runtime goes to the program"),
        move |rt| {
            let script = "trap 'echo got it; exit 4' USR1; echo ready; while :; do read line; done";
            let (mut screen, running) = open(rt, how, script)?;
            screen.see("ready")?;
            send(running.pid(), 10)?;
            screen.see("got it")?;
            running.wait()?.exits(4).map(drop)
        },
    );
}

fn modes(settings: &Termios) -> String {
    format!(
        "{:?} {:?} {:?} {:?}",
        settings.input_modes, settings.output_modes, settings.local_modes, settings.control_modes
    )
}

fn settings(cases: &mut Cases, how: How) {
    cases.cli(
        &["B17"],
        format!("{how:?}: the terminal is raw meanwhile, then as before"),
        move |rt| {
            let screen = Screen::new(24, 80)?;
            let before = screen.settings()?;
            let mut screen = screen;
            let running = screen.spawn(call(rt, how, |_| {}, "echo ready; read line")?)?;
            screen.see("ready")?;
            let meanwhile = screen.settings()?.local_modes;
            let cooked = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
            ensure_eq("modes meanwhile", meanwhile & cooked, LocalModes::empty())?;
            screen.enter("\r")?;
            running.wait()?.ok()?;
            ensure_eq("settings", modes(&screen.settings()?), modes(&before))
        },
    );
    cases.cli(&["B17"], format!("{how:?}: the terminal is as before after an error"), move |rt| {
        let screen = Screen::new(24, 80)?;
        let before = modes(&screen.settings()?);
        let call = match how {
            How::Run => {
                let change = |bundle: &mut Bundle| {
                    bundle.args(&["/no/such/program"]);
                };
                call(rt, how, change, "")?
            }
            How::Exec => {
                container(rt, |_| {})?;
                rt.call(["exec", "--tty", rt.id(), "/no/such/program"])
            }
        };
        let mut screen = screen;
        let running = screen.spawn(call)?;
        let words = "o such file or directory";
        ensure_contains("the screen", &screen.see(words)?, words)?;
        ensure_eq("exit code is not 0", running.wait()?.code != 0, true)?;
        ensure_eq("settings", modes(&screen.settings()?), before)
    });
    cases.cli(&["B17"], format!("{how:?}: the terminal is as before after a signal"), move |rt| {
        let screen = Screen::new(24, 80)?;
        let before = modes(&screen.settings()?);
        let mut screen = screen;
        let script = "trap 'exit 3' TERM; echo ready; while :; do read line; done";
        let running = screen.spawn(call(rt, how, |_| {}, script)?)?;
        screen.see("ready")?;
        send(running.pid(), 15)?;
        running.wait()?.exits(3)?;
        ensure_eq("settings", modes(&screen.settings()?), before)
    });
    cases.cli(
        &["B17"],
        format!("{how:?}: output goes to a file if only input is a terminal"),
        move |rt| {
            let mut screen = Screen::new(24, 80)?;
            let running =
                screen.spawn_with(call(rt, how, |_| {}, "echo to the file; read line")?, 1)?;
            wait::directory(rt.directory(), || {
                Ok(running.stdout().contains("to the file").then_some(()))
            })?;
            screen.enter("\r")?;
            let output = running.wait()?.ok()?;
            ensure_contains("the file", &output.stdout(), "to the file")
        },
    );
}

/// Bytes of every kind: a megabyte without a pattern, again and again.
pub(crate) fn noise(megabytes: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        u8::try_from((state >> 40) % 256).unwrap_or(0)
    };
    (0..1 << 20).map(|_| next()).collect::<Vec<u8>>().repeat(megabytes)
}

fn flood(rt: &Runtime, how: How, megabytes: usize) -> Outcome {
    let expected = noise(megabytes);
    let change = |bundle: &mut Bundle| {
        let _seen_when_it_is_read = fs::write(bundle.rootfs().join("flood"), &expected);
    };
    let mut screen = Screen::new(24, 80)?;
    let running = screen.spawn(call(rt, how, change, "stty raw; cat /flood")?)?;
    let found = screen.until_end(&running)?;
    running.wait()?.ok()?;
    ensure_eq("bytes", found.len(), expected.len())?;
    ensure_eq("all are the same", found == expected, true)
}

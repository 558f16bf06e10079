//! `run` and `exec` in a terminal that a person sits at: `vi` and `top` in tmux, with a resize in between.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::bail;
use harness::{Call, Cases, Outcome, Runtime, ensure_contains, ensure_eq, wait};
use serde_json::json;

use crate::exec::container;

const TMUX: &str = "/usr/bin/tmux";

pub(crate) fn register(cases: &mut Cases) {
    cases.section("cli#tmux", "");
    for how in [How::Run, How::Exec] {
        cases.cli(&["B17", "B38"], format!("{how:?}: vi edits a file, at any size"), move |rt| {
            vi(rt, how)
        });
        cases.cli(
            &["B17", "B38"],
            format!("{how:?}: top shows processes, at any size"),
            move |rt| top(rt, how),
        );
    }
}

/// Which command has the terminal.
#[derive(Clone, Copy, Debug)]
enum How {
    Run,
    Exec,
}

/// Starts a program inside in a window of 24 rows and 80 columns. `/edit` is the directory `edit` of the test.
fn open<'a>(rt: &'a Runtime, how: How, program: &[&str]) -> anyhow::Result<Tmux<'a>> {
    if !fs::exists(TMUX)? {
        return harness::skip("there is no tmux");
    }
    let shared = rt.directory().join("edit");
    fs::create_dir(&shared)?;
    let change = |bundle: &mut harness::Bundle| {
        let source = shared.to_str().unwrap_or_default();
        bundle.mount("/edit", "bind", source, &["bind", "rw"]);
    };
    let call = match how {
        How::Run => {
            let mut bundle = rt.bundle()?;
            change(&mut bundle);
            bundle.args(program).set("/process/terminal", json!(true));
            rt.write(&bundle)?;
            rt.bundle_call("run", rt.id(), &bundle, &[])
        }
        How::Exec => {
            container(rt, change)?;
            rt.call([&["exec", "--tty", rt.id()], program].concat())
        }
    };
    Tmux::start(rt, &call)
}

fn vi(rt: &Runtime, how: How) -> Outcome {
    let tmux = open(rt, how, &["/bin/busybox", "vi", "/edit/text"])?;
    // An empty buffer shows a tilde on each row, and its name on the last.
    tmux.until("a screen of 24 rows", |rows| rows.len() == 24 && rows[23].contains("/edit/text"))?;
    tmux.resize(100, 31)?;
    // It draws anew when it reads a key.
    tmux.keys(&["i", "typed", "Escape"])?;
    tmux.until("a screen of 31 rows", |rows| {
        rows.len() == 31 && rows[0] == "typed" && rows[30].contains("/edit/text")
    })?;
    tmux.keys(&[":wq", "Enter"])?;
    tmux.left("code: 0")?;
    let text = fs::read_to_string(rt.directory().join("edit/text"))?;
    ensure_eq("the file", text.as_str(), "typed\n")
}

fn top(rt: &Runtime, how: How) -> Outcome {
    let tmux = open(rt, how, &["/bin/busybox", "top", "-d", "1"])?;
    let shows = |rows: &[String]| {
        rows.iter().any(|row| row.starts_with("Mem:"))
            && rows.iter().any(|row| row.contains("PPID USER"))
    };
    tmux.until("the head of top", shows)?;
    tmux.resize(132, 40)?;
    tmux.until("the head of top after a resize", |rows| {
        // Its head is as wide as the window.
        shows(rows) && rows.iter().any(|row| row.contains("busybox top -d 1"))
    })?;
    tmux.keys(&["q"])?;
    tmux.left("code: 0")
}

/// A server of tmux with one window, ended with the value.
struct Tmux<'a> {
    rt: &'a Runtime,
    socket: PathBuf,
    server: i32,
}

impl<'a> Tmux<'a> {
    /// Runs the call in it, then tells its exit code and what is not as it was in the terminal.
    fn start(rt: &'a Runtime, call: &Call) -> anyhow::Result<Self> {
        let words = std::iter::once(call.command.get_program()).chain(call.command.get_args());
        let line = words.map(quoted).collect::<Vec<_>>().join(" ");
        let script = rt.directory().join("window.sh");
        let rest = "echo \"code: $?\"; stty -a | tr ' ;' '\\n\\n' | grep -x -e -icanon -e -echo -e -isig -e -opost -e -icrnl; echo left; exec cat";
        fs::write(&script, format!("{line}\n{rest}\n"))?;
        let mut tmux = Self { rt, socket: rt.directory().join("tmux"), server: 0 };
        let script = format!("exec sh {}", quoted(script.as_os_str()));
        let size = ["-x", "80", "-y", "24"];
        tmux.ask(&[&["-f", "/dev/null", "new-session", "-d"], &size[..], &[&script]].concat())?;
        tmux.ask(&["set-option", "-g", "status", "off"])?;
        tmux.server = tmux.ask(&["display-message", "-p", "#{pid}"])?.trim().parse()?;
        tmux.resize(80, 24)?;
        Ok(tmux)
    }

    fn ask(&self, words: &[&str]) -> anyhow::Result<String> {
        let call = self.rt.program(TMUX).args([OsStr::new("-S"), self.socket.as_os_str()]);
        let output = call.args(words).run()?.ok()?;
        let text = output.stdout();
        output.forget();
        Ok(text)
    }

    fn keys(&self, keys: &[&str]) -> Outcome {
        self.ask(&[&["send-keys"], keys].concat()).map(drop)
    }

    fn resize(&self, columns: u16, rows: u16) -> Outcome {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.ask(&["resize-window", "-x", &columns, "-y", &rows]).map(drop)
    }

    /// Waits until the screen, a row each, is as it has to be.
    fn until(&self, what: &str, done: impl Fn(&[String]) -> bool) -> anyhow::Result<Vec<String>> {
        let deadline = Instant::now() + wait::LIMIT;
        loop {
            let screen = self.ask(&["capture-pane", "-p"])?;
            let rows: Vec<String> = screen.lines().map(|row| row.trim_end().to_owned()).collect();
            if done(&rows) {
                return Ok(rows);
            }
            if Instant::now() > deadline {
                bail!("{what} is not seen, but:\n{screen}");
            }
        }
    }

    /// The command has ended with these words, and the terminal is as it was.
    fn left(&self, words: &str) -> Outcome {
        let rows = self.until("the end", |rows| rows.iter().any(|row| row == "left"))?;
        let from = rows.iter().rposition(|row| row.starts_with("code: ")).unwrap_or(0);
        let rest = rows[from..].join("\n");
        ensure_contains("the end", &rest, words)?;
        ensure_eq("what follows the code", rest.trim(), format!("{words}\nleft").as_str())
    }
}

impl Drop for Tmux<'_> {
    fn drop(&mut self) {
        let _gone_already = self.ask(&["kill-server"]);
        if self.server > 0 {
            let _reported_as_a_leak = wait::ended(self.server);
        }
    }
}

fn quoted(word: &OsStr) -> String {
    format!("'{}'", word.to_string_lossy().replace('\'', "'\\''"))
}

//! One call of a command: how it was made and what came of it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::{ensure_contains, ensure_eq, wait};

/// A command to be run. Its output goes to files, which a container's process may go on writing to.
#[derive(Debug)]
pub struct Call {
    /// The command, for what this type does not offer.
    pub command: Command,
    /// The longest time it may take.
    pub limit: Duration,
    base: PathBuf,
    stdin: Option<Vec<u8>>,
}

impl Call {
    /// `base` is the path of the output files without their extension.
    #[must_use]
    pub fn new(program: &Path, base: PathBuf) -> Self {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        Self { command, limit: wait::LIMIT, base, stdin: None }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Gives the command this input.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Starts the command and returns at once.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn(mut self) -> anyhow::Result<Running> {
        let stdout = File::create(self.base.with_extension("out"))?;
        let stderr = File::create(self.base.with_extension("err"))?;
        let stdin = match &self.stdin {
            Some(bytes) => {
                let path = self.base.with_extension("in");
                fs::write(&path, bytes)?;
                Stdio::from(File::open(path)?)
            }
            None => Stdio::null(),
        };
        self.command.stdin(stdin).stdout(stdout).stderr(stderr);
        let line = describe(&self.command);
        let started = Instant::now();
        let child = wait::start_own(&mut self.command).with_context(|| line.clone())?;
        Ok(Running { child, line, base: self.base, limit: self.limit, started })
    }

    /// Runs the command to its end.
    ///
    /// # Errors
    /// If it cannot be started, or takes longer than its limit.
    pub fn run(self) -> anyhow::Result<Output> {
        self.spawn()?.wait()
    }
}

fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(quote).collect::<Vec<_>>().join(" ")
}

fn quote(word: &OsStr) -> String {
    let mut text = word.to_string_lossy().into_owned();
    if text.len() > 400 {
        let cut = (0..=200).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(cut);
        text.push('…');
    }
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || "'\"$&;|".contains(c)) {
        return format!("{text:?}");
    }
    text
}

/// A command that has been started.
#[derive(Debug)]
pub struct Running {
    /// The process.
    pub child: Child,
    line: String,
    base: PathBuf,
    limit: Duration,
    started: Instant,
}

impl Running {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// What has been written to standard output up to now.
    #[must_use]
    pub fn stdout(&self) -> String {
        read(&self.base.with_extension("out"))
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If it takes longer than its limit; it is killed then.
    pub fn wait(mut self) -> anyhow::Result<Output> {
        let fd = wait::pidfd(self.pid())?.context("the command was reaped by someone else")?;
        let in_time = wait::own_program(fd, self.limit)?;
        if !in_time {
            self.child.kill()?;
        }
        let status = self.child.wait()?;
        wait::disown(self.pid());
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        let took = self.started.elapsed();
        let output = Output { code, line: self.line, base: self.base, took };
        if !in_time {
            bail!("took longer than {:?}\n{}", self.limit, output.describe());
        }
        Ok(output)
    }
}

/// What came of a command.
#[derive(Clone, Debug)]
pub struct Output {
    /// Exit code, or 128 and the signal's number.
    pub code: i32,
    /// The command line.
    pub line: String,
    /// How long it took.
    pub took: Duration,
    base: PathBuf,
}

impl Output {
    /// What has been written to standard output up to now, by the command or by the container's process.
    #[must_use]
    pub fn stdout(&self) -> String {
        read(&self.base.with_extension("out"))
    }

    /// The same for standard error.
    #[must_use]
    pub fn stderr(&self) -> String {
        read(&self.base.with_extension("err"))
    }

    /// The runtime's log.
    #[must_use]
    pub fn log(&self) -> String {
        read(&self.base.with_extension("log"))
    }

    /// Standard error and the log: where a runtime's error may be found.
    #[must_use]
    pub fn errors(&self) -> String {
        self.stderr() + &self.log()
    }

    /// The command succeeded.
    ///
    /// # Errors
    /// With everything it said if it did not.
    pub fn ok(self) -> anyhow::Result<Self> {
        if self.code != 0 {
            bail!("the command failed\n{}", self.describe());
        }
        Ok(self)
    }

    /// The command ended with this code.
    ///
    /// # Errors
    /// With everything it said if it did not.
    pub fn exits(self, code: i32) -> anyhow::Result<Self> {
        ensure_eq("exit code", self.code, code).with_context(|| self.describe())?;
        Ok(self)
    }

    /// The command refused: it ended with an error's code (usually 1) and said why.
    ///
    /// # Errors
    /// If it succeeded, crashed, or said nothing.
    pub fn refused(self) -> anyhow::Result<Self> {
        if self.code == 0 {
            bail!("the command succeeded, it should have failed\n{}", self.describe());
        }
        if self.code >= 128 && self.code != 255 {
            bail!("the command was ended by a signal\n{}", self.describe());
        }
        let said = self.errors();
        if said.trim().is_empty() {
            bail!("the command failed without a word\n{}", self.describe());
        }
        if said.contains("panicked at") || said.contains("goroutine ") {
            bail!("the command panicked\n{}", self.describe());
        }
        Ok(self)
    }

    /// Its errors contain one of these words.
    ///
    /// # Errors
    /// With what they say if they do not.
    pub fn says(self, words: &[&str]) -> anyhow::Result<Self> {
        let errors = self.errors();
        if !words.iter().any(|word| errors.contains(word)) {
            ensure_contains("the command's errors", &errors, &words.join("” or “"))?;
        }
        Ok(self)
    }

    /// Its standard output, as JSON.
    ///
    /// # Errors
    /// With the text if it is not JSON.
    pub fn json(&self) -> anyhow::Result<Value> {
        let text = self.stdout();
        serde_json::from_str(&text)
            .with_context(|| format!("not JSON: {text:?}\n{}", self.describe()))
    }

    /// The path of a file that may be changed while something is still written.
    #[must_use]
    pub fn stdout_path(&self) -> PathBuf {
        self.base.with_extension("out")
    }

    /// Removes what was kept of the call, for a test that makes thousands.
    pub fn forget(self) {
        for extension in ["out", "err", "log", "in"] {
            let _absent = fs::remove_file(self.base.with_extension(extension));
        }
    }

    /// Everything about the call, for a person.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text =
            format!("$ {}\n  exit code {} after {:.1?}", self.line, self.code, self.took);
        for (name, said) in
            [("stdout", self.stdout()), ("stderr", self.stderr()), ("log", self.log())]
        {
            if said.starts_with("{\"affinity\"") {
                text += &format!("\n  {name}: a report of the checker");
            } else if !said.trim().is_empty() {
                text += &format!("\n  {name}: {}", shorten(said.trim()));
            }
        }
        text
    }
}

fn shorten(text: &str) -> String {
    const LENGTH: usize = 2000;
    if text.len() <= LENGTH {
        return text.replace('\n', "\n    ");
    }
    let cut = (0..=LENGTH).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}… ({} bytes)", text.get(..cut).unwrap_or_default(), text.len())
}

fn read(path: &Path) -> String {
    let mut bytes = Vec::new();
    let limit = 64 * 1024 * 1024;
    let opened = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    opened.map_or_else(|_| String::new(), |_| String::from_utf8_lossy(&bytes).into_owned())
}

//! Messages: one record on failure, warnings only after success, in the log and on the standard error.

#![expect(clippy::print_stderr, reason = "the one place that speaks to people")]

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Mutex, PoisonError};

use creel_cli::{Cli, LogFormat, LogLevel, UsageError};
use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::commands::output::printable;
use crate::exit::ExitCode;
use crate::failure::{FAILED, Failure};

/// Warnings wait here until the command has succeeded: engines take a log of one error record only.
static HELD: Mutex<Vec<(Level, String)>> = Mutex::new(Vec::new());

/// Where messages go.
#[derive(Debug, Default)]
pub(crate) struct Log {
    file: Option<File>,
    json: bool,
    level: Option<LogLevel>,
}

#[derive(Serialize)]
struct JsonRecord<'a> {
    level: &'a str,
    msg: &'a str,
    time: String,
}

impl Log {
    /// Opens, and makes, the log's file at once: engines expect it to exist whatever happens.
    pub(crate) fn open(cli: &Cli) -> Result<Self, Failure> {
        let open = |path| OpenOptions::new().append(true).create(true).open(path);
        let file = cli.log.as_ref().map(open).transpose().map_err(|error| {
            let path = cli.log.as_deref().unwrap_or("".as_ref()).display();
            Failure::new(format!("--log {path}: {error}"))
        })?;
        let level = if cli.debug { Some(LogLevel::Debug) } else { cli.log_level };
        Ok(Self { file, json: cli.log_format == LogFormat::Json, level })
    }

    /// Makes the library's events wait for [`Log::flush`].
    pub(crate) fn collect_events(&self) {
        let level = match self.level {
            Some(LogLevel::Debug) => Level::DEBUG,
            Some(LogLevel::Error) => return,
            Some(LogLevel::Warning) | None => Level::WARN,
        };
        let _ = tracing::subscriber::set_global_default(Collector(level));
    }

    /// Writes what has waited. Without a log it is only for a person at a terminal, or who asked by a log level: the
    /// standard error may be the container's.
    pub(crate) fn flush(&self) {
        let held = std::mem::take(&mut *HELD.lock().unwrap_or_else(PoisonError::into_inner));
        for (level, message) in held {
            let word = if level == Level::WARN { "warning" } else { "debug" };
            let message = printable(&message, &[]);
            self.write(word, &message);
            let person = self.level.is_some() || std::io::stderr().is_terminal();
            if self.file.is_none() && person {
                eprintln!("creel: {word}: {message}");
            }
        }
    }

    /// Tells of the failure: one record in the log, one line on the standard error.
    pub(crate) fn fail(&self, failure: &Failure) -> ExitCode {
        let message = printable(&failure.message, &[]);
        self.write("error", &message);
        eprintln!("creel: {message}");
        for line in &failure.more {
            eprintln!("creel: {}", printable(line, &[]));
        }
        ExitCode::from(failure.code)
    }

    /// A record is one write, so that those of two commands in one file do not mix.
    fn write(&self, level: &str, message: &str) {
        let Some(mut file) = self.file.as_ref() else { return };
        let time = creel_container::now();
        let mut line = if self.json {
            serde_json::to_string(&JsonRecord { level, msg: message, time }).unwrap_or_default()
        } else {
            let mut line = String::new();
            let _ = write!(line, "time=\"{time}\" level={level} msg={message:?}");
            line
        };
        line.push('\n');
        let _ = file.write_all(line.as_bytes());
    }
}

/// Prints help that was asked for, or tells what is wrong with the command line, in the log that it names too.
pub(crate) fn usage(error: &UsageError, args: &[OsString]) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    // As far as the program's own options go, in the one form that each has after this; the last mention counts.
    let words = creel_cli::normalise(&creel_cli::definition(), args.iter().cloned());
    let own = || words.iter().skip(1).take_while(|word| word.as_bytes().starts_with(b"-"));
    let last = |prefix: &str| {
        own().filter_map(|word| word.as_bytes().strip_prefix(prefix.as_bytes())).last()
    };
    let open = |path| OpenOptions::new().append(true).create(true).open(OsStr::from_bytes(path));
    let file = last("--log=").and_then(|path| open(path).ok());
    let json = last("--log-format=") == Some(b"json");
    let log = Log { file, json, level: None };
    log.write("error", &creel_cli::message(error));
    eprintln!("creel: {}", creel_cli::message(error));
    ExitCode::from(FAILED)
}

/// Keeps the events of the library.
struct Collector(Level);

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.0
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        held.push((*event.metadata().level(), text.0));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The text of an event's message.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.0, "{value:?}");
        }
    }
}

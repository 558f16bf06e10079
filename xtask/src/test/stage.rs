//! One stage: a command run under a time limit, its lines shown as they come and counted.

use std::io::{BufRead, BufReader, PipeReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::process::{Pid, Signal, kill_process_group};

use super::tally::{Counts, Skip, Tally};
use crate::{output, repo};

/// What came of a stage.
#[derive(Debug)]
pub(super) struct Report {
    /// Its name.
    pub(super) name: &'static str,
    /// How long it took.
    pub(super) time: Duration,
    /// How many of its tests ended how.
    pub(super) counts: Counts,
    /// Names of the tests that failed.
    pub(super) failures: Vec<String>,
    /// Tests that failed, then passed alone.
    pub(super) flaky: Vec<String>,
    /// Tests that could not run.
    pub(super) skips: Vec<Skip>,
}

impl Report {
    /// Runs the body under a heading, and takes its time.
    pub(super) fn timed(name: &'static str, body: impl FnOnce(&mut Self)) -> Self {
        output::heading(name);
        let start = Instant::now();
        let mut report = Self {
            name,
            time: Duration::ZERO,
            counts: Counts::default(),
            failures: Vec::new(),
            flaky: Vec::new(),
            skips: Vec::new(),
        };
        body(&mut report);
        report.time = start.elapsed();
        report
    }

    /// Counts one more result.
    pub(super) fn count(&mut self, test: &str, is_good: bool) {
        if is_good {
            self.counts.passed += 1;
        } else {
            self.fail(test.to_owned());
        }
    }

    /// Counts one more skip, and says so.
    pub(super) fn skip(&mut self, test: &str, reason: &str) {
        output::line(&format!("skipped: {test}: {reason}"));
        self.counts.skipped += 1;
        self.skips.push(Skip { test: test.to_owned(), reason: reason.to_owned() });
    }

    /// A stage whose programs could not be built.
    pub(super) fn unbuilt(name: &'static str, error: &anyhow::Error) -> Self {
        Self::timed(name, |report| {
            output::line(&format!("{error:#}"));
            report.count("build", false);
        })
    }

    /// Counts one more failure.
    pub(super) fn fail(&mut self, test: String) {
        self.counts.failed += 1;
        self.failures.push(test);
    }

    /// Takes in a second run of the failed tests alone: those that passed are flaky.
    pub(super) fn forgive_flaky(&mut self, second: &Self) {
        self.time += second.time;
        // A name may stand in several programs: only if no run of it fails again it is forgiven.
        let is_clean = second.counts.passed >= self.failures.len();
        let (failed, flaky): (Vec<_>, Vec<_>) = std::mem::take(&mut self.failures)
            .into_iter()
            .partition(|test| !is_clean || second.failures.contains(test));
        self.counts.failed -= flaky.len().min(self.counts.failed);
        self.counts.passed += flaky.len();
        self.failures = failed;
        self.flaky = flaky;
    }
}

/// A command whose output is counted.
#[derive(Debug)]
pub(super) struct Stage {
    command: Command,
    tally: Tally,
    is_libtest: bool,
    skip: Option<(&'static [i32], &'static str)>,
}

impl Stage {
    /// A command that prints as libtest does.
    pub(super) fn libtest(command: Command) -> Self {
        Self { command, tally: Tally::default(), is_libtest: true, skip: None }
    }

    /// A command that prints as our runners do.
    pub(super) fn runner(command: Command) -> Self {
        Self { command, tally: Tally::default(), is_libtest: false, skip: None }
    }

    /// An end with one of these codes, when nothing has failed, is the computer's fault: that is a skip.
    pub(super) fn skips_with(&mut self, codes: &'static [i32], test: &'static str) {
        self.skip = Some((codes, test));
    }

    /// Runs it. An end that no counted failure explains is a failure too.
    pub(super) fn execute(&mut self, name: &'static str, limit: Duration) -> Report {
        let Self { command, tally, is_libtest, skip } = self;
        Report::timed(name, |report| {
            let mut last = String::new();
            let end = run_to_end(command, limit, |line| {
                line.clone_into(&mut last);
                let is_shown = if *is_libtest {
                    tally.libtest(line)
                } else {
                    tally.runner(line);
                    true
                };
                if is_shown {
                    output::line(line);
                }
            });
            report.counts = tally.counts;
            report.failures.clone_from(&tally.failed);
            report.skips.clone_from(&tally.skipped);
            let is_good = end.is_some_and(|status| status.success());
            let code = end.and_then(|status| status.code());
            let is_clean =
                tally.counts.failed == 0 && tally.failed.is_empty() && !tally.is_doubtful;
            let skip = skip.filter(|(codes, _)| code.is_some_and(|code| codes.contains(&code)));
            if let Some((_, test)) = skip.filter(|_| is_clean) {
                report.skip(test, &format!("cannot be had here: {last}"));
            } else if !is_good && tally.counts.failed == 0 {
                report.fail("ended before its sum, or with an error".to_owned());
            } else if is_good && tally.counts == Counts::default() && !*is_libtest {
                report.fail("printed no sum".to_owned());
            }
        })
    }

    /// Names of the tests that failed.
    pub(super) fn failed_tests(&self) -> Vec<String> {
        self.tally.failed.clone()
    }
}

/// Runs a command in a process group of its own and hands on each line of its output. Returns
/// whether it ended well, in time.
pub(super) fn run(command: &mut Command, limit: Duration, each: impl FnMut(&str)) -> bool {
    run_to_end(command, limit, each).is_some_and(|status| status.success())
}

/// The same; returns how it ended, if it did in time.
fn run_to_end(
    command: &mut Command,
    limit: Duration,
    mut each: impl FnMut(&str),
) -> Option<ExitStatus> {
    let started = start(command);
    let (mut child, lines) = match started {
        Ok(started) => started,
        Err(error) => {
            each(&format!("cannot start {}: {error:#}", repo::shown(command)));
            return None;
        }
    };
    let status = follow(&mut child, &lines, Instant::now() + limit, &mut each);
    if let Some(status) = status {
        if !status.success() {
            output::line(&format!("{}: {status}", command.get_program().to_string_lossy()));
        }
        return Some(status);
    }
    each(&format!("ended after {} s: it had not come to an end", limit.as_secs()));
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // Some have to clean up; none gets long for it.
        let _ = kill_process_group(group, Signal::TERM);
        let _ = wait_until(&mut child, Instant::now() + Duration::from_secs(5));
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
    None
}

/// Both output streams go into one pipe, so that their order stays.
fn start(command: &mut Command) -> Result<(Child, Receiver<String>)> {
    let (reader, writer) = std::io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer).process_group(0);
    let child = command.spawn();
    // The command keeps its copies of the pipe's end until it is told otherwise.
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let child = child?;
    let (send, lines) = mpsc::channel();
    std::thread::spawn(move || read_lines(reader, &send));
    Ok((child, lines))
}

fn read_lines(reader: PipeReader, send: &mpsc::Sender<String>) {
    for line in BufReader::new(reader).split(b'\n').map_while(std::io::Result::ok) {
        if send.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
            return;
        }
    }
}

/// Until the command ended and its output too. A process it left behind may hold the pipe open
/// for ever: after the command's end it gets a second of silence.
fn follow(
    child: &mut Child,
    lines: &Receiver<String>,
    deadline: Instant,
    each: &mut impl FnMut(&str),
) -> Option<ExitStatus> {
    let mut ended = None;
    loop {
        match lines.recv_timeout(Duration::from_secs(1)) {
            Ok(line) => each(&line),
            Err(RecvTimeoutError::Disconnected) if ended.is_none() => {
                // Its output is closed; it may still be about to end.
                ended = wait_until(child, deadline);
                return ended;
            }
            Err(_) if ended.is_some() => return ended,
            Err(_) => ended = child.try_wait().ok().flatten(),
        }
        if ended.is_none() && Instant::now() >= deadline {
            return None;
        }
    }
}

fn wait_until(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().ok().flatten() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

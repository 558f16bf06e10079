//! What came of the jobs: counts, times, faults.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, bail};
use harness::Outcome;

/// How a job ended that went as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// The command that it is about took so long.
    Took(Duration),
    /// The container was paused meanwhile, and the command refused therefore.
    Paused,
}

/// Counts, times and faults.
#[derive(Debug, Default)]
pub(super) struct Tally {
    jobs: BTreeMap<&'static str, (Vec<Duration>, usize)>,
    /// What went wrong, one text each.
    pub(super) faults: Vec<String>,
}

impl Tally {
    pub(super) fn note(&mut self, name: &'static str, done: anyhow::Result<Done>) {
        let (times, paused) = self.jobs.entry(name).or_default();
        match done {
            Ok(Done::Took(time)) => times.push(time),
            Ok(Done::Paused) => *paused += 1,
            Err(error) => self.faults.push(format!("{name}: {error:#}")),
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        for (name, (more, refused)) in other.jobs {
            let (times, paused) = self.jobs.entry(name).or_default();
            times.extend(more);
            *paused += refused;
        }
        self.faults.extend(other.faults);
    }

    /// Writes the table where `SOAK_REPORT` says; fails if there is any fault.
    pub(super) fn report(&mut self, title: &str) -> Outcome {
        let text = self.text(title);
        if let Some(path) = std::env::var_os("SOAK_REPORT") {
            let earlier = std::fs::read_to_string(&path).unwrap_or_default();
            std::fs::write(&path, earlier + &text).context("write the report")?;
        }
        if self.faults.is_empty() {
            return Ok(());
        }
        let shown = self.faults.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
        bail!("{} faults, the first of them:\n{shown}\n{text}", self.faults.len())
    }

    fn text(&mut self, title: &str) -> String {
        let mut text = format!("{title}\n");
        let _infallible = writeln!(
            text,
            "{:38} {:>7} {:>7} {:>9} {:>9} {:>9}",
            "", "done", "paused", "median", "95 %", "longest"
        );
        let mut total = 0;
        for (name, (times, paused)) in &mut self.jobs {
            times.sort_unstable();
            total += times.len() + *paused;
            let at = |percent: usize| {
                let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
                let time = times.get(index).copied().unwrap_or_default();
                format!("{:.1} ms", time.as_secs_f64() * 1000.0)
            };
            let (median, high, longest) = (at(50), at(95), at(100));
            let _infallible = writeln!(
                text,
                "{name:38} {:>7} {paused:>7} {median:>9} {high:>9} {longest:>9}",
                times.len()
            );
        }
        let _infallible = writeln!(text, "{total} jobs, {} faults", self.faults.len());
        text
    }
}

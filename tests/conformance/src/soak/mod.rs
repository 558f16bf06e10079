//! Commands at once for some time, killed and signalled meanwhile: each ends with the code it has to, and nothing is
//! left. `cargo xtask soak` runs it for long; a few seconds of it are a case like any other.

mod bed;
mod jobs;
mod tally;

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use harness::{Cases, Outcome, Runtime};

use self::bed::{Bed, Worker};
use self::tally::Tally;

/// How many commands at a time.
const WORKERS: u64 = 8;

pub(crate) fn register(cases: &mut Cases) {
    cases.section("cli#soak", "");
    let asked = variable("SOAK_SECONDS");
    let seconds = asked.unwrap_or(5);
    let case = cases
        .cli(
            &["B32", "B58", "R06"],
            "commands at once, killed and signalled meanwhile, end with the right codes and leave nothing",
            move |rt| soak(rt, seconds),
        )
        .limit(seconds + 120)
        .alone();
    case.once = asked.is_some();
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn soak(rt: &Runtime, seconds: u64) -> Outcome {
    let seed = variable("SOAK_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let bed = Bed::new(rt)?;
    let before = bed.inventory()?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut tally = Tally::default();
    let tallies = std::thread::scope(|scope| {
        let start = |number| {
            let bed = &bed;
            scope.spawn(move || work(&Worker::new(bed, number, seed)?, end))
        };
        let threads: Vec<_> = (0..WORKERS).map(start).collect();
        threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    for joined in tallies {
        let Ok(done) = joined else { bail!("a worker panicked") };
        tally.add(done.context("a worker could not begin")?);
    }
    tally.faults.extend(bed.settle(&before)?);
    let title = format!(
        "{} for {seconds} s, {WORKERS} at a time in {} containers, seed {seed}",
        rt.binary().display(),
        bed.ids.len()
    );
    tally.report(&title)
}

/// One job after the other, chosen by weight.
fn work(worker: &Worker, end: Instant) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    let total: u64 = jobs::JOBS.iter().map(|(_, weight, _)| weight).sum();
    while Instant::now() < end {
        let mut chosen = worker.below(total);
        for (name, weight, job) in jobs::JOBS {
            if chosen < weight {
                tally.note(name, job(worker));
                break;
            }
            chosen -= weight;
        }
    }
    Ok(tally)
}

//! Paired measurements of OCI runtimes: every runtime does the same job in turn, round after round,
//! so that whatever else the machine does meets them all.
#![deny(unsafe_code)]

mod bundle;
mod floor;
mod job;
mod measure;
mod memory;
mod mounts;
mod output;
mod pair;
mod peer;
mod report;
mod round;
mod stats;
mod sys;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::job::Job;

/// Measures OCI runtimes side by side.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Args {
    #[command(subcommand)]
    part: Option<Part>,
    /// A runtime: a name from PATH, a path, or NAME=PATH; once for each [default: those installed]
    #[arg(long = "runtime", value_name = "RUNTIME")]
    runtimes: Vec<String>,
    /// Only these jobs
    #[arg(long = "job", value_enum)]
    jobs: Vec<Job>,
    /// Rounds of each job
    #[arg(long, default_value_t = 100)]
    runs: usize,
    /// Print JSON instead of the table
    #[arg(long)]
    json: bool,
    /// Measure how time grows with the mounts of the config, and of the host, instead of the jobs
    #[arg(long)]
    mounts: bool,
    /// Look for the smallest memory limit with which a container starts, instead of the jobs
    #[arg(long)]
    memory: bool,
    /// Leave a runtime out of a job that it does not finish within this many seconds
    #[arg(long, default_value_t = 10)]
    limit: u64,
}

/// What this program does when it is its own helper.
#[derive(Debug, Subcommand)]
enum Part {
    /// Do the kernel's share of `run` with the default config, and nothing else
    #[command(hide = true)]
    Floor { rootfs: PathBuf, program: String },
    /// Print the peak RSS of a command, in KiB
    #[command(hide = true)]
    Rss {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.part {
        Some(Part::Floor { rootfs, program }) => floor::run(rootfs, program),
        Some(Part::Rss { command }) => measure::print_peak_rss(command),
        None => compare(&args).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| {
        output::note(&format!("bench: {error:#}"));
        ExitCode::FAILURE
    })
}

fn compare(args: &Args) -> Result<()> {
    sys::become_reaper()?;
    let peers = peer::find(&args.runtimes)?;
    let place = bundle::Place::new()?;
    let limit = Duration::from_secs(args.limit);
    if args.mounts || args.memory {
        if args.mounts {
            output::line(&mounts::table(&place, &peers, args.runs, limit)?);
        }
        if args.memory {
            output::line(&memory::table(&place, &peers, limit)?);
        }
        return Ok(());
    }
    let jobs = if args.jobs.is_empty() { Job::ALL.to_vec() } else { args.jobs.clone() };
    let mut results = Vec::new();
    let runs = args.runs.max(1);
    for job in &jobs {
        let contest = round::Contest { job: *job, place: &place, runs, limit };
        results.push(contest.hold(&peers));
    }
    let pairs = match jobs.contains(&Job::RunSeccomp) {
        true => pair::profile(&place, &peers, runs, limit),
        false => Vec::new(),
    };
    if args.json {
        output::line(&report::json(&results, &pairs));
    } else {
        output::line(&report::table(&results));
        pairs.iter().for_each(|pair| output::line(&pair.to_string()));
    }
    Ok(())
}

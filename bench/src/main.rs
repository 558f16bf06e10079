//! Paired measurements of OCI runtimes: every runtime does the same job in turn, round after round,
//! so that whatever else the machine does meets them all.
#![deny(unsafe_code)]

mod bundle;
mod floor;
mod job;
mod measure;
mod output;
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
    let jobs = if args.jobs.is_empty() { Job::ALL.to_vec() } else { args.jobs.clone() };
    let mut results = Vec::new();
    for job in jobs {
        let limit = Duration::from_secs(args.limit);
        let contest = round::Contest { job, place: &place, runs: args.runs.max(1), limit };
        results.push(contest.hold(&peers));
    }
    let text = if args.json { report::json(&results) } else { report::table(&results) };
    output::line(&text);
    Ok(())
}

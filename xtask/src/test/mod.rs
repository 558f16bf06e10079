//! `cargo xtask test`: every check and test there is, each stage in its turn, one sum at the end.

mod machine;
mod skips;
mod stage;
mod tally;

use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::Result;

use self::stage::{Report, Stage};
use crate::deps::{self, Purpose};
use crate::output::{self, Style};
use crate::repo::{self, Repo};
use crate::{build, conformance, tidy};

/// Arguments of `test`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only tests whose name contains this; the checks are left out
    filter: Option<String>,
    /// Run both suites in the virtual machine only, whole: for a computer without root, or with other cgroups
    #[arg(long)]
    vm: bool,
}

/// A stage that hangs is ended after this long, so that the later ones still run.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// Runs everything, and exits with 1 if anything failed.
///
/// # Errors
/// None so far: whatever goes wrong fails its stage.
pub fn run(repo: &Repo, args: &Args) -> Result<ExitCode> {
    let mut reports = vec![packages(repo)];
    if args.filter.is_none() {
        reports.push(house_rules(repo));
        reports.push(check("format", repo.cargo().args(["fmt", "--all", "--check"])));
        reports.push(clippy(repo));
    }
    if args.vm {
        reports.extend(machine::whole(repo, args.filter.as_deref()));
    } else {
        reports.push(crates(repo, args));
        reports.push(kills(repo, args));
        for name in ["conformance", "engines"] {
            reports.push(suite(repo, name, args));
        }
        // Whoever asks for one test wants to know in seconds.
        if args.filter.is_none() {
            reports.extend(machine::part(repo));
        }
    }
    if repo::is_root() {
        skips::compare(&repo.root.join("tests/allowed-skips.txt"), &mut reports);
    }
    Ok(conclude(&reports))
}

/// `cargo xtask vm test`: what a run of everything does in the virtual machine, alone.
///
/// # Errors
/// None so far: whatever goes wrong fails its stage.
pub fn in_machine(repo: &Repo) -> Result<ExitCode> {
    let mut reports = machine::part(repo);
    skips::compare(&repo.root.join("tests/allowed-skips.txt"), &mut reports);
    Ok(conclude(&reports))
}

/// Without root only what compiles it all is needed: the containers' tests are skipped.
fn packages(repo: &Repo) -> Report {
    Report::timed("packages", |report| {
        let purposes: &[Purpose] =
            if repo::is_root() { &[Purpose::Build, Purpose::Test] } else { &[Purpose::Build] };
        let done = deps::ensure(repo, purposes);
        if let Err(error) = &done {
            output::line(&format!("{error:#}"));
        }
        report.count("system packages", done.is_ok());
    })
}

fn house_rules(repo: &Repo) -> Report {
    Report::timed("tidy", |report| {
        for (rule, faults) in tidy::faults(repo) {
            for fault in &faults {
                output::line(fault);
            }
            report.count(rule, faults.is_empty());
        }
    })
}

/// Warnings are errors in CI; on a laptop they are shown.
fn clippy(repo: &Repo) -> Report {
    let mut cargo = repo.cargo();
    cargo.args(["clippy", "--quiet", "--workspace", "--all-targets"]);
    if repo::is_ci() {
        cargo.args(["--", "-D", "warnings"]);
    }
    check("clippy", &mut cargo)
}

/// A stage that passes or fails as a whole.
fn check(name: &'static str, command: &mut Command) -> Report {
    Report::timed(name, |report| {
        let is_good = stage::run(command, LIMIT, output::line);
        report.count(name, is_good);
    })
}

/// The crates' own tests.
fn crates(repo: &Repo, args: &Args) -> Report {
    let filter: Vec<&str> = args.filter.as_deref().into_iter().collect();
    twice("crates", &filter, |arguments| {
        let mut cargo = repo.cargo();
        cargo.args(["test", "--workspace", "--no-fail-fast", "--", "--show-output"]);
        cargo.args(arguments);
        cargo
    })
}

/// The runtime ended at every point of its commands, and attacked without what protects it, in a build that has these
/// points.
fn kills(repo: &Repo, args: &Args) -> Report {
    let filter: Vec<&str> = args.filter.as_deref().into_iter().collect();
    twice("kills", &filter, |arguments| {
        let mut cargo = repo.cargo();
        cargo.args(["test", "--package", "creel", "--features", "kill-points,weak-points"]);
        cargo.args(["--test", "kill_points", "--test", "attack", "--", "--show-output"]);
        cargo.args(arguments);
        cargo
    })
}

/// Tests of libtest. What fails is tried once more, alone and one by one: what then passes is named flaky, and does
/// not fail the run.
fn twice(name: &'static str, filter: &[&str], cargo: impl Fn(&[&str]) -> Command) -> Report {
    let mut stage = Stage::libtest(cargo(filter));
    let mut report = stage.execute(name, LIMIT);
    let failed = stage.failed_tests();
    if failed.is_empty() || failed.len() > 20 {
        return report;
    }
    output::note("once more, one by one: what failed");
    let mut again: Vec<&str> = vec!["--exact", "--test-threads=1"];
    again.extend(failed.iter().map(String::as_str));
    let mut second = Stage::libtest(cargo(&again));
    report.forgive_flaky(&second.execute(name, LIMIT));
    report
}

/// A suite with a runner of its own, on the release binary.
fn suite(repo: &Repo, name: &'static str, args: &Args) -> Report {
    let command = build::creel(repo).and_then(|creel| conformance::runner(repo, name, Some(creel)));
    match command {
        Ok(mut command) => {
            command.arg("--expect");
            if let Some(filter) = &args.filter {
                command.args(["--filter", filter]);
            }
            Stage::runner(command).execute(name, LIMIT)
        }
        Err(error) => Report::unbuilt(name, &error),
    }
}

/// Repeats the failures, shows the times, and ends with the one line that counts.
fn conclude(reports: &[Report]) -> ExitCode {
    output::heading("times");
    for report in reports {
        let seconds = report.time.as_secs_f64();
        output::line(&format!("{:16} {seconds:6.1} s   {}", report.name, report.counts));
    }
    let total = reports.iter().fold(tally::Counts::default(), |sum, report| sum + report.counts);
    for (title, lines) in [
        ("flaky: failed, then passed alone", all(reports, |report| &report.flaky)),
        ("failures", all(reports, |report| &report.failures)),
    ] {
        if !lines.is_empty() {
            output::heading(title);
            lines.iter().for_each(|line| output::line(line));
        }
    }
    output::line("");
    let style = if total.failed == 0 { Style::Green } else { Style::Red };
    output::line(&output::paint(style, &total.to_string()));
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn all(reports: &[Report], pick: impl Fn(&Report) -> &Vec<String>) -> Vec<String> {
    let named = |report: &Report| {
        let lines = pick(report).iter();
        lines.map(|line| format!("{}: {line}", report.name)).collect::<Vec<_>>()
    };
    reports.iter().flat_map(named).collect()
}

//! The verdict on a run: what differs from the lists of known failures and allowed skips.

use std::collections::BTreeSet;

use crate::cli::expectations;
use crate::expected::Expected;
use crate::format::RuntimeResults;
use crate::options::Options;
use crate::runner::Status;
use crate::{Cases, build, print};

/// How the cases that were not tried are called in the list of allowed skips.
const UNTRIED: &str = "cases for which no time was left";

/// Compares the results with the lists and says what differs; the summary comes last.
pub(crate) fn judge(
    cases: &Cases,
    options: &Options,
    all: &[RuntimeResults],
) -> anyhow::Result<bool> {
    let allowed = Expected::load(&build::workspace().join("tests/allowed-skips.txt"))?;
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (runtime, binary) in all.iter().zip(&options.runtimes) {
        let expected = expectations(options, binary)?;
        let mut known = 0;
        for result in &runtime.results {
            let Some(case) = cases.list.get(result.index) else { continue };
            let (title, listed) = (case.title(), expected.reason(&case.title()).is_some());
            match (result.status, listed) {
                (Status::Passed, true) => {
                    failed += 1;
                    print::note(&format!("LISTED BUT PASSING {}: {title}", runtime.name));
                }
                (Status::Passed, false) => passed += 1,
                (Status::Failed, true) => known += 1,
                (Status::Failed, false) if expected.is_sometimes(&title) => known += 1,
                (Status::Failed, false) => {
                    failed += 1;
                    print::note(&format!("failed: {}: {title}", runtime.name));
                }
                (Status::Skipped, _) if options.expect && allowed.reason(&title).is_none() => {
                    failed += 1;
                    print::note(&format!("SKIPPED BUT NOT ALLOWED: {title}: {}", result.detail));
                }
                (Status::Skipped, _) => {
                    skipped += 1;
                    print::note(&format!("skipped: {title}: {}", result.detail));
                }
            }
            if result.flaky {
                print::note(&format!(
                    "FLAKY {}: {title}\n  {}",
                    runtime.name,
                    result.detail.replace('\n', "\n  ")
                ));
            }
        }
        if runtime.untried > 0 {
            let count = runtime.untried;
            print::note(&format!("skipped: {UNTRIED}: {count} of {}", runtime.name));
            let is_allowed = !options.expect || allowed.reason(UNTRIED).is_some();
            *(if is_allowed { &mut skipped } else { &mut failed }) += count;
        }
        failed += stale(cases, options, runtime, &expected);
        if known > 0 {
            print::note(&format!("{}: {known} known failures, as listed", runtime.name));
        }
    }
    summary(options, passed, failed, skipped);
    Ok(failed == 0)
}

/// Listed titles that no case has, which only a run of all cases can tell.
fn stale(cases: &Cases, options: &Options, runtime: &RuntimeResults, expected: &Expected) -> usize {
    if !options.filters.is_empty() || options.only.is_some() {
        return 0;
    }
    let titles: BTreeSet<String> = cases.list.iter().map(crate::case::Case::title).collect();
    let gone: Vec<&str> = expected.titles().filter(|title| !titles.contains(*title)).collect();
    for title in &gone {
        print::note(&format!("LISTED BUT NO CASE {}: {title}", runtime.name));
    }
    gone.len()
}

fn summary(options: &Options, passed: usize, failed: usize, skipped: usize) {
    let text = format!("{passed} passed, {failed} failed, {skipped} skipped");
    if options.format == "text" { print::line(&text) } else { print::note(&text) }
}

/// Whether every case noticed that what it is about was taken away.
pub(crate) fn judge_mutations(cases: &Cases, all: &[RuntimeResults]) -> bool {
    let (mut noticed, mut survived) = (0, 0);
    for runtime in all {
        for result in &runtime.results {
            let Some(case) = cases.list.get(result.index) else { continue };
            if result.status == Status::Passed {
                survived += 1;
                print::note(&format!("NOT NOTICED {}: {}", runtime.name, case.title()));
            } else {
                noticed += 1;
            }
        }
    }
    print::line(&format!(
        "{} mutations: {noticed} noticed, {survived} not noticed",
        noticed + survived
    ));
    survived == 0
}

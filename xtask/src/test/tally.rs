//! Reads what test runners print: libtest's lines, and the closing line of our own runners.

use std::fmt;
use std::ops::Add;

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Did what they say.
    pub(super) passed: usize,
    /// Did not.
    pub(super) failed: usize,
    /// Could not run here, with a reason.
    pub(super) skipped: usize,
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

impl Counts {
    /// Reads `N passed, N failed, N skipped`.
    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.trim().split(", ");
        let mut number = |word: &str| -> Option<usize> {
            parts.next()?.strip_suffix(word)?.strip_suffix(' ')?.parse().ok()
        };
        let counts = Self {
            passed: number("passed")?,
            failed: number("failed")?,
            skipped: number("skipped")?,
        };
        parts.next().is_none().then_some(counts)
    }
}

/// A test that could not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Skip {
    /// Its name.
    pub(super) test: String,
    /// Why.
    pub(super) reason: String,
}

/// What the lines seen so far say.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// The sum.
    pub(super) counts: Counts,
    /// Names of the tests that failed.
    pub(super) failed: Vec<String>,
    /// The tests that could not run.
    pub(super) skipped: Vec<Skip>,
    /// A case failed, though it may be forgiven at the end.
    pub(super) is_doubtful: bool,
    /// The test whose output libtest is showing.
    showing: Option<String>,
    is_in_successes: bool,
    /// Tests of the program at hand that said so themselves: libtest counts them as passed.
    said_skipped: usize,
}

impl Tally {
    /// Takes in a line of libtest's pretty format with `--show-output`. Returns whether a reader
    /// wants to see it: the output of tests that passed is only read for `skipped: reason`.
    pub(super) fn libtest(&mut self, line: &str) -> bool {
        if let Some(sum) = line.strip_prefix("test result: ") {
            let number = |word: &str| -> usize {
                let before = sum.split(word).next().unwrap_or_default().trim_end();
                before.rsplit(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0)
            };
            let said = std::mem::take(&mut self.said_skipped);
            let [passed, failed, ignored] = ["passed", "failed", "ignored"].map(number);
            self.counts.passed += passed.saturating_sub(said);
            self.counts.failed += failed;
            self.counts.skipped += ignored + said;
            return passed + failed + ignored > 0;
        }
        if let Some((name, end)) = test_line(line) {
            self.is_in_successes = false;
            self.end_of_test(name, end);
            return end != "ok";
        }
        if let Some(name) = line.strip_prefix("---- ").and_then(|l| l.strip_suffix(" stdout ----"))
        {
            self.showing = Some(name.to_owned());
        } else if line == "successes:" {
            self.is_in_successes = true;
        } else if line == "failures:" {
            self.is_in_successes = false;
        } else if let Some(reason) = line.strip_prefix("skipped: ") {
            self.passed_test_was_skipped(reason);
        }
        !self.is_in_successes && !line.is_empty() && line != "running 0 tests"
    }

    /// Takes in a line of our runners: what failed, and the sum at the end of each. They have compared
    /// the skips with the list themselves.
    pub(super) fn runner(&mut self, line: &str) {
        const ODD: [&str; 3] = ["LISTED BUT", "SKIPPED BUT", "failed: "];
        self.is_doubtful |= line.starts_with("FAILED ");
        if let Some(counts) = Counts::parse(line) {
            self.counts = self.counts + counts;
        } else if ODD.iter().any(|start| line.starts_with(start)) {
            self.failed.push(line.strip_prefix("failed: ").unwrap_or(line).to_owned());
        }
    }

    fn end_of_test(&mut self, name: &str, end: &str) {
        if end == "FAILED" {
            self.failed.push(name.to_owned());
        } else if let Some(reason) = end.strip_prefix("ignored") {
            let reason = reason.trim_start_matches([',', ' ']).to_owned();
            self.skipped.push(Skip { test: name.to_owned(), reason });
        }
    }

    fn passed_test_was_skipped(&mut self, reason: &str) {
        if let Some(test) = self.showing.take().filter(|_| self.is_in_successes) {
            self.said_skipped += 1;
            self.skipped.push(Skip { test, reason: reason.to_owned() });
        }
    }
}

/// `test NAME ... RESULT`, in its parts.
fn test_line(line: &str) -> Option<(&str, &str)> {
    let (name, end) = line.strip_prefix("test ")?.split_once(" ... ")?;
    Some((name.split_once(" - should panic").map_or(name, |(name, _)| name), end.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIBTEST: &str = "running 4 tests
test a::b ... ok
test a::c ... FAILED
test a::d ... ignored, needs a disk
test a::root ... ok

successes:

---- a::root stdout ----
skipped: needs root


successes:
    a::b
    a::root

failures:

---- a::c stdout ----
skipped: not a skip, for it failed

failures:
    a::c

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    #[test]
    fn libtest_lines_are_counted() {
        let mut tally = Tally::default();
        LIBTEST.lines().for_each(|line| {
            tally.libtest(line);
        });
        assert_eq!(tally.failed, ["a::c"]);
        let skipped: Vec<_> = tally.skipped.iter().map(|skip| skip.reason.as_str()).collect();
        assert_eq!(skipped, ["needs a disk", "needs root"]);
        assert_eq!(tally.counts, Counts { passed: 1, failed: 1, skipped: 2 });
    }

    #[test]
    fn the_runners_last_line_is_the_sum() {
        let mut tally = Tally::default();
        let lines = ["failed: runc: x", "skipped: y: no disk", "3 passed, 1 failed, 1 skipped"];
        lines.into_iter().for_each(|line| tally.runner(line));
        assert_eq!(tally.counts, Counts { passed: 3, failed: 1, skipped: 1 });
        assert_eq!(tally.failed, ["runc: x"]);
    }

    #[test]
    fn other_lines_are_no_sum() {
        for line in
            ["", "3 passed", "a passed, 1 failed, 1 skipped", "1 passed, 1 failed, 1 skipped, 1"]
        {
            assert_eq!(Counts::parse(line), None, "{line}");
        }
    }
}

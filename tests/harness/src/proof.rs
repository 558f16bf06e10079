//! Whether a case can be passed at all: some other runtime passes it, or a list says why none does.
//!
//! No runtime is run for this: the lists of their known failures are compared, which a run with `--expect` keeps true.

use std::path::Path;

use crate::case::Case;
use crate::expected::Expected;
use crate::{Cases, Flavor, build, print};

/// How a reason begins: with the sentence that all of them break, or with what none of them has.
const REASONS: [&str; 2] = ["sentence: ", "no peer has: "];

/// Cases that others pass, cases that none passes for a reason, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// How many are passed by one of the others.
    pub passed: usize,
    /// How many are passed by none, for a reason.
    pub excused: usize,
    /// Cases without either, and reasons that are none or of no use.
    pub faults: Vec<String>,
}

/// Compares the lists of the other runtimes in `tests/conformance/expected` with `no-peer.txt` beside them.
///
/// # Errors
/// If a list cannot be read.
pub fn compare(cases: &Cases) -> anyhow::Result<Proof> {
    let directory = build::workspace().join("tests/conformance/expected");
    let list = |name: &str| Expected::everywhere(&directory.join(Path::new(name)));
    let peers = Flavor::ALL.into_iter().filter(|flavor| *flavor != Flavor::Creel);
    let peers: Vec<Expected> = peers
        .map(|flavor| list(&format!("{}.txt", flavor.name())))
        .collect::<anyhow::Result<_>>()?;
    let titles: Vec<String> = cases.list.iter().map(Case::title).collect();
    Ok(judge(&titles, &peers, &list("no-peer.txt")?))
}

/// Says what is wrong; whether nothing is.
///
/// # Errors
/// As [`compare`].
pub fn report(cases: &Cases) -> anyhow::Result<bool> {
    let Proof { passed, excused, faults } = compare(cases)?;
    faults.iter().for_each(|fault| print::note(fault));
    print::line(&format!(
        "{passed} cases are passed by another runtime, {excused} by none for a reason, {} faults",
        faults.len()
    ));
    Ok(faults.is_empty())
}

fn judge(titles: &[String], peers: &[Expected], reasons: &Expected) -> Proof {
    let mut proof = Proof::default();
    let fails = |title: &&String| peers.iter().all(|peer| peer.reason(title).is_some());
    let (failing, passing): (Vec<&String>, Vec<&String>) = titles.iter().partition(fails);
    proof.passed = passing.len();
    for title in &failing {
        match reasons.reason(title) {
            Some(reason) if REASONS.iter().any(|begin| reason.starts_with(begin)) => {
                proof.excused += 1;
            }
            Some(reason) => proof.faults.push(format!(
                "{title}: the reason in no-peer.txt begins with none of {REASONS:?}: {reason}"
            )),
            None => proof
                .faults
                .push(format!("{title}: no other runtime passes it; no-peer.txt does not say why")),
        }
    }
    for (line, _) in reasons.lines() {
        let fits = |title: &&String| {
            line.strip_suffix('*').map_or(title.as_str() == line, |begin| title.starts_with(begin))
        };
        if !failing.iter().any(fits) {
            proof
                .faults
                .push(format!("{line}: no-peer.txt lists it, though another runtime passes it"));
        }
    }
    proof
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Expected {
        let path = std::env::temp_dir().join(format!("list-{}-{}", std::process::id(), text.len()));
        std::fs::write(&path, text).expect("a file can be written");
        let list = Expected::everywhere(&path).expect("a list");
        std::fs::remove_file(&path).expect("the file is there");
        list
    }

    #[test]
    fn what_no_other_runtime_passes_needs_a_reason() {
        let titles = [
            "a: passed by one",
            "a: sometimes",
            "a: quoted",
            "a: group 1",
            "a: group 2",
            "a: bare",
            "a: vague",
        ]
        .map(String::from);
        let first = list(
            "a: passed by one -- x\n~a: sometimes -- x\na: quoted -- x\na: group* -- x\na: bare -- x\na: vague -- x\n",
        );
        let second = list(
            "a: sometimes -- x\na: quoted -- x\na: group* -- x\n@v2 a: passed by one -- x\na: bare -- x\na: vague -- x\n",
        );
        let reasons = list(
            "a: quoted -- sentence: config.md “…”\na: group* -- no peer has: 1.3\na: vague -- nobody does\na: passed by one -- no peer has: x\n",
        );
        let found = judge(&titles, &[first, second], &reasons);
        assert_eq!((found.passed, found.excused), (2, 3));
        let mut faults: Vec<&str> =
            found.faults.iter().filter_map(|fault| fault.split(": ").nth(1)).collect();
        faults.sort_unstable();
        assert_eq!(faults, ["bare", "passed by one", "vague"]);
    }
}

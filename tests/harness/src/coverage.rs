//! Which features have a case, and which have none for a reason that `docs/testing.md` tells.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::Context;

use crate::{Cases, build, print};

/// Features that have a case, features that have none for a reason, and what is wrong.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// How many have a case.
    pub tested: usize,
    /// Those of which `docs/testing.md` says why there is none.
    pub excused: Vec<String>,
    /// Features without either, and names that no list knows.
    pub faults: Vec<String>,
}

/// Compares the rows of the cases with `tests/conformance/rows.txt` and with the table in `docs/testing.md`.
///
/// # Errors
/// If one of the files cannot be read.
pub fn compare(cases: &Cases) -> anyhow::Result<Coverage> {
    let read = |name: &str| {
        let path = build::workspace().join(name);
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    };
    let (rows, text) = (read("tests/conformance/rows.txt")?, read("docs/testing.md")?);
    let lines = rows.lines().filter(|line| !line.starts_with('#'));
    let rows: BTreeMap<&str, &str> = lines.filter_map(|line| line.split_once(' ')).collect();
    Ok(judge(cases, &rows, &excuses(&text)))
}

/// Says which features have neither; whether there are none.
///
/// # Errors
/// As [`compare`].
pub fn report(cases: &Cases) -> anyhow::Result<bool> {
    let Coverage { tested, excused, faults } = compare(cases)?;
    faults.iter().for_each(|fault| print::note(fault));
    let (excused, left) = (excused.len(), faults.len());
    print::line(&format!(
        "{tested} features have cases, {excused} have none for a reason, {left} without one"
    ));
    Ok(left == 0)
}

fn judge(cases: &Cases, rows: &BTreeMap<&str, &str>, excuses: &BTreeSet<String>) -> Coverage {
    let mut coverage = Coverage::default();
    let named: BTreeSet<&str> =
        cases.list.iter().flat_map(|case| case.rows.iter().copied()).collect();
    for (row, title) in rows {
        let letter = row.get(..1).unwrap_or_default();
        if named.contains(row) {
            coverage.tested += 1;
        } else if excuses.contains(*row) || excuses.contains(letter) {
            coverage.excused.push(format!("{row} {title}"));
        } else {
            coverage
                .faults
                .push(format!("{row} {title}: no case, and no reason in docs/testing.md"));
        }
    }
    for row in named.iter().filter(|row| !rows.contains_key(*row)) {
        coverage
            .faults
            .push(format!("{row}: a case names it, tests/conformance/rows.txt does not"));
    }
    coverage
}

/// The rows in the first column of the table of what is not tested: `E07`, `J01–J05`, or a letter for all of it.
fn excuses(text: &str) -> BTreeSet<String> {
    let section = text.split("### What the suite does not test").nth(1).unwrap_or_default();
    let lines = section.lines().skip(1).take_while(|line| !line.starts_with('#'));
    let cells = lines.filter_map(|line| line.strip_prefix('|')?.split('|').next());
    cells.flat_map(|cell| cell.split([' ', ',', '(', ')'])).flat_map(range).collect()
}

fn range(word: &str) -> Vec<String> {
    let Some((first, last)) = word.split_once('–') else {
        return if is_row(word) { vec![String::from(word)] } else { Vec::new() };
    };
    let number = |row: &str| row.get(1..).and_then(|digits| digits.parse::<u32>().ok());
    let (Some(letter), Some(from), Some(to)) = (first.get(..1), number(first), number(last)) else {
        return Vec::new();
    };
    (from..=to).map(|number| format!("{letter}{number:02}")).collect()
}

fn is_row(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next().is_some_and(|letter| letter.is_ascii_uppercase())
        && letters.all(|letter| letter.is_ascii_digit() || letter == 'b')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_what_is_not_tested_names_rows_ranges_and_letters() {
        let text = "x\n### What the suite does not test, and why\n\n| area | reason |\n|---|---|\n\
                    | intelRdt (J01–J03), labels (E08) | no |\n| handlers (N) | E09 is no excuse |\n## Next\n| A01 | x |";
        let expected = ["E08", "J01", "J02", "J03", "N"].map(String::from);
        assert_eq!(excuses(text), BTreeSet::from(expected));
    }

    #[test]
    fn a_feature_without_case_and_reason_is_a_fault_and_so_is_an_unknown_one() {
        let mut cases = Cases::default();
        cases.must(&["A01", "Z99"], "a sentence", |_| Ok(()));
        let rows = BTreeMap::from([("A01", "tested"), ("B01", "excused"), ("C01", "forgotten")]);
        let found = judge(&cases, &rows, &BTreeSet::from([String::from("B")]));
        assert_eq!((found.tested, found.excused), (1, vec![String::from("B01 excused")]));
        assert_eq!(found.faults.len(), 2);
    }
}

//! What `deny.toml` says of dependencies, as far as `cargo metadata` can tell: sources, licences, banned crates, and
//! crates of which there are two versions. Advisories are left to `cargo deny check`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::repo::{self, Repo};

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Faults of the dependencies, tests' included, against the policy.
pub(crate) fn faults(repo: &Repo) -> Result<Vec<String>> {
    let policy = std::fs::read_to_string(repo.root.join("deny.toml")).context("deny.toml")?;
    let mut cargo = repo.cargo();
    cargo.args(["metadata", "--format-version=1", "--locked"]);
    cargo.args(["--filter-platform", "x86_64-unknown-linux-gnu"]);
    let metadata = repo::output(&mut cargo)?;
    Ok(compare(&policy, &serde_json::from_str(&metadata)?))
}

fn compare(policy: &str, metadata: &Value) -> Vec<String> {
    let (mut faults, mut versions) = (Vec::new(), BTreeMap::<&str, BTreeSet<&str>>::new());
    let licences = words_after(policy, "allow = [");
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        // What has no source is of this repository.
        let Some(source) = package["source"].as_str() else { continue };
        if source != CRATES_IO {
            faults.push(format!("{name} is not from crates.io: {source}"));
        }
        let licence = package["license"].as_str().unwrap_or_default();
        if !is_allowed(licence, &licences) {
            faults.push(format!("{name} has the licence {licence:?}, which is not allowed"));
        }
        versions.entry(name).or_default().insert(package["version"].as_str().unwrap_or_default());
    }
    let skipped = words_after(policy, "skip = [");
    for (name, all) in versions.iter().filter(|(_, all)| all.len() > 1) {
        if !skipped.contains(name) {
            let all: Vec<_> = all.iter().copied().collect();
            faults.push(format!("{name} is there in the versions {}", all.join(", ")));
        }
    }
    faults.extend(banned(policy, metadata, &versions));
    faults
}

/// A banned crate may have dependents that are excepted (`wrappers`).
fn banned(
    policy: &str,
    metadata: &Value,
    versions: &BTreeMap<&str, BTreeSet<&str>>,
) -> Vec<String> {
    let lines = policy.lines().filter(|line| line.trim().starts_with("{ crate = "));
    let mut faults = Vec::new();
    for line in lines {
        let name = line.split('"').nth(1).unwrap_or_default();
        if !versions.contains_key(name) {
            continue;
        }
        let excepted = words_after(line, "wrappers = [");
        for package in metadata["packages"].as_array().into_iter().flatten() {
            let mut needed = package["dependencies"].as_array().into_iter().flatten();
            let dependent = package["name"].as_str().unwrap_or_default();
            if needed.any(|it| it["name"] == name) && !excepted.contains(&dependent) {
                faults.push(format!("{dependent} depends on {name}, which is banned"));
            }
        }
    }
    faults
}

/// The texts in quotes of the list that begins with `start`.
fn words_after<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    let list = text.split_once(start).and_then(|(_, rest)| rest.split_once(']'));
    list.map_or(Vec::new(), |(list, _)| list.split('"').skip(1).step_by(2).collect())
}

/// Whether an expression of SPDX can be met with what is allowed. `/` is the old form of `OR`.
fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let expression = expression.trim().replace('/', " OR ");
    for (word, all) in [(" OR ", false), (" AND ", true)] {
        let parts = split_outside(&expression, word);
        if parts.len() > 1 {
            let mut met = parts.iter().map(|part| is_allowed(part, allowed));
            return if all { met.all(|it| it) } else { met.any(|it| it) };
        }
    }
    match expression.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        Some(inner) => is_allowed(inner, allowed),
        None => allowed.contains(&expression.as_str()),
    }
}

/// The parts between `word`, where it is in no parentheses.
fn split_outside<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let (mut parts, mut rest, mut from) = (Vec::new(), text, 0);
    while let Some(at) = rest.get(from..).and_then(|tail| tail.find(word)).map(|at| at + from) {
        let (before, after) = rest.split_at(at);
        if before.matches('(').count() == before.matches(')').count() {
            parts.push(before);
            rest = after.get(word.len()..).unwrap_or_default();
            from = 0;
        } else {
            from = at + word.len();
        }
    }
    parts.push(rest);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn expressions_of_licences() {
        let allowed = ["MIT", "Apache-2.0", "Unicode-3.0"];
        for (expression, expected) in [
            ("MIT", true),
            ("GPL-3.0", false),
            ("", false),
            ("MIT OR GPL-3.0", true),
            ("MIT AND GPL-3.0", false),
            ("GPL-3.0/MIT", true),
            ("(MIT OR GPL-3.0) AND Unicode-3.0", true),
            ("(MIT AND GPL-3.0) OR (GPL-2.0 AND MIT)", false),
            ("GPL-2.0 OR (MIT AND (Apache-2.0 OR GPL-3.0))", true),
        ] {
            assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
        }
    }

    #[test]
    fn every_part_of_the_policy_can_be_broken() {
        let policy = "allow = [\"MIT\"]\nskip = [\"twice-known\"]\ndeny = [\n    \
            { crate = \"bad\", wrappers = [\"may\"] },\n]";
        let package = |name: &str, version: &str, licence: &str, source: &str, needs: &str| {
            json!({ "name": name, "version": version, "license": licence, "source": source,
                "dependencies": [{ "name": needs }] })
        };
        let good = |name: &str, version: &str| package(name, version, "MIT", CRATES_IO, "x");
        let packages = json!({ "packages": [
            good("good", "1.0.0"),
            good("twice", "1.0.0"),
            good("twice", "2.0.0"),
            good("twice-known", "1.0.0"),
            good("twice-known", "2.0.0"),
            good("bad", "1.0.0"),
            package("may", "1.0.0", "MIT", CRATES_IO, "bad"),
            package("may-not", "1.0.0", "MIT", CRATES_IO, "bad"),
            package("viral", "1.0.0", "GPL-3.0", CRATES_IO, "x"),
            package("forked", "1.0.0", "MIT", "git+https://example.org/x", "x"),
        ] });
        assert_eq!(
            compare(policy, &packages),
            [
                "viral has the licence \"GPL-3.0\", which is not allowed",
                "forked is not from crates.io: git+https://example.org/x",
                "twice is there in the versions 1.0.0, 2.0.0",
                "may-not depends on bad, which is banned",
            ]
        );
        assert_eq!(compare(policy, &json!({ "packages": [good("good", "1.0.0")] })), [""; 0]);
    }
}

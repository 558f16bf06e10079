//! Results as text, JSON, `JUnit`'s XML and HTML.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::Cases;
use crate::case::Level;
use crate::runner::{CaseResult, Status};

/// Results of one runtime.
#[derive(Clone, Debug)]
pub struct RuntimeResults {
    /// Its name.
    pub name: String,
    /// First line of its `--version`.
    pub version: String,
    /// Results in the order of the registry.
    pub results: Vec<CaseResult>,
    /// Cases for which no time was left.
    pub untried: usize,
}

impl RuntimeResults {
    /// The result of a case.
    #[must_use]
    pub fn of(&self, index: usize) -> Option<&CaseResult> {
        self.results.iter().find(|result| result.index == index)
    }

    /// How many ended so.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        self.results.iter().filter(|result| result.status == status).count()
    }
}

/// Everything as JSON.
#[must_use]
pub fn json(cases: &Cases, all: &[RuntimeResults]) -> String {
    let one = |runtime: &RuntimeResults| {
        let results: Vec<Value> = runtime.results.iter().filter_map(|result| {
            let case = cases.list.get(result.index)?;
            Some(json!({
                "section": case.section, "name": case.name, "level": case.level.to_string(), "since": case.since,
                "rows": case.rows, "status": result.status.name(), "flaky": result.flaky,
                "seconds": result.took.as_secs_f64(), "detail": result.detail,
            }))
        }).collect();
        json!({ "runtime": runtime.name, "version": runtime.version, "results": results })
    };
    Value::Array(all.iter().map(one).collect()).to_string()
}

/// `JUnit`'s XML: a suite for each runtime.
#[must_use]
pub fn junit(cases: &Cases, all: &[RuntimeResults]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for runtime in all {
        let (failed, skipped) = (runtime.count(Status::Failed), runtime.count(Status::Skipped));
        let (name, tests) = (escape(&runtime.name), runtime.results.len());
        let _ = writeln!(
            text,
            "<testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failed}\" skipped=\"{skipped}\">"
        );
        for result in &runtime.results {
            let Some(case) = cases.list.get(result.index) else { continue };
            let (section, name, time) =
                (escape(case.section), escape(&case.name), result.took.as_secs_f64());
            let detail = escape(&result.detail);
            let inner = match result.status {
                Status::Passed => String::new(),
                Status::Failed => format!("<failure>{detail}</failure>"),
                Status::Skipped => format!("<skipped message=\"{detail}\"/>"),
            };
            let _ = writeln!(
                text,
                "<testcase classname=\"{section}\" name=\"{name}\" time=\"{time:.3}\">{inner}</testcase>"
            );
        }
        text += "</testsuite>\n";
    }
    text + "</testsuites>\n"
}

fn escape(text: &str) -> String {
    let visible = |c: &char| *c >= ' ' || *c == '\n' || *c == '\t';
    let text: String = text.chars().filter(visible).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const STYLE: &str = "body{font:15px system-ui;margin:2em}table{border-collapse:collapse}\
td,th{border:1px solid #ccc;padding:2px 8px;text-align:left;vertical-align:top}\
.passed{background:#d4f4d4}.failed{background:#f8d0d0}.skipped{background:#eee}.flaky{background:#fff0b0}\
summary{cursor:pointer}pre{max-width:70em;white-space:pre-wrap}th{position:sticky;top:0;background:#fff}";

/// A matrix for people: feature by runtime, the reason on click. Needs no other file.
#[must_use]
pub fn html(cases: &Cases, all: &[RuntimeResults]) -> String {
    let mut text = format!(
        "<!doctype html><meta charset=utf-8><title>OCI runtime conformance</title><style>{STYLE}</style>"
    );
    text += "<h1>OCI runtime conformance</h1><table><tr><th>case<th>level<th>since";
    for runtime in all {
        let _ =
            write!(text, "<th title=\"{}\">{}", escape(&runtime.version), escape(&runtime.name));
    }
    let mut section = "";
    let mut order: Vec<_> = cases.list.iter().enumerate().collect();
    order.sort_by_key(|(_, case)| case.section);
    for (index, case) in order {
        if all.iter().all(|runtime| runtime.of(index).is_none()) {
            continue;
        }
        if case.section != section {
            section = case.section;
            let _ = write!(text, "<tr><th colspan={}>{}", 3 + all.len(), escape(section));
        }
        let _ = write!(text, "<tr><td>{}<td>{}<td>{}", escape(&case.name), case.level, case.since);
        for runtime in all {
            text += &runtime.of(index).map_or_else(|| String::from("<td>"), cell);
        }
    }
    text + "</table>\n"
}

fn cell(result: &CaseResult) -> String {
    let class = if result.flaky { "flaky" } else { result.status.name() };
    if result.detail.is_empty() {
        return format!("<td class={class}>{class}");
    }
    format!(
        "<td class={class}><details><summary>{class}</summary><pre>{}</pre></details>",
        escape(&result.detail)
    )
}

/// `docs/conformance.md`: counts by level and by section, and what differs.
#[must_use]
pub fn markdown(cases: &Cases, all: &[RuntimeResults], date: &str) -> String {
    let mut text = format!(
        "# Conformance\n\nGenerated by `cargo xtask conformance --against` on {date}, with {} cgroups. \
         Passed of tried (skipped ones are not counted).\n\n",
        crate::expected::cgroup_kind()
    );
    for runtime in all {
        let _ = writeln!(text, "- **{}**: {}", runtime.name, runtime.version);
    }
    let names: Vec<&str> = all.iter().map(|runtime| runtime.name.as_str()).collect();
    let head = |first: &str| {
        format!("\n| {first} | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()))
    };
    text += &head("level");
    for level in Level::ALL {
        let counts =
            row(cases, all, |index| cases.list.get(index).is_some_and(|case| case.level == level));
        let _ = writeln!(text, "| {level} | {counts} |");
    }
    let _ = writeln!(text, "| all | {} |", row(cases, all, |_| true));
    text += &head("section");
    let mut sections: Vec<&str> = cases.list.iter().map(|case| case.section).collect();
    sections.sort_unstable();
    sections.dedup();
    for section in sections {
        let counts = row(cases, all, |index| {
            cases.list.get(index).is_some_and(|case| case.section == section)
        });
        let _ = writeln!(text, "| {section} | {counts} |");
    }
    text += "\n## What each does not pass\n";
    for runtime in all {
        let _ = writeln!(text, "\n### {}\n", runtime.name);
        for result in runtime.results.iter().filter(|result| result.status == Status::Failed) {
            let Some(case) = cases.list.get(result.index) else { continue };
            let _ = writeln!(text, "- {} ({}): {}", case.section, case.level, case.name);
        }
    }
    text
}

fn row(cases: &Cases, all: &[RuntimeResults], wanted: impl Fn(usize) -> bool) -> String {
    let count = |runtime: &RuntimeResults| {
        let of = |status| {
            runtime.results.iter().filter(|r| wanted(r.index) && r.status == status).count()
        };
        let (passed, failed) = (of(Status::Passed), of(Status::Failed));
        format!("{passed}/{}", passed + failed)
    };
    debug_assert!(
        all.iter().all(|runtime| runtime.results.len() <= cases.list.len()),
        "one result for a case"
    );
    all.iter().map(count).collect::<Vec<_>>().join(" | ")
}

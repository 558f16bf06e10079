//! The results, for people and for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::pair::Pair;
use crate::round::{Outcome, Row};

/// One block for each job, the fastest first; ratios are to the first named runtime.
pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for outcome in outcomes {
        let first = outcome.rows.first().map_or(f64::NAN, |row| row.time.median);
        let _ = writeln!(
            text,
            "{:14} {:>9} {:>9} {:>7} {:>9} {:>7}",
            outcome.job.name(),
            "median ms",
            "p95 ms",
            "ratio",
            "peak KiB",
            "calls"
        );
        let mut rows: Vec<&Row> = outcome.rows.iter().collect();
        rows.sort_by(|a, b| a.time.median.total_cmp(&b.time.median));
        for row in rows {
            let _ = writeln!(
                text,
                "  {:12} {:9.2} {:9.2} {:7.2} {:>9} {:>7}",
                row.name,
                row.time.median,
                row.time.p95,
                row.time.median / first,
                whole(row.peak_rss),
                whole(row.system_calls)
            );
        }
        text.push('\n');
    }
    text.trim_end().to_owned()
}

fn whole(number: Option<f64>) -> String {
    number.map_or_else(|| "-".into(), |number| format!("{number:.0}"))
}

/// An object of jobs, each an object of participants; that of the pairs beside them.
pub(crate) fn json(outcomes: &[Outcome], pairs: &[Pair]) -> String {
    let of_row = |row: &Row| {
        let value = json!({
            "median_ms": row.time.median,
            "p95_ms": row.time.p95,
            "peak_rss_kib": row.peak_rss,
            "system_calls": row.system_calls,
        });
        (row.name.clone(), value)
    };
    let mut jobs: serde_json::Map<String, Value> = outcomes
        .iter()
        .map(|outcome| {
            let rows = outcome.rows.iter().map(of_row).collect();
            (outcome.job.name().to_owned(), Value::Object(rows))
        })
        .collect();
    let pairs = pairs.iter().map(|pair| {
        let value = json!({
            "without_ms": pair.without,
            "with_ms": pair.with,
            "ratio": pair.ratio(),
        });
        (pair.name.clone(), value)
    });
    jobs.insert("run-seccomp / run".into(), Value::Object(pairs.collect()));
    format!("{:#}", Value::Object(jobs))
}

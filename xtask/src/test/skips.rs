//! `tests/allowed-skips.txt`: a test may be skipped only with a line there.
//!
//! A line is `NAME -- REASON`; a `*` at the end of the name stands for any rest. Empty lines and
//! lines that begin with `#` say nothing. A line with `@hybrid`, `@v1` or `@v2` before the name holds
//! on machines whose cgroups are of that layout. The suites' runners read the same file.

use std::path::Path;

use super::stage::Report;

/// Turns every skip that the file does not list into a failure.
pub(super) fn compare(file: &Path, reports: &mut [Report]) {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let allowed = names(&text, layout());
    for report in reports {
        let unlisted: Vec<_> =
            report.skips.iter().filter(|skip| !is_allowed(&allowed, &skip.test)).cloned().collect();
        for skip in unlisted {
            report.counts.skipped = report.counts.skipped.saturating_sub(1);
            let name = skip.test;
            report.fail(format!("{name}: skipped ({}), not in allowed-skips.txt", skip.reason));
        }
    }
}

/// `v1`, `v2` or `hybrid`.
fn layout() -> &'static str {
    if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        return "v2";
    }
    if Path::new("/sys/fs/cgroup/unified/cgroup.controllers").exists() { "hybrid" } else { "v1" }
}

fn names<'a>(text: &'a str, layout: &str) -> Vec<&'a str> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let lines = lines.filter_map(|line| match line.strip_prefix('@') {
        Some(marked) => marked.strip_prefix(layout)?.strip_prefix(' '),
        None => Some(line),
    });
    lines.map(|line| line.split_once(" -- ").map_or(line, |(name, _)| name)).collect()
}

fn is_allowed(allowed: &[&str], test: &str) -> bool {
    allowed.iter().any(|name| match name.strip_suffix('*') {
        Some(start) => test.starts_with(start),
        None => *name == test,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_needs_a_line() {
        let allowed = names("# why\n\nmounts::idmap -- no idmaps here\nrdma::* -- no rdma\n", "v2");
        assert!(is_allowed(&allowed, "mounts::idmap"));
        assert!(is_allowed(&allowed, "rdma::limit"));
        assert!(!is_allowed(&allowed, "mounts::idmap_recursive"));
    }

    #[test]
    fn a_line_for_another_layout_allows_nothing() {
        let text = "@v2 a -- b\n@v1 c -- d\n@v1e -- f\n";
        assert_eq!(names(text, "v2"), ["a"]);
        assert_eq!(names(text, "v1"), ["c"]);
        assert_eq!(names(text, "hybrid"), [""; 0]);
    }
}

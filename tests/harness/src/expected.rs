//! Lists of what is known to fail and of what may be skipped.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

/// Title of a case, and why it fails (or is skipped).
#[derive(Clone, Debug, Default)]
pub struct Expected {
    sometimes: BTreeSet<String>,
    lines: BTreeMap<String, String>,
}

impl Expected {
    /// Reads a list: `TITLE -- REASON` a line, `#` for comments. A line may begin with `@hybrid`, `@v1` or
    /// `@v2` and counts only with that kind of cgroups then, and with `~` if the case fails only sometimes. A missing
    /// file is an empty list.
    ///
    /// # Errors
    /// If a line has no reason.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        Self::read(path, cgroup_kind())
    }

    /// Reads those lines of a list that count with any kind of cgroups.
    ///
    /// # Errors
    /// As [`Expected::load`].
    pub fn everywhere(path: &Path) -> anyhow::Result<Self> {
        Self::read(path, "")
    }

    fn read(path: &Path, kind: &str) -> anyhow::Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        let mut expected = Self::default();
        for (number, line) in text.lines().enumerate() {
            let mut line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some((condition, rest)) =
                line.strip_prefix('@').and_then(|rest| rest.split_once(' '))
            {
                if condition != kind {
                    continue;
                }
                line = rest.trim();
            }
            let Some((title, reason)) = line.split_once(" -- ") else {
                bail!("{}:{}: no reason after ` -- `", path.display(), number + 1);
            };
            let title = title.trim();
            if let Some(title) = title.strip_prefix('~') {
                expected.sometimes.insert(String::from(title.trim()));
            } else {
                expected.lines.insert(String::from(title), String::from(reason.trim()));
            }
        }
        Ok(expected)
    }

    /// Rewrites a list after a run: lines of titles that were tried and do not fail go, new ones come with
    /// the given reason. Lines that do not count here stay as they are.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn update(
        path: &Path,
        failing: &BTreeMap<String, String>,
        tried: &BTreeSet<String>,
    ) -> anyhow::Result<()> {
        let old = fs::read_to_string(path).unwrap_or_default();
        let mut listed = BTreeSet::new();
        let mut lines = Vec::new();
        for line in old.lines() {
            let title = line.split_once(" -- ").map_or(line, |(title, _)| title).trim();
            if line.starts_with(['#', '@', '~'])
                || failing.contains_key(title)
                || !tried.contains(title)
            {
                lines.push(String::from(line));
            }
            listed.insert(title.trim_start_matches('~').trim());
        }
        let new = failing.iter().filter(|(title, _)| !listed.contains(title.as_str()));
        lines.extend(new.map(|(title, reason)| format!("{title} -- {reason}")));
        lines.retain(|line| !line.trim().is_empty());
        fs::write(path, lines.join("\n") + "\n").context("write the list")
    }

    /// The reason for this title; a listed title that ends with `*` stands for all that begin so.
    #[must_use]
    pub fn reason(&self, title: &str) -> Option<&str> {
        let fits = |listed: &String| {
            listed.strip_suffix('*').is_some_and(|begin| title.starts_with(begin))
        };
        let found = self
            .lines
            .get(title)
            .or_else(|| self.lines.iter().find(|(t, _)| fits(t)).map(|(_, r)| r));
        found.map(String::as_str)
    }

    /// All lines that say something for sure: titles, also those that stand for several, and reasons.
    pub fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.iter().map(|(title, reason)| (title.as_str(), reason.as_str()))
    }

    /// Whether the case may pass or fail.
    #[must_use]
    pub fn is_sometimes(&self, title: &str) -> bool {
        self.sometimes.contains(title)
    }

    /// Listed titles, without those that stand for several.
    pub fn titles(&self) -> impl Iterator<Item = &str> {
        self.lines
            .keys()
            .chain(&self.sometimes)
            .map(String::as_str)
            .filter(|title| !title.ends_with('*'))
    }
}

/// `v1`, `v2` or `hybrid`.
#[must_use]
pub fn cgroup_kind() -> &'static str {
    if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        return "v2";
    }
    if Path::new("/sys/fs/cgroup/unified/cgroup.controllers").exists() { "hybrid" } else { "v1" }
}

//! `cargo xtask tidy`: the house rules that clippy cannot check. Each rule names every fault.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::output::{self, Style};
use crate::policy;
use crate::repo::{self, Repo};

/// A file of Rust has at most this many lines, tests at its end not counted.
const LINES: usize = 400;

/// Finds the faults against one rule.
type Rule = fn(&Tree) -> Result<Vec<String>>;

/// Prints every fault.
///
/// # Errors
/// None so far.
pub fn run(repo: &Repo) -> Result<ExitCode> {
    let mut is_clean = true;
    for (rule, faults) in faults(repo) {
        let word = if faults.is_empty() {
            output::paint(Style::Green, "ok")
        } else {
            is_clean = false;
            output::paint(Style::Red, "FAILED")
        };
        output::line(&format!("{rule} ... {word}"));
        faults.iter().for_each(|fault| output::line(&format!("  {fault}")));
    }
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every rule's name and the faults against it.
pub fn faults(repo: &Repo) -> Vec<(&'static str, Vec<String>)> {
    let rules: [(&str, Rule); 8] = [
        ("files are short", short_files),
        ("steps open nothing by path", steps_without_paths),
        ("nothing is left to do", nothing_left),
        ("the map names every room", rooms_in_map),
        ("the map names no file that is not there", map_is_true),
        ("the map names every dependency", dependencies_in_map),
        ("the changelog knows this version", version_in_changelog),
        ("every kernel feature has a test", kernel_rows_have_tests),
    ];
    let policy = policy::faults(repo).unwrap_or_else(|error| vec![format!("{error:#}")]);
    let policy = ("dependencies are as deny.toml wants them", policy);
    match Tree::read(repo) {
        Ok(tree) => rules
            .into_iter()
            .map(|(name, rule)| {
                let faults = rule(&tree).unwrap_or_else(|error| vec![format!("{error:#}")]);
                (name, faults)
            })
            .chain([policy])
            .collect(),
        Err(error) => vec![("the tree can be read", vec![format!("{error:#}")])],
    }
}

/// The repository's files: what git knows, or would know after `git add`.
struct Tree {
    root: PathBuf,
    files: Vec<String>,
}

impl Tree {
    fn read(repo: &Repo) -> Result<Self> {
        let mut git = repo.command("git");
        // A clone that belongs to someone else than the user (CI) is read all the same.
        git.args(["-c", "safe.directory=*", "ls-files", "--cached", "--others"]);
        let listed = repo::output(git.arg("--exclude-standard"));
        let files = match listed {
            Ok(text) => text.lines().map(str::to_owned).collect(),
            Err(_) => walk(&repo.root)?,
        };
        let root = repo.root.clone();
        let files = files.into_iter().filter(|file| root.join(file).is_file()).collect();
        Ok(Self { root, files })
    }

    fn text(&self, file: &str) -> Result<String> {
        fs::read_to_string(self.root.join(file)).with_context(|| file.to_owned())
    }

    fn rust(&self) -> impl Iterator<Item = &String> {
        let is_rust =
            |file: &&String| Path::new(file.as_str()).extension().is_some_and(|e| e == "rs");
        self.files.iter().filter(is_rust)
    }

    /// Faults of every line of Rust that the rule finds one in.
    fn lines(&self, rule: impl Fn(&str, &str) -> bool) -> Result<Vec<String>> {
        let mut faults = Vec::new();
        for file in self.rust() {
            for (number, line) in self.text(file)?.lines().enumerate() {
                if rule(file, line) {
                    faults.push(format!("{file}:{}: {}", number + 1, line.trim()));
                }
            }
        }
        Ok(faults)
    }
}

/// Without git: every file outside of build output and hidden directories.
fn walk(root: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    let mut dirs = vec![root.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            let name = entry.file_name();
            if entry.file_type()?.is_dir() {
                let is_ours = name != "target" && !name.to_string_lossy().starts_with('.');
                dirs.extend(is_ours.then(|| entry.path()));
            } else if let Ok(file) = entry.path().strip_prefix(root) {
                files.push(file.to_string_lossy().into_owned());
            }
        }
    }
    Ok(files)
}

fn short_files(tree: &Tree) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for file in tree.rust() {
        let text = tree.text(file)?;
        let own = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
        if own > LINES {
            faults.push(format!("{file}: {own} lines, at most {LINES}"));
        }
    }
    Ok(faults)
}

fn steps_without_paths(tree: &Tree) -> Result<Vec<String>> {
    tree.lines(|file, line| {
        file.starts_with("crates/creel-container/src/step/")
            && ["std::fs", "std::path"].iter().any(|name| line.contains(name))
    })
}

fn nothing_left(tree: &Tree) -> Result<Vec<String>> {
    // In two parts, so that this file does not find itself.
    let words = [concat!("FIX", "ME"), concat!("to", "do!("), concat!("unimplemented", "!(")];
    let ignored = concat!("#[igno", "re");
    tree.lines(|_, line| words.iter().any(|word| line.contains(word)) || line.contains(ignored))
}

/// Crates, and the modules that a crate's root declares.
fn rooms_in_map(tree: &Tree) -> Result<Vec<String>> {
    let map = tree.text("ARCHITECTURE.md")?;
    let mut faults = Vec::new();
    for manifest in tree.files.iter().filter(|file| file.ends_with("/Cargo.toml")) {
        let dir = manifest.trim_end_matches("/Cargo.toml");
        let name = dir.rsplit('/').next().unwrap_or(dir);
        if !map.contains(name) {
            faults.push(format!("ARCHITECTURE.md does not name the crate {dir}"));
        }
        if !dir.starts_with("crates/") {
            continue;
        }
        for module in modules(tree, &format!("{dir}/src")) {
            if ![".rs", "/"].iter().any(|end| map.contains(&format!("{module}{end}"))) {
                faults.push(format!("ARCHITECTURE.md does not name {module} of {dir}"));
            }
        }
    }
    Ok(faults)
}

/// Names of the files and directories of modules directly in a source directory.
fn modules(tree: &Tree, dir: &str) -> Vec<String> {
    let mut names: Vec<String> = tree
        .rust()
        .filter_map(|file| file.strip_prefix(dir)?.strip_prefix('/'))
        .map(|rest| rest.split_once('/').map_or(rest, |(dir, _)| dir))
        .map(|name| name.trim_end_matches(".rs").to_owned())
        .filter(|name| !["lib", "main", "tests"].contains(&name.as_str()))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Every `path/like/this` and `name.rs` between backticks exists.
fn map_is_true(tree: &Tree) -> Result<Vec<String>> {
    let map = tree.text("ARCHITECTURE.md")?;
    let quoted = map.split('`').skip(1).step_by(2);
    let is_file = |word: &&str| {
        [".rs", ".md", ".toml", ".txt"].iter().any(|end| word.ends_with(end))
            && word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
    };
    let is_there = |word: &str| {
        tree.files.iter().any(|file| {
            file.strip_suffix(word).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
        })
    };
    let missing = quoted.filter(is_file).filter(|word| !is_there(word));
    Ok(missing.map(|word| format!("ARCHITECTURE.md names {word}")).collect())
}

fn dependencies_in_map(tree: &Tree) -> Result<Vec<String>> {
    let map = tree.text("ARCHITECTURE.md")?;
    let manifest = tree.text("Cargo.toml")?;
    let section = manifest.split("[workspace.dependencies]").nth(1).unwrap_or_default();
    let names = section
        .lines()
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(['=', '.']).map(|(name, _)| name.trim()))
        .filter(|name| !name.starts_with('#'));
    let missing = names.filter(|name| !map.contains(&format!("`{name}`")));
    Ok(missing.map(|name| format!("ARCHITECTURE.md does not name the dependency {name}")).collect())
}

fn version_in_changelog(tree: &Tree) -> Result<Vec<String>> {
    let manifest = tree.text("Cargo.toml")?;
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
        .context("Cargo.toml has no version")?;
    let is_known = tree.text("CHANGELOG.md")?.contains(&format!("## [{version}]"));
    let mut faults = Vec::new();
    if !is_known {
        faults.push(format!("CHANGELOG.md has no heading [{version}]"));
    }
    for file in ["LICENSE", "README.md", "CONTRIBUTING.md", "deny.toml"] {
        if !tree.files.iter().any(|known| known == file) {
            faults.push(format!("there is no {file}"));
        }
    }
    Ok(faults)
}

/// Rows of `docs/kernel.md` and `docs/cve.md` end with the names of their tests.
fn kernel_rows_have_tests(tree: &Tree) -> Result<Vec<String>> {
    let mut sources = String::new();
    for file in tree.rust() {
        sources.push_str(&tree.text(file)?);
    }
    let mut faults = Vec::new();
    for file in ["docs/kernel.md", "docs/cve.md"] {
        if !tree.files.iter().any(|known| known == file) {
            continue;
        }
        let text = tree.text(file)?;
        let rows = text.lines().filter(|line| line.starts_with('|')).skip(2);
        for row in rows {
            let last = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
            let tests: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
            if tests.is_empty() {
                faults.push(format!("{file} names no test: {row}"));
            }
            let is_known =
                |test: &&&str| sources.contains(test.rsplit("::").next().unwrap_or(test));
            let unknown = tests.iter().filter(|test| !is_known(test));
            faults.extend(unknown.map(|test| format!("{file} names {test}, which is nowhere")));
        }
    }
    Ok(faults)
}

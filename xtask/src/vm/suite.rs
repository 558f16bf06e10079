//! Suites in the machine: their programs on a small disk, one after another in one boot.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::image;
use crate::build;
use crate::repo::Repo;

/// The script's exit codes when no machine could be started, and when the time was not enough.
pub const NOT_ITS_FAULT: [i32; 2] = [125, 124];
/// How much longer than here anything may take in the machine. Every instruction is emulated.
const PACE: &str = "TEST_PACE=2";
/// The lists that the runners read.
const LISTS: [&str; 4] = [
    "tests/allowed-skips.txt",
    "tests/conformance/expected",
    "tests/engines/expected",
    "tests/engines/in-vm.txt",
];

/// A suite and the arguments of its runner.
#[derive(Clone, Debug)]
pub struct Part {
    /// `conformance` or `engines`.
    pub suite: &'static str,
    /// `--runtime` is creel unless it is among these.
    pub arguments: Vec<String>,
}

/// The command that runs suites in the machine, ended after the limit of seconds.
///
/// # Errors
/// When a build fails.
pub fn command(repo: &Repo, parts: &[Part], limit: u64) -> Result<Command> {
    let disk = repo.target.join("vm-suite");
    fill(repo, &disk)?;
    let mut command = image::script(repo);
    command.args(["run", "--timeout", &limit.to_string(), "--boot-timeout", "240"]);
    command.args(["--env", PACE, "--disk"]).arg(&disk);
    command.args(["--", "bash", "-c", &guest_script(&repo.root, &disk, parts)]);
    Ok(command)
}

/// One directory with all programs and lists.
fn fill(repo: &Repo, disk: &Path) -> Result<()> {
    if disk.exists() {
        fs::remove_dir_all(disk).with_context(|| disk.display().to_string())?;
    }
    fs::create_dir_all(disk)?;
    place(&build::creel(repo)?, &disk.join("creel"))?;
    let programs = build::suites(repo)?;
    for (name, target) in
        [("conformance", "conformance"), ("engines", "engines"), ("checker", "checker-static")]
    {
        place(&programs.join(name), &disk.join(target))?;
    }
    for list in LISTS {
        place(&repo.root.join(list), &disk.join(list))?;
    }
    Ok(())
}

/// The lists are put where the runners look for them: where the sources were that they were built from.
fn guest_script(sources: &Path, disk: &Path, parts: &[Part]) -> String {
    let (tests, disk) = (quoted(&sources.join("tests")), quoted(disk));
    let mut script = format!("mkdir -p {tests} && mount --bind {disk}/tests {tests} || exit 2\n");
    script.push_str("code=0\n");
    for part in parts {
        let _infallible = write!(script, "{disk}/{}", part.suite);
        if !part.arguments.iter().any(|word| word.starts_with("--runtime")) {
            let _infallible = write!(script, " --runtime {disk}/creel");
        }
        for word in &part.arguments {
            let _infallible = write!(script, " {}", quoted(Path::new(word)));
        }
        script.push_str(" || code=1\n");
    }
    script + "exit $code\n"
}

/// A word of the shell.
fn quoted(word: &Path) -> String {
    format!("'{}'", word.display().to_string().replace('\'', r"'\''"))
}

/// Copies a program, or a directory of files.
fn place(source: &Path, target: &Path) -> Result<()> {
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    if source.is_dir() {
        for entry in fs::read_dir(source)? {
            let entry = entry?;
            place(&entry.path(), &target.join(entry.file_name()))?;
        }
        return Ok(());
    }
    fs::copy(source, target).with_context(|| source.display().to_string())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_reach_the_guest_as_they_are() {
        let part = Part { suite: "engines", arguments: vec!["--filter".into(), "it's $x".into()] };
        let script = guest_script(Path::new("/src"), Path::new("/disk"), &[part]);
        assert!(
            script.contains(r"'/disk'/engines --runtime '/disk'/creel '--filter' 'it'\''s $x'")
        );
    }
}

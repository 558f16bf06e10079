//! `cargo xtask man`: manual pages and shell completions, from the definitions of the command line.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::output;
use crate::repo::Repo;

/// Arguments of the task.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the files go, instead of man/ in cargo's target directory
    dir: Option<PathBuf>,
}

/// Writes the files and prints their paths.
///
/// # Errors
/// When a file cannot be written.
pub fn run(repo: &Repo, args: &Args) -> Result<ExitCode> {
    let dir = args.dir.clone().unwrap_or_else(|| repo.target.join("man"));
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    for (name, text) in files()? {
        let path = dir.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        output::line(&path.display().to_string());
    }
    Ok(ExitCode::SUCCESS)
}

/// Names and contents of all files.
fn files() -> Result<Vec<(String, Vec<u8>)>> {
    let mut definition = creel_cli::definition().disable_help_subcommand(true);
    definition.build();
    let mut files = vec![page(&definition)?];
    for command in definition.get_subcommands() {
        files.push(page(command)?);
    }
    for (shell, name) in
        [(Shell::Bash, "creel.bash"), (Shell::Fish, "creel.fish"), (Shell::Zsh, "_creel")]
    {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut definition, "creel", &mut text);
        files.push((name.to_owned(), text));
    }
    Ok(files)
}

/// A page of section 8, where the manuals of other runtimes are.
fn page(command: &clap::Command) -> Result<(String, Vec<u8>)> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .section("8")
        .source(concat!("creel ", env!("CARGO_PKG_VERSION")))
        .manual("creel");
    let mut text = Vec::new();
    man.render(&mut text).with_context(|| format!("cannot render the page of {name}"))?;
    Ok((man.get_filename(), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_that_names_its_options() {
        let files = files().unwrap();
        let text = |name: &str| {
            let (_, text) = files.iter().find(|(have, _)| have == name).expect(name);
            std::str::from_utf8(text).unwrap()
        };
        assert!(text("creel.8").contains(r"creel\-exec(8)"));
        assert!(text("creel-exec.8").contains(r"\-\-ignore\-paused"));
        for command in creel_cli::definition().get_subcommands() {
            let page = text(&format!("creel-{}.8", command.get_name())).to_owned();
            assert!(page.contains(".SH DESCRIPTION"), "{page}");
            for shell in ["creel.bash", "creel.fish", "_creel"] {
                assert!(text(shell).contains(command.get_name()), "{shell}");
            }
        }
    }
}

//! Builds the static checker, or finds it beside the runner.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The directory of the workspace's sources.
#[must_use]
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// The static checker: `checker-static` beside the running program, else built by cargo.
///
/// # Errors
/// If it cannot be built.
pub fn checker() -> anyhow::Result<PathBuf> {
    let runner = std::env::current_exe()?;
    let beside = runner.with_file_name("checker-static");
    if beside.is_file() {
        return Ok(beside);
    }
    // Programs are in a directory of their profile, tests in `deps` below it.
    let depth = 2 + usize::from(runner.parent().is_some_and(|it| it.ends_with("deps")));
    let target = runner.ancestors().nth(depth).context("the runner is in no target directory")?;
    let target = target.join("checker");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "checker", "--target", TARGET, "--target-dir"])
        .arg(&target)
        .args(["--config", "profile.dev.debug=false", "--config", "profile.dev.opt-level=1"])
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .current_dir(workspace())
        .status()
        .context("run cargo to build the checker")?;
    if !status.success() {
        bail!("the checker does not build");
    }
    Ok(target.join(TARGET).join("debug/checker"))
}

//! `cargo xtask build`: the release binary, static and without what it does not need.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};

use crate::output;
use crate::repo::{self, Repo};

/// Flags of every static program here. `+crt-static` needs an explicit `--target`, otherwise it
/// breaks proc-macros. A fixed address saves the relocations that a static binary applies to
/// itself at each start.
const STATIC: &str = "-C target-feature=+crt-static -C relocation-model=static \
    -C force-unwind-tables=no -C link-arg=-Wl,--build-id=none";

/// Builds and prints the path alone, for scripts.
///
/// # Errors
/// When the build fails.
pub fn run(repo: &Repo) -> Result<ExitCode> {
    output::line(&creel(repo)?.display().to_string());
    Ok(ExitCode::SUCCESS)
}

/// Builds the release binary.
///
/// # Errors
/// When the build fails.
pub fn creel(repo: &Repo) -> Result<PathBuf> {
    let program = static_program(repo, "creel")?;
    let bytes = std::fs::read(&program)?;
    let has_points = bytes.windows(KILL_POINT.len()).any(|window| window == KILL_POINT);
    ensure!(!has_points, "{} has the kill points of tests", program.display());
    Ok(program)
}

/// What a build with the feature `kill-points` reads; no release may.
const KILL_POINT: &[u8] = b"CREEL_KILL_AT";

/// Builds a package's program, optimised and static.
///
/// # Errors
/// When the build fails, or leaves no program behind.
pub fn static_program(repo: &Repo, package: &str) -> Result<PathBuf> {
    let mut cargo = repo.cargo();
    cargo.args(["build", "--release", "--package", package, "--target", &repo.triple]);
    cargo.args(quiet());
    // Both would add to the flags or replace them.
    cargo.env("RUSTFLAGS", STATIC).env_remove("CARGO_ENCODED_RUSTFLAGS");
    repo::run(&mut cargo)?;
    let program = repo.target.join(&repo.triple).join("release").join(package);
    ensure!(program.exists(), "the build left no {}", program.display());
    Ok(program)
}

/// Builds a package's program as tests use it: quickly, with debug assertions.
///
/// # Errors
/// When the build fails, or leaves no program behind.
pub fn test_program(repo: &Repo, package: &str) -> Result<PathBuf> {
    let mut cargo = repo.cargo();
    cargo.args(["build", "--package", package]).args(quiet());
    repo::run(&mut cargo)?;
    let program = repo.target.join("debug").join(package);
    ensure!(program.exists(), "the build left no {}", program.display());
    Ok(program)
}

/// Cargo's progress is for people.
fn quiet() -> Option<&'static str> {
    (!std::io::stderr().is_terminal()).then_some("--quiet")
}

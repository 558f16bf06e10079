//! `cargo xtask build`: the release binary, static and without what it does not need.

use std::hash::Hasher;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Result, ensure};

use crate::repo::{self, Repo};
use crate::{link_order, output};

/// Flags of every static program here. `+crt-static` needs an explicit `--target`, otherwise it
/// breaks proc-macros. A fixed address saves the relocations that a static binary applies to
/// itself at each start. Names of functions without a hash of their own can be listed for the linker.
const STATIC: &str = "-C target-feature=+crt-static -C relocation-model=static \
    -C force-unwind-tables=no -C link-arg=-Wl,--build-id=none -C symbol-mangling-version=v0";

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
    let program = ordered(repo, "strip=symbols")?;
    let bytes = std::fs::read(&program)?;
    for (word, what) in FOR_TESTS {
        let has_it = bytes.windows(word.len()).any(|window| window == word.as_bytes());
        ensure!(!has_it, "{} has the {what} of tests", program.display());
    }
    Ok(program)
}

/// Variables that a build with one of the features for tests reads, and what it has; no release may.
const FOR_TESTS: [(&str, &str); 2] =
    [("CREEL_KILL_AT", "kill points"), ("CREEL_WITHOUT", "weak points")];

/// Builds the release binary with the names of its functions.
///
/// # Errors
/// When the build fails.
pub fn with_symbols(repo: &Repo) -> Result<PathBuf> {
    let program = ordered(repo, "strip=none")?;
    let copy = repo.target.join("creel-with-symbols");
    std::fs::copy(program, &copy)?;
    Ok(copy)
}

/// Builds the release binary with what a `run` needs side by side: see [`mod@link_order`].
fn ordered(repo: &Repo, strip: &str) -> Result<PathBuf> {
    let mut cargo = repo.cargo();
    cargo.args(["rustc", "--release", "--package", "creel", "--bin", "creel"]);
    cargo.args(["--target", &repo.triple]).args(quiet()).args(["--", "-C", strip]);
    // Elsewhere the toolchain's linker does not know the option.
    if repo.triple == "x86_64-unknown-linux-gnu" {
        let order = order_file(repo)?;
        cargo.args(["-C", "link-arg=-Wl,--no-warn-symbol-ordering", "-C"]);
        cargo.arg(format!("link-arg=-Wl,--symbol-ordering-file={}", order.display()));
    }
    build_static(repo, &mut cargo, "creel")
}

/// The linker's list under a name of its contents, so that a changed one makes cargo link again.
fn order_file(repo: &Repo) -> Result<PathBuf> {
    let text = std::fs::read(repo.root.join(link_order::FILE))?;
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write(&text);
    let copy = repo.target.join(format!("link-order-{:016x}.txt", hasher.finish()));
    std::fs::write(&copy, text)?;
    Ok(copy)
}

/// Builds a package's program, optimised and static.
///
/// # Errors
/// When the build fails, or leaves no program behind.
pub fn static_program(repo: &Repo, package: &str) -> Result<PathBuf> {
    let mut cargo = repo.cargo();
    cargo.args(["build", "--release", "--package", package, "--target", &repo.triple]);
    cargo.args(quiet());
    build_static(repo, &mut cargo, package)
}

/// Builds the suites and their checker, optimised and static, for a machine that has neither the toolchain nor this
/// one's libraries. Returns the directory of the programs.
///
/// # Errors
/// When the build fails.
pub fn suites(repo: &Repo) -> Result<PathBuf> {
    let mut cargo = repo.cargo();
    cargo.args(["build", "--profile", "suite", "--target", &repo.triple]).args(quiet());
    for package in ["conformance", "engines", "checker"] {
        cargo.args(["--package", package]);
    }
    // A panic is caught and reported here, which needs the tables that the product is built without.
    cargo.env("RUSTFLAGS", "-C target-feature=+crt-static -C relocation-model=static");
    cargo.env_remove("CARGO_ENCODED_RUSTFLAGS");
    repo::run(&mut cargo)?;
    Ok(repo.target.join(&repo.triple).join("suite"))
}

fn build_static(repo: &Repo, cargo: &mut Command, package: &str) -> Result<PathBuf> {
    // Both would add to the flags or replace them.
    cargo.env("RUSTFLAGS", STATIC).env_remove("CARGO_ENCODED_RUSTFLAGS");
    repo::run(cargo)?;
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

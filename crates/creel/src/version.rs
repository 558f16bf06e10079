//! `creel --version`, in the shape that dockerd and podman read.

#![expect(clippy::print_stdout, reason = "the answer")]

use std::process::ExitCode;

/// The version of the runtime specification that creel implements.
pub(crate) const SPEC: &str = "1.3.0";

/// Name and version, commit, specification.
pub(crate) fn print() -> ExitCode {
    let commit = option_env!("CREEL_COMMIT").unwrap_or("unknown");
    println!("creel version {}", env!("CARGO_PKG_VERSION"));
    println!("commit: {commit}");
    println!("spec: {SPEC}");
    ExitCode::SUCCESS
}

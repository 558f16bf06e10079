//! `creel --version`, in the shape that dockerd and podman read.

#![expect(clippy::print_stdout, reason = "the answer")]

use creel_container::OCI_VERSION;

use crate::exit::ExitCode;

/// Name and version, commit, specification.
pub(crate) fn print() -> ExitCode {
    let commit = option_env!("CREEL_COMMIT").unwrap_or("unknown");
    println!("creel version {}", env!("CARGO_PKG_VERSION"));
    println!("commit: {commit}");
    println!("spec: {OCI_VERSION}");
    ExitCode::SUCCESS
}

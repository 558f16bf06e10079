//! Real container engines, driven through any runtime: what a user types, and what he sees.
//!
//! Each case has an engine of its own: daemons, stores, sockets and cgroups, in a process and a mount
//! namespace which end with the case. Most cases are rows of tables.
#![expect(
    clippy::indexing_slicing,
    reason = "an absent member of a JSON value is null, which no test takes for right"
)]

mod buildah;
mod containerd;
mod image;
mod podman;
mod row;
mod sandbox;

use std::io::Write;
use std::process::ExitCode;

use harness::Cases;

fn register(cases: &mut Cases) {
    podman::register(cases);
    containerd::register(cases);
    buildah::register(cases);
    for case in &mut cases.list {
        case.limit(100);
    }
}

fn main() -> ExitCode {
    let is_worker = std::env::args().nth(1).is_some_and(|word| word == "--worker");
    if is_worker && !sandbox::is_inside() {
        let error = sandbox::enter();
        let _nobody_to_tell = writeln!(std::io::stderr(), "{error:#}");
        return ExitCode::from(2);
    }
    if !is_worker && rustix::process::geteuid().is_root() {
        sandbox::sweep();
    }
    harness::cli::suite("engines", register)
}

//! The OCI runtime specification, and what engines rely on besides, as tests of any runtime binary.
//!
//! One file a section; `docs/testing.md` says how to add a case.
#![expect(
    clippy::indexing_slicing,
    reason = "an absent member of a JSON value is null, which no test takes for right"
)]
#![expect(
    clippy::too_many_lines,
    reason = "the registration of a section is the list of its cases"
)]

mod annotations;
mod apparmor;
mod apparmor_procfs;
mod bad_fields;
mod bad_input;
mod cgroups;
mod commands;
mod control;
mod credentials;
mod devices;
mod events;
mod exec;
mod exec_cgroups;
mod exec_hostile;
mod exec_joins;
mod exec_words;
mod features;
mod flags;
mod foreground;
mod frozen;
mod hooks;
mod hostname;
mod idmap;
mod kills;
mod lifecycle;
mod limits;
mod mount_options;
mod mounts;
mod namespaces;
mod paths;
mod process;
mod resources;
mod root;
mod run_commands;
mod scheduling;
mod screen;
mod seccomp;
mod seccomp_invalid;
mod seccomp_notify;
mod selinux;
mod service;
mod soak;
mod spec_command;
mod state;
mod strangers;
mod streams;
mod terminals;
mod tmux;
mod user_namespaces;

use std::process::ExitCode;

use harness::Cases;

fn register(cases: &mut Cases) {
    lifecycle::register(cases);
    state::register(cases);
    root::register(cases);
    process::register(cases);
    limits::register(cases);
    hostname::register(cases);
    mounts::register(cases);
    mount_options::register(cases);
    namespaces::register(cases);
    devices::register(cases);
    paths::register(cases);
    cgroups::register(cases);
    hooks::register(cases);
    seccomp::register(cases);
    seccomp_invalid::register(cases);
    seccomp_notify::register(cases);
    commands::register(cases);
    run_commands::register(cases);
    spec_command::register(cases);
    scheduling::register(cases);
    control::register(cases);
    features::register(cases);
    streams::register(cases);
    idmap::register(cases);
    resources::register(cases);
    flags::register(cases);
    user_namespaces::register(cases);
    annotations::register(cases);
    events::register(cases);
    kills::register(cases);
    bad_input::register(cases);
    bad_fields::register(cases);
    exec::register(cases);
    exec_words::register(cases);
    exec_joins::register(cases);
    exec_hostile::register(cases);
    exec_cgroups::register(cases);
    frozen::register(cases);
    credentials::register(cases);
    terminals::register(cases);
    foreground::register(cases);
    tmux::register(cases);
    soak::register(cases);
    apparmor::register(cases);
    apparmor_procfs::register(cases);
    selinux::register(cases);
    service::register(cases);
}

fn main() -> ExitCode {
    harness::cli::main(register)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_case_is_passed_by_another_runtime_or_no_peer_txt_says_why_not() {
        let mut cases = harness::Cases::default();
        super::register(&mut cases);
        let found = harness::proof::compare(&cases).expect("the lists can be read");
        assert!(found.faults.is_empty(), "{}", found.faults.join("\n"));
    }

    #[test]
    fn every_feature_has_a_case_or_a_reason_why_not() {
        let mut cases = harness::Cases::default();
        super::register(&mut cases);
        let found = harness::coverage::compare(&cases).expect("the lists can be read");
        assert!(found.faults.is_empty(), "{}", found.faults.join("\n"));
    }
}

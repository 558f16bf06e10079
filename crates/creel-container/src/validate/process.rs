//! Rules for `process`.

use super::{Faults, fault, quoted};
use crate::bundle::Process;
use crate::error::ConfigError;
use crate::pointer::Pointer;

/// `process.args` has at least one entry (config.md#process).
pub(super) fn arguments(process: &Process, faults: &mut Faults) {
    if process.args.as_ref().is_none_or(Vec::is_empty) {
        faults.push(fault("process.args", "expected at least one argument", "none"));
    }
}

/// `process.cwd` is an absolute path (config.md#process).
pub(super) fn working_directory(process: &Process, faults: &mut Faults) {
    if !process.cwd.is_absolute() {
        faults.push(fault("process.cwd", "expected an absolute path", quoted(&process.cwd)));
    }
}

/// `process.consoleSize` fits the kernel's `struct winsize` (config.md#process); without a terminal it is ignored.
pub(super) fn console_size(process: &Process, faults: &mut Faults) {
    let Some(size) = process.console_size.filter(|_| process.terminal) else { return };
    for (name, value) in [("height", size.height()), ("width", size.width())] {
        if u16::try_from(value).is_err() {
            let at = Pointer::new("process.consoleSize").field(name);
            faults.push(ConfigError::new(at, "expected at most 65535", value.to_string()));
        }
    }
}

/// `process.user`: ids the kernel takes, a umask of permission bits; `username` is for Windows
/// (config.md#posix-platform-user).
pub(super) fn user(process: &Process, faults: &mut Faults) {
    let user = &process.user;
    // The kernel reads -1 as "leave it as it is".
    let mut refuse_minus_one = |at: Pointer, id: u32| {
        if id == u32::MAX {
            faults.push(ConfigError::new(at, "expected an id below 4294967295", id.to_string()));
        }
    };
    refuse_minus_one(Pointer::new("process.user.uid"), user.uid());
    refuse_minus_one(Pointer::new("process.user.gid"), user.gid());
    for (i, gid) in user.additional_gids().iter().flatten().enumerate() {
        refuse_minus_one(Pointer::item("process.user.additionalGids", i), *gid);
    }
    if let Some(umask) = user.umask().filter(|umask| *umask > 0o777) {
        faults.push(fault("process.user.umask", "expected at most 511 (0777)", umask.to_string()));
    }
    if let Some(name) = user.username().as_deref().filter(|name| !name.is_empty()) {
        faults.push(fault(
            "process.user.username",
            "expected uid and gid, as on Linux",
            format!("{name:?}"),
        ));
    }
}

/// `process.rlimits`: no type twice, soft at most hard (config.md#posix-process, `setrlimit(2)`).
pub(super) fn rlimits(process: &Process, faults: &mut Faults) {
    let limits = process.rlimits.as_deref().unwrap_or_default();
    for (i, limit) in limits.iter().enumerate() {
        let at = Pointer::item("process.rlimits", i);
        if limits.iter().take(i).any(|earlier| earlier.typ == limit.typ) {
            faults.push(ConfigError::new(
                at.field("type"),
                "expected each type once",
                limit.typ.to_string(),
            ));
        }
        if limit.soft > limit.hard {
            let expected = format!("expected at most the hard limit {}", limit.hard);
            faults.push(ConfigError::new(at.field("soft"), expected, limit.soft.to_string()));
        }
    }
}

/// `process.oomScoreAdj`: -1000 to 1000 (config.md#linux-process, `proc_pid_oom_score_adj(5)`).
pub(super) fn oom_score_adj(process: &Process, faults: &mut Faults) {
    if let Some(value) = process.oom_score_adj.filter(|value| !(-1000..=1000).contains(value)) {
        faults.push(fault("process.oomScoreAdj", "expected -1000 to 1000", value.to_string()));
    }
}

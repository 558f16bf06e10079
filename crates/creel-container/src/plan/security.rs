//! What hides and what binds: masks, labels, the seccomp filter.

use std::os::unix::ffi::OsStrExt;

use super::SeccompListener;
use super::compiler::Compiler;
use crate::pointer::Pointer;
use crate::step::{AppArmor, LoadSeccomp, Mask, ReadonlyPath, Selinux, Step};

/// `linux.maskedPaths`.
pub(super) fn masked_paths(c: &mut Compiler<'_>) {
    let paths = c.linux.and_then(|linux| linux.masked_paths().as_deref()).unwrap_or_default();
    for (i, path) in paths.iter().enumerate() {
        let at = Pointer::item("linux.maskedPaths", i);
        let path = c.text(&at, path.as_str());
        c.step(at, Step::Mask(Mask { path }));
    }
}

/// `linux.readonlyPaths`.
pub(super) fn readonly_paths(c: &mut Compiler<'_>) {
    let paths = c.linux.and_then(|linux| linux.readonly_paths().as_deref()).unwrap_or_default();
    for (i, path) in paths.iter().enumerate() {
        let at = Pointer::item("linux.readonlyPaths", i);
        let path = c.text(&at, path.as_str());
        c.step(at, Step::ReadonlyPath(ReadonlyPath { path }));
    }
}

/// `process.apparmorProfile` and `process.selinuxLabel`, which the kernel applies at the exec.
pub(super) fn labels(c: &mut Compiler<'_>, apparmor: Option<&str>, selinux: Option<&str>) {
    if let Some(profile) = apparmor.filter(|profile| !profile.is_empty()) {
        let at = Pointer::new("process.apparmorProfile");
        if c.host.apparmor {
            let profile = c.text(&at, profile);
            c.step(at, Step::AppArmor(AppArmor { profile }));
        } else if profile != "unconfined" {
            c.refuse(at, "AppArmor is not enabled on this host");
        }
    }
    if let Some(label) = selinux.filter(|label| !label.is_empty()) {
        let at = Pointer::new("process.selinuxLabel");
        if c.host.selinux {
            let label = c.text(&at, label);
            c.step(at, Step::Selinux(Selinux { label }));
        } else {
            c.refuse(at, "SELinux is not enabled on this host");
        }
    }
}

/// `linux.seccomp`, compiled.
pub(super) fn seccomp(c: &mut Compiler<'_>) {
    let Some(seccomp) = c.linux.and_then(|linux| linux.seccomp().as_ref()) else { return };
    let at = Pointer::new("linux.seccomp");
    let mut options = creel_seccomp::Options::new(c.host.seccomp);
    options.fail_unknown_syscall =
        annotation(c, "run.oci.seccomp_fail_unknown_syscall") == Some("1");
    let compiled = creel_seccomp::Profile::from_oci(seccomp)
        .and_then(|profile| creel_seccomp::compile(&profile, &options));
    let filter = match compiled {
        Ok(filter) => filter,
        Err(creel_seccomp::Error::Invalid { at: place, expected, found }) => {
            let at = at.field(&place);
            c.faults.push(crate::error::ConfigError::new(
                at,
                format!("expected {expected}"),
                found,
            ));
            return;
        }
        Err(error) => return c.refuse(at, error.to_string()),
    };
    c.plan
        .warnings
        .extend(filter.warnings.iter().map(|warning| format!("linux.seccomp.{warning}")));
    let listener = seccomp.listener_path().as_deref().filter(|path| !path.as_os_str().is_empty());
    if let Some(path) = listener {
        let path = c.text(&at.field("listenerPath"), path.as_os_str().as_bytes());
        let metadata = seccomp.listener_metadata().clone().unwrap_or_default();
        c.plan.seccomp_listener = Some(SeccompListener { path, metadata });
    }
    c.step(at, Step::LoadSeccomp(LoadSeccomp { filter }));
}

pub(super) fn annotation<'a>(c: &Compiler<'a>, key: &str) -> Option<&'a str> {
    c.spec.annotations.as_ref()?.get(key).map(String::as_str)
}

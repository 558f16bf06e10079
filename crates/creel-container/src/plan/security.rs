//! What hides and what binds: masks, labels, the seccomp filter.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use creel_seccomp::{Compiled, Listener, Profile};

use super::SeccompListener;
use super::compiler::Compiler;
use crate::error::ConfigError;
use crate::pointer::Pointer;
use crate::step::{AppArmor, LoadSeccomp, Mask, ReadonlyPath, Selinux, Step};
use crate::validate::{
    SECCOMP_BPF_DATA, SECCOMP_RECEIVER, annotation, annotation_is_on, annotation_place,
};

/// Whether a name that no table knows is an error.
const FAIL_UNKNOWN: &str = "run.oci.seccomp_fail_unknown_syscall";

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

/// The filter: `linux.seccomp` compiled, or the ready program of an annotation.
pub(super) fn seccomp(c: &mut Compiler<'_>) {
    let profile = c.linux.and_then(|linux| linux.seccomp().as_ref());
    let profile = profile.map(Profile::from_oci).transpose();
    let ready = annotation(c.spec, SECCOMP_BPF_DATA);
    let at = match ready {
        Some(_) => annotation_place(SECCOMP_BPF_DATA),
        None => Pointer::new("linux.seccomp"),
    };
    let mut listener_at = Pointer::new("linux.seccomp.listenerPath");
    let filter = profile.and_then(|mut profile| {
        let mut agent = profile.as_mut().and_then(|it| it.listener_path.take());
        if agent.is_none() {
            agent = annotation(c.spec, SECCOMP_RECEIVER).map(PathBuf::from);
            listener_at = annotation_place(SECCOMP_RECEIVER);
        }
        filter(c, ready, profile, agent)
    });
    let filter = match filter {
        Ok(Some(filter)) => filter,
        Ok(None) => return,
        Err(error) => return refused(c, at, error),
    };
    c.plan
        .warnings
        .extend(filter.warnings.iter().map(|warning| format!("linux.seccomp.{warning}")));
    if let Some(listener) = &filter.listener {
        let path = c.text(&listener_at, listener.path.as_os_str().as_bytes());
        let metadata = listener.metadata.clone().unwrap_or_default();
        c.plan.seccomp_listener = Some(SeccompListener { path, metadata, at: listener_at });
    }
    c.step(at, Step::LoadSeccomp(LoadSeccomp { filter }));
}

fn filter(
    c: &Compiler<'_>,
    ready: Option<&str>,
    profile: Option<Profile>,
    agent: Option<PathBuf>,
) -> creel_seccomp::Result<Option<Compiled>> {
    let mut options = creel_seccomp::Options::new(c.host.seccomp);
    options.fail_unknown_syscall = annotation_is_on(c.spec, FAIL_UNKNOWN);
    match (ready, profile) {
        (Some(text), profile) => {
            let metadata = profile.as_ref().and_then(|it| it.listener_metadata.clone());
            let listener = agent.map(|path| Listener { path, metadata });
            let program = creel_seccomp::parse_raw(text)?;
            creel_seccomp::ready(program, profile.as_ref(), listener, &options).map(Some)
        }
        (None, Some(mut profile)) => {
            profile.listener_path = agent;
            match &c.host.filters {
                Some(filters) => filters.get_or_compile(&profile, &options).map(Some),
                None => creel_seccomp::compile(&profile, &options).map(Some),
            }
        }
        (None, None) => Ok(None),
    }
}

fn refused(c: &mut Compiler<'_>, at: Pointer, error: creel_seccomp::Error) {
    if let creel_seccomp::Error::Invalid { at: place, expected, found } = error {
        let at = Pointer::new("linux.seccomp").field(&place);
        c.faults.push(ConfigError::new(at, format!("expected {expected}"), found));
    } else {
        c.refuse(at, error.to_string());
    }
}

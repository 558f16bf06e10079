//! Rules for `annotations`: for all of them, and for those that change what is done.

use super::{Faults, fault};
use crate::bundle::Spec;
use crate::error::ConfigError;
use crate::pointer::Pointer;

/// The socket of a seccomp agent, for a profile that names none.
pub(crate) const SECCOMP_RECEIVER: &str = "run.oci.seccomp.receiver";
/// A ready filter instead of the profile, as base64.
pub(crate) const SECCOMP_BPF_DATA: &str = "run.oci.seccomp_bpf_data";
/// The socket that gets the pidfd of init.
pub(crate) const PIDFD_RECEIVER: &str = "run.oci.pidfd_receiver";
/// Libraries that answer for the filter, in the runtime's own process.
const PLUGINS: &str = "run.oci.seccomp.plugins";

/// The value of an annotation; an empty one asks for nothing.
pub(crate) fn value<'a>(spec: &'a Spec, key: &str) -> Option<&'a str> {
    spec.annotations.as_ref()?.get(key).map(String::as_str).filter(|value| !value.is_empty())
}

/// Whether an annotation asks for something that is on or off: as in crun, any value but `0` does.
pub(crate) fn is_on(spec: &Spec, key: &str) -> bool {
    value(spec, key).is_some_and(|value| value != "0")
}

/// A key of `annotations` is not empty (config.md#annotations).
pub(super) fn keys(spec: &Spec, faults: &mut Faults) {
    if spec.annotations.as_ref().is_some_and(|annotations| annotations.contains_key("")) {
        faults.push(fault("annotations", "expected keys that are not empty", "an empty key"));
    }
}

/// Sockets are named by absolute paths.
pub(super) fn sockets(spec: &Spec, faults: &mut Faults) {
    for key in [SECCOMP_RECEIVER, PIDFD_RECEIVER] {
        if let Some(path) = value(spec, key).filter(|path| !path.starts_with('/')) {
            let found = format!("{path:?}");
            faults.push(ConfigError::new(place(key), "expected an absolute path", found));
        }
    }
}

/// Code of others is not loaded into the runtime.
pub(super) fn plugins(spec: &Spec, faults: &mut Faults) {
    if value(spec, PLUGINS).is_some() {
        let expected = "not supported, an agent listens at linux.seccomp.listenerPath";
        faults.push(ConfigError::new(place(PLUGINS), expected, ""));
    }
}

/// Where an annotation is in the config.
pub(crate) fn place(key: &str) -> Pointer {
    Pointer::new("annotations").field(key)
}

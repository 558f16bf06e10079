//! Rules for `hooks`.

use oci_spec::runtime::{Hook, Hooks};

use super::{Faults, quoted};
use crate::bundle::Spec;
use crate::error::ConfigError;
use crate::pointer::Pointer;

/// The lists of hooks with their pointers, in the order in which they run.
pub(crate) fn lists(hooks: &Hooks) -> [(&'static str, &[Hook]); 6] {
    [
        ("hooks.prestart", hooks.prestart().as_deref().unwrap_or_default()),
        ("hooks.createRuntime", hooks.create_runtime().as_deref().unwrap_or_default()),
        ("hooks.createContainer", hooks.create_container().as_deref().unwrap_or_default()),
        ("hooks.startContainer", hooks.start_container().as_deref().unwrap_or_default()),
        ("hooks.poststart", hooks.poststart().as_deref().unwrap_or_default()),
        ("hooks.poststop", hooks.poststop().as_deref().unwrap_or_default()),
    ]
}

fn each(spec: &Spec) -> impl Iterator<Item = (Pointer, &Hook)> {
    spec.hooks.iter().flat_map(lists).flat_map(|(key, hooks)| {
        hooks.iter().enumerate().map(move |(i, hook)| (Pointer::item(key, i), hook))
    })
}

/// A hook's path is absolute (config.md#posix-platform-hooks).
pub(super) fn paths(spec: &Spec, faults: &mut Faults) {
    for (at, hook) in each(spec) {
        if !hook.path().is_absolute() {
            faults.push(ConfigError::new(
                at.field("path"),
                "expected an absolute path",
                quoted(hook.path()),
            ));
        }
    }
}

/// A hook's timeout, in seconds, is greater than zero (config.md#posix-platform-hooks).
pub(super) fn timeouts(spec: &Spec, faults: &mut Faults) {
    for (at, hook) in each(spec) {
        if let Some(seconds) =
            hook.timeout().filter(|seconds| !(1..=i64::from(u32::MAX)).contains(seconds))
        {
            let expected = "expected a number of seconds greater than zero";
            faults.push(ConfigError::new(at.field("timeout"), expected, seconds.to_string()));
        }
    }
}

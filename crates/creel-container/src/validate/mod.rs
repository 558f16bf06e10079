//! The rules of the specification that can be checked before anything is done, one function each.
//!
//! Every fault of a config is collected: a command reports the first, `creel plan` all of them. A rule looks at the
//! config alone; what depends on the host is decided in `plan`.

mod annotations;
mod hooks;
mod linux;
mod mounts;
mod names;
mod namespaces;
mod process;
mod resources;
mod schedule;
mod top;
mod unsupported;

use std::path::Path;

use oci_spec::runtime::{Linux, LinuxNamespace, LinuxNamespaceType};

use crate::bundle::{Process, Spec};
use crate::error::ConfigError;
use crate::pointer::Pointer;

pub(crate) use annotations::{
    PIDFD_RECEIVER, SECCOMP_BPF_DATA, SECCOMP_RECEIVER, is_on as annotation_is_on,
    place as annotation_place, value as annotation,
};
pub(crate) use hooks::lists as hook_lists;
pub(crate) use mounts::is_bind;
pub(crate) use names::{CAPABILITIES, capability};
pub(crate) use namespaces::{sysctl_file, sysctl_namespace};
pub(crate) use schedule::number_list;

/// The faults found so far.
pub(crate) type Faults = Vec<ConfigError>;

/// Everything that is wrong with `spec`, in the order of the rules.
#[must_use]
pub fn validate(spec: &Spec) -> Vec<ConfigError> {
    let mut faults = Vec::new();
    for rule in RULES {
        rule(spec, &mut faults);
    }
    if let Some(process) = &spec.process {
        faults.append(&mut validate_process(process));
    }
    if let Some(linux) = &spec.linux {
        for rule in LINUX_RULES {
            rule(linux, &mut faults);
        }
    }
    faults
}

/// Everything that is wrong with a process, which may be that of `exec`.
#[must_use]
pub fn validate_process(process: &Process) -> Vec<ConfigError> {
    let mut faults = Vec::new();
    for rule in PROCESS_RULES {
        rule(process, &mut faults);
    }
    faults
}

const RULES: &[fn(&Spec, &mut Faults)] = &[
    top::oci_version,
    top::root,
    top::hostname,
    top::domainname,
    annotations::keys,
    annotations::sockets,
    annotations::plugins,
    unsupported::platforms,
    mounts::destinations,
    mounts::types_and_sources,
    mounts::id_mappings,
    mounts::need_a_namespace,
    hooks::paths,
    hooks::timeouts,
    linux::seccomp_listener,
];

const PROCESS_RULES: &[fn(&Process, &mut Faults)] = &[
    process::arguments,
    process::working_directory,
    process::console_size,
    process::user,
    process::rlimits,
    process::oom_score_adj,
    schedule::scheduler,
    schedule::io_priority,
    schedule::affinity,
];

const LINUX_RULES: &[fn(&Linux, &mut Faults)] = &[
    namespaces::unique,
    namespaces::paths,
    namespaces::id_mappings,
    namespaces::time_offsets,
    namespaces::sysctl,
    linux::masked_paths,
    linux::readonly_paths,
    linux::masks_need_a_namespace,
    linux::rootfs_propagation,
    linux::cgroups_path,
    linux::devices,
    linux::personality,
    linux::memory_policy,
    resources::devices,
    resources::unified,
    unsupported::user_namespace,
    unsupported::intel_rdt,
    unsupported::net_devices,
];

/// A fault at the property `path`.
fn fault(path: &str, expected: impl Into<String>, found: impl Into<String>) -> ConfigError {
    ConfigError::new(Pointer::new(path), expected, found)
}

/// The namespace of this type in the config.
pub(crate) fn namespace(linux: &Linux, typ: LinuxNamespaceType) -> Option<&LinuxNamespace> {
    linux.namespaces().as_ref()?.iter().find(|namespace| namespace.typ() == typ)
}

/// A namespace's path; an empty one asks for nothing.
pub(crate) fn namespace_path(namespace: &LinuxNamespace) -> Option<&Path> {
    namespace.path().as_deref().filter(|path| !path.as_os_str().is_empty())
}

/// A path in quotes, for messages.
fn quoted(path: &Path) -> String {
    format!("{:?}", path.to_string_lossy())
}

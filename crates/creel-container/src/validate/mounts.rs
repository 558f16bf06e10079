//! Rules for `mounts`.

use oci_spec::runtime::{LinuxNamespaceType, Mount};

use super::{Faults, namespace};
use crate::bundle::Spec;
use crate::error::ConfigError;
use crate::pointer::Pointer;

fn each(spec: &Spec) -> impl Iterator<Item = (Pointer, &Mount)> {
    spec.mounts.iter().flatten().enumerate().map(|(i, mount)| (Pointer::item("mounts", i), mount))
}

fn options(mount: &Mount) -> impl Iterator<Item = &str> {
    mount.options().iter().flatten().map(String::as_str)
}

/// Whether a mount shows a piece of the host: by its options, or by the type that engines write beside them.
pub(crate) fn is_bind(mount: &Mount) -> bool {
    options(mount).any(|option| matches!(option, "bind" | "rbind"))
        || matches!(mount.typ().as_deref(), Some("bind" | "rbind"))
}

/// A mount has a destination; a relative one counts from `/` (config.md#mounts).
pub(super) fn destinations(spec: &Spec, faults: &mut Faults) {
    for (at, mount) in each(spec) {
        if mount.destination().as_os_str().is_empty() {
            faults.push(ConfigError::new(
                at.field("destination"),
                "expected a path inside the container",
                "nothing",
            ));
        }
    }
}

/// A mount has a filesystem type, or binds a source, or changes what is there (config.md#posix-platform-mounts).
pub(super) fn types_and_sources(spec: &Spec, faults: &mut Faults) {
    for (at, mount) in each(spec) {
        if is_bind(mount) {
            let source = mount.source().as_ref().filter(|source| !source.as_os_str().is_empty());
            if source.is_none() && !options(mount).any(|option| option == "remount") {
                faults.push(ConfigError::new(
                    at.field("source"),
                    "expected the path to bind",
                    "nothing",
                ));
            }
        } else if mount.typ().as_deref().unwrap_or_default().is_empty()
            && !options(mount).any(|option| option == "remount")
        {
            let expected = "expected a filesystem type, or the option bind";
            faults.push(ConfigError::new(at.field("type"), expected, "nothing"));
        }
    }
}

/// `uidMappings` and `gidMappings` of a mount come together (config.md#posix-platform-mounts); id-mapped mounts are to
/// come.
pub(super) fn id_mappings(spec: &Spec, faults: &mut Faults) {
    for (at, mount) in each(spec) {
        let uids = mount.uid_mappings().as_ref().is_some_and(|list| !list.is_empty());
        let gids = mount.gid_mappings().as_ref().is_some_and(|list| !list.is_empty());
        let asked = options(mount).find(|option| {
            matches!(*option, "idmap" | "ridmap")
                || option.starts_with("idmap=")
                || option.starts_with("ridmap=")
        });
        if uids != gids {
            let expected = "expected uidMappings and gidMappings together";
            faults.push(ConfigError::new(
                at,
                expected,
                if uids { "uidMappings alone" } else { "gidMappings alone" },
            ));
        } else if uids || asked.is_some() {
            let found = asked
                .map_or_else(|| "uidMappings".to_owned(), |option| format!("option {option:?}"));
            faults.push(ConfigError::new(at, "id-mapped mounts: not supported yet", found));
        }
    }
}

/// Mounts are made in a mount namespace of the container's: in the host's they would stay (config-linux.md#namespaces).
pub(super) fn need_a_namespace(spec: &Spec, faults: &mut Faults) {
    let mount_namespace =
        spec.linux.as_ref().and_then(|linux| namespace(linux, LinuxNamespaceType::Mount));
    if mount_namespace.is_none() && spec.mounts.as_ref().is_some_and(|mounts| !mounts.is_empty()) {
        let expected = "a mount namespace in linux.namespaces is needed to mount in it";
        faults.push(ConfigError::new(Pointer::new("mounts"), expected, ""));
    }
}

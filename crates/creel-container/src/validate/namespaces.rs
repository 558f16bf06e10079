//! Rules for namespaces and what belongs to them: mappings, time offsets, kernel parameters.

use oci_spec::runtime::{Linux, LinuxNamespaceType};

use super::{Faults, fault, namespace, namespace_path, quoted};
use crate::error::ConfigError;
use crate::pointer::Pointer;

/// No type twice (config-linux.md#namespaces).
pub(super) fn unique(linux: &Linux, faults: &mut Faults) {
    let list = linux.namespaces().as_deref().unwrap_or_default();
    for (i, one) in list.iter().enumerate() {
        if list.iter().take(i).any(|earlier| earlier.typ() == one.typ()) {
            let at = Pointer::item("linux.namespaces", i).field("type");
            faults.push(ConfigError::new(at, "expected each type once", word(one.typ())));
        }
    }
}

fn word(typ: LinuxNamespaceType) -> &'static str {
    crate::plan::kind(typ).word()
}

/// A namespace's path is absolute (config-linux.md#namespaces).
pub(super) fn paths(linux: &Linux, faults: &mut Faults) {
    for (i, one) in linux.namespaces().iter().flatten().enumerate() {
        if let Some(path) = namespace_path(one).filter(|path| !path.is_absolute()) {
            let at = Pointer::item("linux.namespaces", i).field("path");
            faults.push(ConfigError::new(at, "expected an absolute path", quoted(path)));
        }
    }
}

/// `uidMappings` and `gidMappings` belong to a user namespace (config-linux.md#user-namespace-mappings).
pub(super) fn id_mappings(linux: &Linux, faults: &mut Faults) {
    let user = namespace(linux, LinuxNamespaceType::User).is_some();
    for (key, mappings) in
        [("linux.uidMappings", linux.uid_mappings()), ("linux.gidMappings", linux.gid_mappings())]
    {
        if !user && mappings.as_ref().is_some_and(|mappings| !mappings.is_empty()) {
            faults.push(fault(
                key,
                "a user namespace in linux.namespaces is needed to map ids",
                "",
            ));
        }
    }
}

/// `timeOffsets` belong to a new time namespace (config-linux.md#offset-for-time-namespace).
pub(super) fn time_offsets(linux: &Linux, faults: &mut Faults) {
    let Some(offsets) = linux.time_offsets().as_ref().filter(|offsets| !offsets.is_empty()) else {
        return;
    };
    match namespace(linux, LinuxNamespaceType::Time) {
        None => faults.push(fault(
            "linux.timeOffsets",
            "a time namespace in linux.namespaces is needed",
            "",
        )),
        Some(time) if namespace_path(time).is_some() => {
            let expected = "expected none for a time namespace that is joined by its path";
            faults.push(fault("linux.timeOffsets", expected, ""));
        }
        Some(_) => {}
    }
    let mut clocks: Vec<_> = offsets.iter().collect();
    clocks.sort_by_key(|(clock, _)| *clock);
    for (clock, offset) in clocks {
        let at = Pointer::new("linux.timeOffsets").field(clock);
        if !matches!(clock.as_str(), "monotonic" | "boottime") {
            faults.push(ConfigError::new(
                at,
                "expected monotonic or boottime",
                format!("{clock:?}"),
            ));
        } else if let Some(nanoseconds) = offset.nanosecs().filter(|value| *value >= 1_000_000_000)
        {
            let at = at.field("nanosecs");
            faults.push(ConfigError::new(
                at,
                "expected less than 1000000000",
                nanoseconds.to_string(),
            ));
        }
    }
}

/// A kernel parameter is one of a namespace that the container has: all others are the host's
/// (config-linux.md#sysctl).
pub(super) fn sysctl(linux: &Linux, faults: &mut Faults) {
    let mut keys: Vec<_> = linux.sysctl().iter().flatten().map(|(key, _)| key).collect();
    keys.sort();
    for key in keys {
        let at = Pointer::new("linux.sysctl").field(key);
        let file = sysctl_file(key);
        if file.is_empty() || file.split('/').any(|part| matches!(part, "" | "." | "..")) {
            faults.push(ConfigError::new(at, "expected a key such as net.ipv4.ip_forward", ""));
            continue;
        }
        match sysctl_namespace(&file) {
            None => faults.push(ConfigError::new(
                at,
                "expected a parameter of a namespace, not the host's",
                "",
            )),
            Some(typ) if namespace(linux, typ).is_none() => {
                let typ = word(typ);
                let expected = format!("a namespace of type {typ} is needed to set it");
                faults.push(ConfigError::new(at, expected, ""));
            }
            Some(_) => {}
        }
    }
}

/// The file below `/proc/sys` of a key, as sysctl(8) reads it: the first separator decides, and the other character
/// stands for itself.
pub(crate) fn sysctl_file(key: &str) -> String {
    match key.find(['.', '/']).and_then(|at| key.as_bytes().get(at)) {
        Some(b'.') => key
            .chars()
            .map(|c| match c {
                '.' => '/',
                '/' => '.',
                other => other,
            })
            .collect(),
        Some(_) | None => key.to_owned(),
    }
}

/// The type of namespace that a kernel parameter belongs to.
pub(crate) fn sysctl_namespace(file: &str) -> Option<LinuxNamespaceType> {
    const IPC: [&str; 12] = [
        "kernel/msgmax",
        "kernel/msgmnb",
        "kernel/msgmni",
        "kernel/msg_next_id",
        "kernel/sem",
        "kernel/sem_next_id",
        "kernel/shmall",
        "kernel/shmmax",
        "kernel/shmmni",
        "kernel/shm_next_id",
        "kernel/shm_rmid_forced",
        "kernel/auto_msgmni",
    ];
    match file {
        file if file.starts_with("net/") => Some(LinuxNamespaceType::Network),
        file if file.starts_with("fs/mqueue/") || IPC.contains(&file) => {
            Some(LinuxNamespaceType::Ipc)
        }
        file if file.starts_with("user/") => Some(LinuxNamespaceType::User),
        "kernel/domainname" | "kernel/hostname" => Some(LinuxNamespaceType::Uts),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::sysctl_file;

    #[test]
    fn the_first_separator_decides() {
        for (key, file) in [
            ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
            ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
            ("net.ipv4.conf.eth0/1.forwarding", "net/ipv4/conf/eth0.1/forwarding"),
            ("net/ipv4/conf/eth0.1/forwarding", "net/ipv4/conf/eth0.1/forwarding"),
            ("kernel", "kernel"),
        ] {
            assert_eq!(sysctl_file(key), file, "{key}");
        }
    }
}

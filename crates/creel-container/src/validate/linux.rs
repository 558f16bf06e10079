//! Rules for the rest of `linux`.

use oci_spec::runtime::{
    Linux, LinuxDeviceType, LinuxMemoryPolicy, LinuxNamespaceType, MemoryPolicyFlagType,
    MemoryPolicyModeType,
};

use super::schedule::number_list;
use super::{Faults, SECCOMP_RECEIVER, annotation, fault, namespace, quoted};
use crate::bundle::Spec;
use crate::error::ConfigError;
use crate::pointer::Pointer;

/// Every entry of `linux.maskedPaths` is absolute (config-linux.md#masked-paths).
pub(super) fn masked_paths(linux: &Linux, faults: &mut Faults) {
    absolute("linux.maskedPaths", linux.masked_paths().as_deref(), faults);
}

/// Every entry of `linux.readonlyPaths` is absolute (config-linux.md#readonly-paths).
pub(super) fn readonly_paths(linux: &Linux, faults: &mut Faults) {
    absolute("linux.readonlyPaths", linux.readonly_paths().as_deref(), faults);
}

fn absolute(key: &str, paths: Option<&[String]>, faults: &mut Faults) {
    for (i, path) in paths.unwrap_or_default().iter().enumerate() {
        if !path.starts_with('/') {
            faults.push(ConfigError::new(
                Pointer::item(key, i),
                "expected an absolute path",
                format!("{path:?}"),
            ));
        }
    }
}

/// Masked and read-only paths are mounts: they need a mount namespace of the container's.
pub(super) fn masks_need_a_namespace(linux: &Linux, faults: &mut Faults) {
    if namespace(linux, LinuxNamespaceType::Mount).is_some() {
        return;
    }
    for (key, paths) in [
        ("linux.maskedPaths", linux.masked_paths()),
        ("linux.readonlyPaths", linux.readonly_paths()),
    ] {
        if paths.as_ref().is_some_and(|paths| !paths.is_empty()) {
            faults.push(fault(key, "a mount namespace in linux.namespaces is needed", ""));
        }
    }
}

/// `linux.rootfsPropagation` (config-linux.md#rootfs-mount-propagation), the recursive words that engines write too.
pub(super) fn rootfs_propagation(linux: &Linux, faults: &mut Faults) {
    let Some(word) = linux.rootfs_propagation().as_deref().filter(|word| !word.is_empty()) else {
        return;
    };
    let plain = word.strip_prefix('r').unwrap_or(word);
    if !matches!(plain, "shared" | "slave" | "private" | "unbindable") {
        let expected = "expected shared, slave, private or unbindable";
        faults.push(fault("linux.rootfsPropagation", expected, format!("{word:?}")));
    } else if namespace(linux, LinuxNamespaceType::Mount).is_none() {
        faults.push(fault(
            "linux.rootfsPropagation",
            "a mount namespace in linux.namespaces is needed",
            "",
        ));
    }
}

/// `linux.cgroupsPath` stays below where it starts (config-linux.md#cgroups-path).
pub(super) fn cgroups_path(linux: &Linux, faults: &mut Faults) {
    let Some(path) = linux.cgroups_path().as_deref().filter(|path| !path.as_os_str().is_empty())
    else {
        return;
    };
    let at = || Pointer::new("linux.cgroupsPath");
    match path.to_str() {
        None => faults.push(ConfigError::new(at(), "expected text", quoted(path))),
        Some(text) => {
            if let Err(error) = creel_cgroups::CgroupPath::parse(text) {
                faults.push(ConfigError::new(at(), error.to_string(), ""));
            }
        }
    }
}

/// `linux.devices`: an absolute path, a type of a file, numbers the kernel has (config-linux.md#devices).
pub(super) fn devices(linux: &Linux, faults: &mut Faults) {
    for (i, device) in linux.devices().iter().flatten().enumerate() {
        let at = Pointer::item("linux.devices", i);
        if !device.path().is_absolute() {
            faults.push(ConfigError::new(
                at.field("path"),
                "expected an absolute path",
                quoted(device.path()),
            ));
        }
        if device.typ() == LinuxDeviceType::A {
            faults.push(ConfigError::new(at.field("type"), "expected c, b, u or p", "a"));
        }
        // 12 and 20 bits, `include/linux/kdev_t.h`.
        for (key, number, max) in
            [("major", device.major(), 0xfff), ("minor", device.minor(), 0xf_ffff)]
        {
            if !(0..=max).contains(&number) {
                faults.push(ConfigError::new(
                    at.field(key),
                    format!("expected 0 to {max}"),
                    number.to_string(),
                ));
            }
        }
        for (key, id) in [("uid", device.uid()), ("gid", device.gid())] {
            if id == Some(u32::MAX) {
                faults.push(ConfigError::new(
                    at.field(key),
                    "expected an id below 4294967295",
                    "4294967295",
                ));
            }
        }
    }
}

/// `linux.personality.flags`: none is defined (config-linux.md#personality).
pub(super) fn personality(linux: &Linux, faults: &mut Faults) {
    let flags = linux.personality().as_ref().and_then(|personality| personality.flags().as_ref());
    if let Some(flag) = flags.and_then(|flags| flags.first()) {
        faults.push(fault(
            "linux.personality.flags",
            "expected none, as none is defined",
            format!("{flag:?}"),
        ));
    }
}

/// `linux.memoryPolicy`: nodes where the mode takes them (config-linux.md#memory-policy, `set_mempolicy(2)`).
pub(super) fn memory_policy(linux: &Linux, faults: &mut Faults) {
    let Some(policy) = linux.memory_policy() else { return };
    memory_policy_flags(policy, faults);
    let nodes = policy.nodes().as_deref().unwrap_or_default();
    let at = || Pointer::new("linux.memoryPolicy.nodes");
    match policy.mode() {
        MemoryPolicyModeType::MpolDefault | MemoryPolicyModeType::MpolLocal => {
            if !nodes.is_empty() {
                let expected = format!("expected none with {}", policy.mode());
                faults.push(ConfigError::new(at(), expected, format!("{nodes:?}")));
            }
        }
        MemoryPolicyModeType::MpolPreferred if nodes.is_empty() => {}
        MemoryPolicyModeType::MpolBind
        | MemoryPolicyModeType::MpolInterleave
        | MemoryPolicyModeType::MpolWeightedInterleave
        | MemoryPolicyModeType::MpolPreferred
        | MemoryPolicyModeType::MpolPreferredMany => {
            if number_list(nodes, 1023).is_none() {
                faults.push(ConfigError::new(
                    at(),
                    "expected a list of nodes such as 0-1",
                    format!("{nodes:?}"),
                ));
            }
        }
    }
}

fn memory_policy_flags(policy: &LinuxMemoryPolicy, faults: &mut Faults) {
    let flags = policy.flags().as_deref().unwrap_or_default();
    let has = |flag| flags.contains(&flag);
    let at = "linux.memoryPolicy.flags";
    if has(MemoryPolicyFlagType::MpolFStaticNodes) && has(MemoryPolicyFlagType::MpolFRelativeNodes)
    {
        let expected = "expected MPOL_F_STATIC_NODES or MPOL_F_RELATIVE_NODES";
        faults.push(fault(at, expected, "both"));
    }
    let balances = [MemoryPolicyModeType::MpolBind, MemoryPolicyModeType::MpolPreferredMany];
    if has(MemoryPolicyFlagType::MpolFNumaBalancing) && !balances.contains(&policy.mode()) {
        let expected = "expected MPOL_F_NUMA_BALANCING only with MPOL_BIND or MPOL_PREFERRED_MANY";
        faults.push(fault(at, expected, policy.mode().to_string()));
    }
}

/// `linux.seccomp.listenerMetadata` goes to a listener (config-linux.md#seccomp).
pub(super) fn seccomp_listener(spec: &Spec, faults: &mut Faults) {
    let Some(seccomp) = spec.linux.as_ref().and_then(|linux| linux.seccomp().as_ref()) else {
        return;
    };
    let receiver = annotation(spec, SECCOMP_RECEIVER);
    let path = seccomp.listener_path().as_deref().filter(|path| !path.as_os_str().is_empty());
    let metadata = seccomp.listener_metadata().as_deref().unwrap_or_default();
    if path.is_none() && receiver.is_none() && !metadata.is_empty() {
        faults.push(fault(
            "linux.seccomp.listenerMetadata",
            "a listenerPath is needed to send it to",
            "",
        ));
    }
    if let Some(path) = path.filter(|path| !path.is_absolute()) {
        faults.push(fault("linux.seccomp.listenerPath", "expected an absolute path", quoted(path)));
    }
}

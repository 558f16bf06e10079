//! What a config may ask for and creel does not do: refused by name, never ignored.

use oci_spec::runtime::{Linux, LinuxNamespaceType};

use super::{Faults, fault, namespace};
use crate::bundle::Spec;
use crate::error::ConfigError;
use crate::pointer::Pointer;

/// Objects of other platforms (config.md#platform-specific-configuration).
pub(super) fn platforms(spec: &Spec, faults: &mut Faults) {
    for (key, present) in [
        ("solaris", spec.solaris),
        ("windows", spec.windows),
        ("vm", spec.vm),
        ("zos", spec.zos),
        ("freebsd", spec.freebsd),
    ] {
        if present.is_some() {
            faults.push(fault(key, "not supported, this is a runtime for Linux containers", ""));
        }
    }
}

/// A user namespace (config-linux.md#user-namespace-mappings).
pub(super) fn user_namespace(linux: &Linux, faults: &mut Faults) {
    if namespace(linux, LinuxNamespaceType::User).is_some() {
        faults.push(fault(
            "linux.namespaces",
            "user namespaces: not supported yet",
            "type \"user\"",
        ));
    }
}

/// Intel's resource director (config-linux.md#intelrdt).
pub(super) fn intel_rdt(linux: &Linux, faults: &mut Faults) {
    let Some(rdt) = linux.intel_rdt() else { return };
    let filled = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let asked = [
        ("closID", filled(rdt.clos_id())),
        ("schemata", rdt.schemata().as_ref().is_some_and(|list| !list.is_empty())),
        ("l3CacheSchema", filled(rdt.l3_cache_schema())),
        ("memBwSchema", filled(rdt.mem_bw_schema())),
        ("enableCMT", rdt.enable_cmt() == &Some(true)),
        ("enableMBM", rdt.enable_mbm() == &Some(true)),
        ("enableMonitoring", rdt.enable_monitoring() == &Some(true)),
    ];
    for (key, _) in asked.iter().filter(|(_, asked)| *asked) {
        let at = Pointer::new("linux.intelRdt").field(key);
        faults.push(ConfigError::new(at, "not supported yet", ""));
    }
}

/// Network devices moved into the container (config-linux.md#network-devices).
pub(super) fn net_devices(linux: &Linux, faults: &mut Faults) {
    let mut names: Vec<_> = linux.net_devices().iter().flatten().map(|(name, _)| name).collect();
    names.sort();
    for name in names {
        let at = Pointer::new("linux.netDevices").field(name);
        faults.push(ConfigError::new(at, "not supported yet", ""));
    }
}

//! What this build can do, as the features document of the specification says it (features.md).
//!
//! It tells of the runtime and not of the host, but for `supportedFlags` of seccomp. Every list is the one that
//! configs are read with.

use std::collections::BTreeMap;

use creel_seccomp::{ActionKind, Arch, FilterFlags, Operator};
use oci_spec::runtime::Hooks;
use serde::Serialize;

use crate::plan::mount_options;
use crate::step::Kind;
use crate::validate::{CAPABILITIES, hook_lists};

/// The version of the runtime specification that creel implements.
pub const OCI_VERSION: &str = "1.3.0";

/// The features document.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
#[expect(missing_docs, reason = "the properties of features.md")]
pub struct Features {
    pub oci_version_min: &'static str,
    pub oci_version_max: &'static str,
    pub hooks: Vec<&'static str>,
    pub mount_options: Vec<String>,
    pub linux: LinuxFeatures,
    pub annotations: BTreeMap<&'static str, &'static str>,
    pub potentially_unsafe_config_annotations: Vec<&'static str>,
}

/// The properties of features-linux.md.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
#[expect(missing_docs, reason = "the properties of features-linux.md")]
pub struct LinuxFeatures {
    pub namespaces: Vec<&'static str>,
    pub capabilities: Vec<&'static str>,
    pub cgroup: BTreeMap<&'static str, bool>,
    pub seccomp: SeccompFeatures,
    pub apparmor: BTreeMap<&'static str, bool>,
    pub selinux: BTreeMap<&'static str, bool>,
    pub intel_rdt: BTreeMap<&'static str, bool>,
    pub memory_policy: BTreeMap<&'static str, Vec<&'static str>>,
    pub mount_extensions: BTreeMap<&'static str, BTreeMap<&'static str, bool>>,
    pub net_devices: BTreeMap<&'static str, bool>,
}

/// The property `seccomp` of features-linux.md.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
#[expect(missing_docs, reason = "the properties of features-linux.md#seccomp")]
pub struct SeccompFeatures {
    pub enabled: bool,
    pub actions: Vec<&'static str>,
    pub operators: Vec<&'static str>,
    pub archs: Vec<&'static str>,
    pub known_flags: Vec<&'static str>,
    pub supported_flags: Vec<&'static str>,
}

/// `linux.memoryPolicy.mode`
const MODES: [&str; 7] = [
    "MPOL_BIND",
    "MPOL_DEFAULT",
    "MPOL_INTERLEAVE",
    "MPOL_LOCAL",
    "MPOL_PREFERRED",
    "MPOL_PREFERRED_MANY",
    "MPOL_WEIGHTED_INTERLEAVE",
];
/// `linux.memoryPolicy.flags`
const MODE_FLAGS: [&str; 3] =
    ["MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"];
/// What a config may change by an annotation: one that ends with a dot stands for all that begin so.
const UNSAFE_ANNOTATIONS: [&str; 6] = [
    "run.oci.hooks.",
    "run.oci.keep_original_groups",
    "run.oci.pidfd_receiver",
    "run.oci.seccomp.",
    "run.oci.seccomp_bpf_data",
    "run.oci.seccomp_fail_unknown_syscall",
];

impl Features {
    /// The features of this build.
    #[must_use]
    pub fn new() -> Self {
        Self {
            oci_version_min: "1.0.0",
            oci_version_max: OCI_VERSION,
            hooks: hooks(),
            mount_options: mount_options(),
            linux: LinuxFeatures::new(),
            annotations: BTreeMap::from([
                ("org.creel.version", env!("CARGO_PKG_VERSION")),
                ("org.opencontainers.runc.checkpoint.enabled", "false"),
            ]),
            potentially_unsafe_config_annotations: UNSAFE_ANNOTATIONS.to_vec(),
        }
    }
}

impl Default for Features {
    fn default() -> Self {
        Self::new()
    }
}

impl LinuxFeatures {
    fn new() -> Self {
        let enabled = |it| BTreeMap::from([("enabled", it)]);
        // Configs that ask for one of these are refused, see validate/unsupported.rs.
        let none = enabled(false);
        let namespaces = Kind::ALL.into_iter().filter(|kind| *kind != Kind::User).map(Kind::word);
        Self {
            namespaces: sorted(namespaces),
            capabilities: CAPABILITIES.to_vec(),
            cgroup: BTreeMap::from([
                ("v1", true),
                ("v2", true),
                ("systemd", false),
                ("systemdUser", false),
                ("rdma", true),
            ]),
            seccomp: SeccompFeatures::new(),
            apparmor: enabled(true),
            selinux: enabled(true),
            intel_rdt: BTreeMap::from([
                ("enabled", false),
                ("schemata", false),
                ("monitoring", false),
            ]),
            memory_policy: BTreeMap::from([
                ("modes", MODES.to_vec()),
                ("flags", MODE_FLAGS.to_vec()),
            ]),
            mount_extensions: BTreeMap::from([("idmap", none.clone())]),
            net_devices: none,
        }
    }
}

impl SeccompFeatures {
    fn new() -> Self {
        Self {
            enabled: true,
            actions: sorted(ActionKind::ALL.into_iter().map(ActionKind::name)),
            operators: sorted(Operator::ALL.into_iter().map(Operator::name)),
            archs: sorted(Arch::ALL.into_iter().map(Arch::name)),
            known_flags: sorted(FilterFlags::KNOWN.into_iter().map(|(name, _)| name)),
            supported_flags: sorted(creel_seccomp::supported_flags().names()),
        }
    }
}

/// In the order in which they run.
fn hooks() -> Vec<&'static str> {
    let lists = hook_lists(&Hooks::default()).map(|(key, _)| key);
    lists.into_iter().filter_map(|key| key.strip_prefix("hooks.")).collect()
}

fn sorted(names: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::bundle::Spec;
    use crate::validate::validate;

    /// Whether a config with `value` at `linux.KEY`, or with a mount of it, is refused as not supported.
    fn is_refused(linux: &Value, mount: &Value) -> bool {
        let config = json!({
            "ociVersion": OCI_VERSION,
            "root": {"path": "rootfs"},
            "mounts": [mount],
            "linux": linux,
        });
        let spec: Spec = serde_json::from_value(config).unwrap();
        validate(&spec).iter().any(|fault| fault.expected.contains("not supported"))
    }

    #[test]
    fn what_features_denies_is_refused_and_what_it_claims_is_not() {
        let features = Features::new().linux;
        let mount = json!({"destination": "/m", "type": "tmpfs", "source": "tmpfs"});
        let mapping = json!([{"containerID": 0, "hostID": 0, "size": 1}]);
        let mut mapped = mount.clone();
        mapped["uidMappings"] = mapping.clone();
        mapped["gidMappings"] = mapping;
        let user = json!({"namespaces": [{"type": "mount"}, {"type": "user"}]});
        let own = json!({"namespaces": [{"type": "mount"}, {"type": "network"}]});
        let with = |key: &str, value: Value| {
            let mut linux = own.clone();
            linux[key] = value;
            linux
        };
        for (name, claimed, linux, mount) in [
            ("user", features.namespaces.contains(&"user"), &user, &mount),
            ("idmap", features.mount_extensions["idmap"]["enabled"], &own, &mapped),
            (
                "intelRdt",
                features.intel_rdt["enabled"],
                &with("intelRdt", json!({"closID": "c"})),
                &mount,
            ),
            (
                "netDevices",
                features.net_devices["enabled"],
                &with("netDevices", json!({"eth0": {}})),
                &mount,
            ),
            ("none", true, &own, &mount),
        ] {
            assert_eq!(claimed, !is_refused(linux, mount), "{name}");
        }
    }

    #[test]
    fn every_memory_policy_is_one_that_configs_are_read_with() {
        for mode in MODES {
            let policy = json!({"mode": mode, "nodes": "0", "flags": MODE_FLAGS});
            serde_json::from_value::<oci_spec::runtime::LinuxMemoryPolicy>(policy).unwrap();
        }
    }

    #[test]
    fn the_document_is_read_by_others() {
        let document = serde_json::to_value(Features::new()).unwrap();
        serde_json::from_value::<oci_spec::runtime::Features>(document.clone()).unwrap();
        assert_eq!(document["ociVersionMax"], OCI_VERSION);
        assert_eq!(document["linux"]["namespaces"][0], "cgroup");
    }
}

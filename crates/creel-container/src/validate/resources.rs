//! Rules for `linux.resources` that need no host; what the cgroups can do is asked in `plan`.

use oci_spec::runtime::{Linux, LinuxDeviceType};

use super::Faults;
use crate::error::ConfigError;
use crate::pointer::Pointer;

/// `linux.resources.devices`: types that a cgroup knows, access of `r`, `w` and `m`
/// (config-linux.md#allowed-device-list).
pub(super) fn devices(linux: &Linux, faults: &mut Faults) {
    let rules = linux.resources().as_ref().and_then(|resources| resources.devices().as_deref());
    for (i, rule) in rules.unwrap_or_default().iter().enumerate() {
        let at = Pointer::item("linux.resources.devices", i);
        if let Some(typ) =
            rule.typ().filter(|typ| matches!(typ, LinuxDeviceType::U | LinuxDeviceType::P))
        {
            faults.push(ConfigError::new(at.field("type"), "expected a, c or b", typ.as_str()));
        }
        if let Some(access) = rule.access().as_deref().filter(|access| !access.is_empty())
            && creel_cgroups::devices::Access::parse(access).is_none()
        {
            faults.push(ConfigError::new(
                at.field("access"),
                "expected r, w and m",
                format!("{access:?}"),
            ));
        }
        for (key, number) in [("major", rule.major()), ("minor", rule.minor())] {
            // -1 means every number, as in the tools of the kernel's first device cgroup.
            if let Some(number) =
                number.filter(|number| !(-1..=i64::from(u32::MAX)).contains(number))
            {
                faults.push(ConfigError::new(
                    at.field(key),
                    "expected a device number",
                    number.to_string(),
                ));
            }
        }
    }
}

/// A key of `linux.resources.unified` is the name of a file of the cgroup (config-linux.md#unified).
pub(super) fn unified(linux: &Linux, faults: &mut Faults) {
    let unified = linux.resources().as_ref().and_then(|resources| resources.unified().as_ref());
    let mut keys: Vec<_> = unified.into_iter().flatten().map(|(key, _)| key).collect();
    keys.sort();
    for key in keys {
        if key.contains('/') || !key.contains('.') || key.starts_with('.') {
            let at = Pointer::new("linux.resources.unified").field(key);
            faults.push(ConfigError::new(
                at,
                "expected the name of a file such as memory.high",
                "",
            ));
        }
    }
}

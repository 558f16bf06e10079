//! Rules for the properties at the top of `config.json`.

use oci_spec::runtime::LinuxNamespaceType;

use super::{Faults, fault, namespace};
use crate::bundle::Spec;

/// The longest host and domain name the kernel takes (`__NEW_UTS_LEN`).
const NAME_MAX: usize = 64;

/// `ociVersion`: SemVer 2.0.0 with the major version 1 (config.md#specification-version).
pub(super) fn oci_version(spec: &Spec, faults: &mut Faults) {
    if !is_version_1(&spec.oci_version) {
        faults.push(fault("ociVersion", "expected 1.y.z", format!("{:?}", spec.oci_version)));
    }
}

fn is_version_1(version: &str) -> bool {
    let without_build =
        version.split_once('+').map_or(version, |(rest, build)| match is_tag(build) {
            true => rest,
            false => "",
        });
    let core =
        without_build.split_once('-').map_or(without_build, |(rest, tag)| match is_tag(tag) {
            true => rest,
            false => "",
        });
    let numbers: Vec<&str> = core.split('.').collect();
    let is_number = |text: &&str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && (text.len() == 1 || !text.starts_with('0'))
    };
    numbers.len() == 3 && numbers.iter().all(is_number) && numbers.first() == Some(&"1")
}

/// Dot-separated identifiers of SemVer: `rc.1`, `dev`.
fn is_tag(text: &str) -> bool {
    text.split('.').all(|part| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

/// `root` is required on Linux, and so is its path (config.md#root).
pub(super) fn root(spec: &Spec, faults: &mut Faults) {
    match &spec.root {
        None => faults.push(fault("root", "expected the container's root filesystem", "nothing")),
        Some(root) if root.path().as_os_str().is_empty() => {
            faults.push(fault("root.path", "expected a path to the root filesystem", "nothing"));
        }
        Some(_) => {}
    }
}

/// `hostname` is set in a UTS namespace of the container's (config.md#hostname), at most 64 bytes (`sethostname(2)`).
pub(super) fn hostname(spec: &Spec, faults: &mut Faults) {
    uts_name("hostname", spec.hostname.as_deref(), spec, faults);
}

/// `domainname` is set in a UTS namespace of the container's (config.md#domainname).
pub(super) fn domainname(spec: &Spec, faults: &mut Faults) {
    uts_name("domainname", spec.domainname.as_deref(), spec, faults);
}

fn uts_name(key: &str, name: Option<&str>, spec: &Spec, faults: &mut Faults) {
    let Some(name) = name.filter(|name| !name.is_empty()) else { return };
    let uts = spec.linux.as_ref().and_then(|linux| namespace(linux, LinuxNamespaceType::Uts));
    if uts.is_none() {
        faults.push(fault(key, "a uts namespace in linux.namespaces is needed to set it", ""));
    }
    if name.len() > NAME_MAX {
        faults.push(fault(
            key,
            format!("expected at most {NAME_MAX} bytes"),
            name.len().to_string(),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::is_version_1;

    #[test]
    fn versions() {
        for (version, expected) in [
            ("1.0.0", true),
            ("1.0.2-dev", true),
            ("1.3.0+dev", true),
            ("1.2.1-rc.1+build.5", true),
            ("1.99.0", true),
            ("", false),
            ("1", false),
            ("1.0", false),
            ("1.0.0.0", false),
            ("01.0.0", false),
            ("2.0.0", false),
            ("0.9.0", false),
            ("1.0.0-", false),
            ("1.0.0+", false),
            ("1.0.x", false),
            ("v1.0.0", false),
        ] {
            assert_eq!(is_version_1(version), expected, "{version}");
        }
    }
}

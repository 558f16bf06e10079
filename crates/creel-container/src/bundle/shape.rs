//! Lists in the place of objects: `serde` would read them as an object's members by position.

use super::scan::{Event, Walk};

/// Lists and objects around the innermost of [`OBJECTS`], and more.
const DEPTH_MAX: usize = 16;

/// The pointer of the first list that stands where only an object is one. `base` is the pointer of the whole text in a
/// config: empty for a config itself.
///
/// A good text is only searched for its brackets; the precise walk is for one that looks suspicious.
pub(super) fn list_for_object(text: &[u8], base: &str) -> Option<String> {
    let suspicious = |(at, byte): (usize, &u8)| {
        *byte == b'[' && is_suspicious(text.get(..at).unwrap_or_default())
    };
    if !text.iter().enumerate().any(suspicious) {
        return None;
    }
    let mut walk = Walk::new(text);
    while let Some(event) = walk.next_event() {
        let Event::Enter { start } = event else { continue };
        // Nothing is that deep in a config; a hostile text may be, and its path is as long as it is deep.
        if walk.depth() > DEPTH_MAX {
            continue;
        }
        if text.get(start) == Some(&b'[') && is_object(&walk.path, base) {
            return Some(walk.path);
        }
    }
    None
}

/// Whether an object may be expected after `before`: the text begins, a list has another item, or the key is one of an
/// object's.
fn is_suspicious(before: &[u8]) -> bool {
    let before = before.trim_ascii_end();
    let Some((b':', key)) = before.split_last() else {
        return matches!(before.last(), None | Some(b'[' | b','));
    };
    let key = key.trim_ascii_end().strip_suffix(b"\"").unwrap_or_default();
    let start = key.iter().rposition(|byte| *byte == b'"').map_or(0, |at| at + 1);
    matches!(
        key.get(start..).unwrap_or_default(),
        b"annotations"
            | b"blockIO"
            | b"capabilities"
            | b"consoleSize"
            | b"cpu"
            | b"execCPUAffinity"
            | b"hooks"
            | b"intelRdt"
            | b"ioPriority"
            | b"linux"
            | b"memory"
            | b"memoryPolicy"
            | b"network"
            | b"personality"
            | b"pids"
            | b"process"
            | b"resources"
            | b"root"
            | b"scheduler"
            | b"seccomp"
            | b"user"
            | b"vm"
            | b"windows"
    )
}

fn is_object(path: &str, base: &str) -> bool {
    let mut pattern = String::with_capacity(base.len() + path.len() + 1);
    pattern.push_str(base);
    if !base.is_empty() && !path.is_empty() {
        pattern.push('.');
    }
    let mut in_brackets = false;
    for c in path.chars() {
        in_brackets = c == '[' || (in_brackets && c != ']');
        if c == '[' || !in_brackets {
            pattern.push(c);
        }
    }
    OBJECTS.contains(&pattern.as_str())
}

/// The objects of a config; `[]` is any item of a list.
const OBJECTS: [&str; 43] = [
    "",
    "annotations",
    "hooks",
    "hooks.createContainer[]",
    "hooks.createRuntime[]",
    "hooks.poststart[]",
    "hooks.poststop[]",
    "hooks.prestart[]",
    "hooks.startContainer[]",
    "linux",
    "linux.devices[]",
    "linux.gidMappings[]",
    "linux.intelRdt",
    "linux.memoryPolicy",
    "linux.namespaces[]",
    "linux.personality",
    "linux.resources",
    "linux.resources.blockIO",
    "linux.resources.cpu",
    "linux.resources.devices[]",
    "linux.resources.hugepageLimits[]",
    "linux.resources.memory",
    "linux.resources.network",
    "linux.resources.network.priorities[]",
    "linux.resources.pids",
    "linux.seccomp",
    "linux.seccomp.syscalls[]",
    "linux.seccomp.syscalls[].args[]",
    "linux.uidMappings[]",
    "mounts[]",
    "mounts[].gidMappings[]",
    "mounts[].uidMappings[]",
    "process",
    "process.capabilities",
    "process.consoleSize",
    "process.execCPUAffinity",
    "process.ioPriority",
    "process.rlimits[]",
    "process.scheduler",
    "process.user",
    "root",
    "vm",
    "windows",
];

#[cfg(test)]
mod tests {
    use super::{OBJECTS, is_suspicious, list_for_object};

    /// The quick look knows every key of the precise one.
    #[test]
    fn every_object_is_suspicious_as_a_list() {
        for object in OBJECTS.iter().filter(|object| !object.is_empty()) {
            let key = object.rsplit('.').next().unwrap();
            let before = match key.ends_with("[]") {
                true => "[".to_owned(),
                false => format!("{{\"{key}\" : "),
            };
            assert!(is_suspicious(before.as_bytes()), "{object}");
        }
    }

    #[test]
    fn lists_are_told_from_objects() {
        for (text, base, expected) in [
            ("[]", "", Some("")),
            ("{}", "", None),
            ("{\"root\": [\"rootfs\", true]}", "", Some("root")),
            ("{\"mounts\": [{}, [\"/a\"]]}", "", Some("mounts[1]")),
            ("{\"linux\": {\"resources\": {\"cpu\": [1]}}}", "", Some("linux.resources.cpu")),
            ("{\"linux\": {\"devices\": []}}", "", None),
            ("{\"x\": {\"root\": [1]}, \"y\": [[1], [2]], \"z\": \"a, [b]\"}", "", None),
            ("{\"user\": [0, 0]}", "", None),
            ("{\"user\": [0, 0]}", "process", Some("user")),
            ("[]", "process", Some("")),
            (&format!("{{\"root\": {}", "[".repeat(200_000)), "", Some("root")),
            (&format!("{{\"x\": {}", "[".repeat(200_000)), "", None),
            ("{\"memory\": [1]}", "linux.resources", Some("memory")),
        ] {
            assert_eq!(list_for_object(text.as_bytes(), base).as_deref(), expected, "{text}");
        }
    }
}

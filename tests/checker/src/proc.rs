//! What `/proc` tells. Absent files give `null`.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use serde_json::{Map, Value, json};

/// A small text file without its last newline, or `null`.
pub(crate) fn text(path: &str) -> Value {
    fs::read(path).map_or(Value::Null, |bytes| {
        json!(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\0']))
    })
}

/// One field of `/proc/self/status`.
pub(crate) fn status(field: &str) -> Value {
    let all = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = all.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    found.map_or(Value::Null, |value| json!(value.trim()))
}

/// Every line of `/proc/self/mountinfo`, parsed.
pub(crate) fn mounts() -> Value {
    let Ok(all) = fs::read_to_string("/proc/self/mountinfo") else { return Value::Null };
    all.lines().filter_map(mount).collect()
}

fn mount(line: &str) -> Option<Value> {
    let (left, right) = line.split_once(" - ")?;
    let mut fields = left.split(' ');
    let (id, parent, device) = (fields.next()?, fields.next()?, fields.next()?);
    let (root, point, options) = (fields.next()?, fields.next()?, fields.next()?);
    let optional: Vec<&str> = fields.collect();
    let mut rest = right.split(' ');
    let (fstype, source, superblock) = (rest.next()?, rest.next()?, rest.next()?);
    Some(json!({
        "id": id.parse::<u64>().ok()?, "parent": parent.parse::<u64>().ok()?, "device": device,
        "root": unescape(root), "point": unescape(point), "options": split(options),
        "propagation": optional, "type": fstype, "source": unescape(source), "super": split(superblock),
    }))
}

fn split(list: &str) -> Vec<&str> {
    list.split(',').collect()
}

fn unescape(field: &str) -> String {
    field.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

/// Lines of `/proc/self/cgroup`.
pub(crate) fn cgroups() -> Value {
    let Ok(all) = fs::read_to_string("/proc/self/cgroup") else { return Value::Null };
    let line = |line: &str| {
        let mut fields = line.splitn(3, ':');
        let (id, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        Some(json!({ "id": id, "controllers": controllers, "path": path }))
    };
    all.lines().filter_map(line).collect()
}

/// Inode number of each namespace this process is in.
pub(crate) fn namespaces() -> Value {
    let names = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];
    let inode = |name: &str| {
        fs::metadata(format!("/proc/self/ns/{name}"))
            .map_or(Value::Null, |found| json!(found.ino()))
    };
    names.iter().map(|name| (String::from(*name), inode(name))).collect::<Map<_, _>>().into()
}

/// Open file descriptors and what they lead to, except the one used to list them.
pub(crate) fn fds() -> Value {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return Value::Null };
    let mut found = Map::new();
    for entry in entries.flatten() {
        let target = fs::read_link(entry.path()).unwrap_or_default().to_string_lossy().into_owned();
        if !target.ends_with("/fd") {
            found.insert(entry.file_name().to_string_lossy().into_owned(), json!(target));
        }
    }
    found.into()
}

/// What is in `/dev`, two levels deep.
pub(crate) fn devices() -> Value {
    let mut found = Map::new();
    list_devices("/dev", 2, &mut found);
    found.into()
}

fn list_devices(directory: &str, depth: u8, found: &mut Map<String, Value>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path().to_string_lossy().into_owned();
        if let Ok(described) = describe(&path) {
            if described["type"] == "d" && depth > 1 && !path.ends_with("/pts") {
                list_devices(&path, depth - 1, found);
            }
            found.insert(path, described);
        }
    }
}

/// Type, mode, owner and device numbers of one name, which is not followed.
pub(crate) fn describe(path: &str) -> std::io::Result<Value> {
    let seen = fs::symlink_metadata(path)?;
    let kind = seen.file_type();
    let letter = match () {
        () if kind.is_symlink() => "l",
        () if kind.is_dir() => "d",
        () if kind.is_char_device() => "c",
        () if kind.is_block_device() => "b",
        () if kind.is_fifo() => "p",
        () if kind.is_socket() => "s",
        () => "-",
    };
    let number = seen.rdev();
    let mut described = json!({
        "type": letter, "mode": format!("{:04o}", seen.mode() & 0o7777), "uid": seen.uid(), "gid": seen.gid(),
        "size": seen.size(), "inode": seen.ino(), "device": seen.dev(),
        "major": number >> 8 & 0xfff | number >> 32 & !0xfff, "minor": number & 0xff | number >> 12 & !0xff,
    });
    if letter == "l" {
        described["target"] = json!(fs::read_link(path)?.to_string_lossy());
    }
    Ok(described)
}

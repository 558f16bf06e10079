//! What can be wrong with the file itself, and what is not.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test ends with the panic"
)]

use std::path::{Path, PathBuf};

use creel_container::{Bundle, Spec, read_process, validate};

fn parse(text: impl Into<Vec<u8>>) -> Result<Bundle, String> {
    let file = PathBuf::from("/b/config.json");
    Bundle::parse("/b".into(), file, text.into()).map_err(|error| error.to_string())
}

fn open(directory: &Path) -> Result<Bundle, String> {
    Bundle::open(directory, None).map_err(|error| error.to_string())
}

/// The smallest config without a fault, with `json` in place of `key`'s value.
fn with(key: &str, json: &str) -> String {
    let parts = [
        ("ociVersion", "\"1.2.0\""),
        ("root", "{\"path\":\"rootfs\"}"),
        ("process", "{\"args\":[\"sh\"],\"cwd\":\"/\"}"),
        ("linux", "{}"),
        ("mounts", "[]"),
        ("hooks", "{}"),
        ("annotations", "{}"),
    ];
    let parts =
        parts.map(|(name, value)| format!("\"{name}\":{}", if name == key { json } else { value }));
    format!("{{{}}}", parts.join(","))
}

#[test]
fn a_fault_names_line_column_and_pointer() {
    for (text, expected) in [
        ("", "line 1 column 0: EOF while parsing a value"),
        ("\0\0\0", "line 1 column 1: expected value"),
        ("[]", "line 1: expected an object, found a list"),
        (
            "{\n  \"root\": {\n    \"path\": 7\n  }\n}",
            "line 3 column 13: root.path: invalid type: integer `7`, expected path string",
        ),
        (
            "{\"mounts\": [{\"destination\": \"/a\"}, {}]}",
            "line 1 column 37: mounts[1]: missing field `destination`",
        ),
        (
            "{\"process\": {\"user\": {\"uid\": -1}}}",
            "line 1 column 31: process.user.uid: invalid value: integer `-1`, expected u32",
        ),
        (
            "{\"process\": {\"args\": [\"a\", 1]}}",
            "line 1 column 28: process.args[1]: invalid type: integer `1`, expected a string",
        ),
        (
            "{\"process\": {\"args\": [\"a\" \"b\"]}}",
            "line 1 column 27: process.args[1]: expected `,` or `]`",
        ),
        ("{\"a\": 1", "line 1 column 7: a: EOF while parsing an object"),
        (
            "{\"root\": {\"path\": \"\\ud800\"}}",
            "line 1 column 26: root.path: unexpected end of hex escape",
        ),
        ("{} x", "line 1 column 4: trailing characters"),
    ] {
        let message = parse(text).unwrap_err();
        assert_eq!(message, format!("/b/config.json: {expected}"), "{text}");
    }
}

#[test]
fn an_unknown_value_is_an_error_with_its_place() {
    for (key, json, place) in [
        (
            "linux",
            "{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"spacetime\"}]}",
            "linux.namespaces[1].type: unknown variant `spacetime`",
        ),
        (
            "linux",
            "{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_MAYBE\"}}",
            "linux.seccomp.defaultAction: unknown variant `SCMP_ACT_MAYBE`",
        ),
        (
            "linux",
            "{\"devices\":[{\"type\":\"x\",\"path\":\"/x\"}]}",
            "linux.devices[0].type: unknown variant `x`",
        ),
        (
            "linux",
            "{\"personality\":{\"domain\":\"BSD\"}}",
            "linux.personality.domain: unknown variant `BSD`",
        ),
        (
            "linux",
            "{\"memoryPolicy\":{\"mode\":\"MPOL_NO\"}}",
            "linux.memoryPolicy.mode: unknown variant `MPOL_NO`",
        ),
        (
            "process",
            "{\"rlimits\":[{\"type\":\"RLIMIT_X\",\"hard\":1,\"soft\":1}]}",
            "process.rlimits[0].type: unknown variant `RLIMIT_X`",
        ),
        (
            "process",
            "{\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"hard\":1}]}",
            "process.rlimits[0]: missing field `soft`",
        ),
        (
            "process",
            "{\"scheduler\":{\"policy\":\"SCHED_X\"}}",
            "process.scheduler.policy: unknown variant `SCHED_X`",
        ),
        (
            "process",
            "{\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"flags\":[\"X\"]}}",
            "process.scheduler.flags[0]: unknown variant `X`",
        ),
        (
            "process",
            "{\"ioPriority\":{\"class\":\"X\"}}",
            "process.ioPriority.class: unknown variant `X`",
        ),
        ("annotations", "{\"a\": 1}", "annotations.a: invalid type: integer `1`"),
    ] {
        let message = parse(with(key, json)).unwrap_err();
        assert!(message.contains(place), "{message} has no {place}");
    }
}

#[test]
fn what_the_specification_has_is_read() {
    for (key, json) in [
        ("ociVersion", "\"1.99.3-rc.1+build\""),
        (
            "process",
            "{\"args\":[\"sh\"],\"cwd\":\"/\",\"capabilities\":{\"bounding\":[\"CAP_NONSENSE\"]}}",
        ),
        (
            "process",
            "{\"args\":[\"sh\"],\"cwd\":\"/\",\"execCPUAffinity\":{\"initial\":\"0-3,7\",\"final\":\"\"}}",
        ),
        (
            "process",
            "{\"args\":[\"sh\"],\"cwd\":\"/\",\"scheduler\":{\"policy\":\"SCHED_FIFO\",\"priority\":1,\"flags\":[\"SCHED_FLAG_RESET_ON_FORK\",\"SCHED_FLAG_DL_OVERRUN\"]}}",
        ),
        ("linux", "{\"intelRdt\":{\"schemata\":[],\"enableMonitoring\":false}}"),
        ("linux", "{\"netDevices\":{}}"),
        (
            "linux",
            "{\"memoryPolicy\":{\"mode\":\"MPOL_INTERLEAVE\",\"nodes\":\"0\",\"flags\":[\"MPOL_F_STATIC_NODES\"]}}",
        ),
        (
            "linux",
            "{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/l\",\"listenerMetadata\":\"m\",\"flags\":[\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"]}}",
        ),
        ("linux", "{\"unknown\":{\"deep\":[1,{\"a\":null}]}}"),
        (
            "linux",
            "{\"resources\":{\"unified\":{\"memory.high\":\"max\"},\"cpu\":{\"idle\":1,\"burst\":0}}}",
        ),
    ] {
        let bundle = parse(with(key, json)).unwrap();
        assert_eq!(validate(&bundle.spec), [], "{json}");
    }
}

/// Every member of every object, one at a time and all at once, may be `null`.
#[test]
fn null_asks_for_nothing() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engine-configs/docker-run.json");
    let config: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let mut variants = Vec::new();
    nulled(&config, &mut |variant| variants.push(variant));
    assert!(variants.len() > 60, "{}", variants.len());
    for variant in variants {
        parse(serde_json::to_vec(&variant).unwrap()).map(|_| ()).or_else(required).unwrap();
    }
}

/// A required member that is `null` is missing.
fn required(message: String) -> Result<(), String> {
    if message.contains(": missing field `") { Ok(()) } else { Err(message) }
}

fn nulled(value: &serde_json::Value, seen: &mut dyn FnMut(serde_json::Value)) {
    match value {
        serde_json::Value::Object(object) => {
            for (key, child) in object {
                let mut put = |child: serde_json::Value| {
                    let mut object = object.clone();
                    object.insert(key.clone(), child);
                    seen(serde_json::Value::Object(object));
                };
                put(serde_json::Value::Null);
                nulled(child, &mut put);
            }
        }
        serde_json::Value::Array(list) => {
            for (i, child) in list.iter().enumerate().take(2) {
                nulled(child, &mut |child| {
                    let mut list = list.clone();
                    list[i] = child;
                    seen(serde_json::Value::Array(list));
                });
            }
        }
        _ => {}
    }
}

#[test]
fn a_value_of_another_type_is_an_error_and_no_panic() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engine-configs/podman-run.json");
    let text = std::fs::read_to_string(file).unwrap();
    for (from, to) in [
        ("18", "-99999999999999999999999999"),
        ("2048", "1e999"),
        ("false", "\"false\""),
        ("\"/\"", "[]"),
        ("38", "{}"),
        ("rwm", "\\u0000"),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text, "{from}");
        match parse(changed) {
            Err(message) => assert!(message.starts_with("/b/config.json: line "), "{message}"),
            Ok(bundle) => assert_ne!(validate(&bundle.spec), []),
        }
    }
}

#[test]
fn a_text_that_is_cut_anywhere_is_an_error_and_no_panic() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engine-configs/containerd-run.json");
    let text = std::fs::read(file).unwrap();
    for end in (0..text.len() - 2).step_by(37) {
        parse(&text[..end]).unwrap_err();
    }
}

#[test]
fn deep_nesting_is_an_error() {
    for deep in
        ["[".repeat(1 << 16), "{\"a\":".repeat(1 << 16), with("linux", &"[".repeat(200_000))]
    {
        let message = parse(deep).unwrap_err();
        assert!(message.len() < 20_000, "{}", message.len());
    }
}

#[test]
fn a_file_that_is_no_file_is_refused_at_once() {
    let bundle = tempfile::tempdir().unwrap();
    let config = bundle.path().join("config.json");
    let path = config.display();
    assert_eq!(open(bundle.path()).unwrap_err(), format!("{path}: no such file or directory"));
    assert_eq!(
        open(Path::new("")).unwrap_err(),
        ": bundle: a directory is needed, found an empty path"
    );
    std::fs::create_dir(&config).unwrap();
    assert_eq!(open(bundle.path()).unwrap_err(), format!("{path}: expected a regular file"));
    std::fs::remove_dir(&config).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &config, rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .unwrap();
    assert_eq!(open(bundle.path()).unwrap_err(), format!("{path}: expected a regular file"));
    std::fs::remove_file(&config).unwrap();
    std::os::unix::fs::symlink("config.json", &config).unwrap();
    assert_eq!(
        open(bundle.path()).unwrap_err(),
        format!("{path}: too many levels of symbolic links")
    );
}

#[test]
fn a_file_of_100_mib_is_refused_without_reading_it() {
    let bundle = tempfile::tempdir().unwrap();
    let config = bundle.path().join("config.json");
    std::fs::File::create(&config).unwrap().set_len(100 << 20).unwrap();
    let expected = format!("{}: expected at most 16 MiB of JSON", config.display());
    assert_eq!(open(bundle.path()).unwrap_err(), expected);
}

#[test]
fn the_bundle_is_absolute_and_lines_are_known() {
    let bundle = parse("{\n\"process\": {\n\"cwd\": \"/\"}}").unwrap();
    for (pointer, line) in [("process.cwd", 3), ("process.args", 2), ("root", 1)] {
        assert_eq!(bundle.line(&creel_container::Pointer::new(pointer)), line, "{pointer}");
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("other.json"), with("", "")).unwrap();
    let other = directory.path().join("other.json");
    let bundle = Bundle::open(Path::new("."), Some(&other)).unwrap();
    assert!(bundle.directory.is_absolute());
}

#[test]
fn a_process_of_exec_is_read_by_the_same_rules() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("process.json");
    std::fs::write(&file, "{\"args\": [\"id\"], \"cwd\": \"/\", \"env\": null, \"capabilities\": {\"ambient\": null}}").unwrap();
    assert_eq!(read_process(&file).unwrap().args.unwrap(), ["id"]);
    std::fs::write(&file, "{\"args\": \"id\"}").unwrap();
    let message = read_process(&file).unwrap_err().to_string();
    assert!(
        message.contains("process.json: line 1 column 13: args: invalid type: string"),
        "{message}"
    );
}

#[test]
fn a_config_survives_the_way_to_a_worker() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine-configs");
    for entry in std::fs::read_dir(directory).unwrap() {
        let file = entry.unwrap().path();
        let bundle = parse(std::fs::read(&file).unwrap()).unwrap();
        let text = serde_json::to_vec(&bundle.spec).unwrap();
        assert_eq!(
            serde_json::from_slice::<Spec>(&text).unwrap(),
            bundle.spec,
            "{}",
            file.display()
        );
    }
}

//! The rules, one by one: a change to a good config, and the faults it has.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test ends with the panic"
)]

mod process;
mod rest;

use creel_container::{Bundle, validate};
use serde_json::{Value, json};

/// A config without a fault.
fn good() -> Value {
    json!({
        "ociVersion": "1.3.0",
        "root": { "path": "rootfs" },
        "process": { "args": ["sh"], "cwd": "/", "user": { "uid": 0, "gid": 0 } },
        "mounts": [{ "destination": "/proc", "type": "proc" }],
        "linux": { "namespaces": [
            { "type": "mount" }, { "type": "pid" }, { "type": "uts" }, { "type": "ipc" }, { "type": "network" },
            { "type": "time" }
        ] }
    })
}

/// Sets what stands at the JSON pointer (`/process/cwd`), or takes it away if `value` is null.
fn changed(pointer: &str, value: Value) -> Value {
    let mut config = good();
    let mut at = &mut config;
    let mut parts = pointer.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let part = part.replace("~1", "/");
        if parts.peek().is_none() && value.is_null() {
            at.as_object_mut().unwrap().remove(&part);
            return config;
        }
        at = match at {
            Value::Array(list) => &mut list[part.parse::<usize>().unwrap()],
            object => &mut object[part],
        };
    }
    *at = value;
    config
}

/// Compares the faults of each change with what is expected, one line a fault.
#[track_caller]
fn check(table: &[(&str, Value, &str)]) {
    for (pointer, value, expected) in table {
        let text = serde_json::to_vec(&changed(pointer, value.clone())).unwrap();
        let bundle = Bundle::parse("/b".into(), "/b/config.json".into(), text)
            .unwrap_or_else(|error| panic!("{pointer} = {value}: {error}"));
        let faults: Vec<_> = validate(&bundle.spec).iter().map(ToString::to_string).collect();
        assert_eq!(faults.join("\n"), *expected, "{pointer} = {value}");
    }
}

#[test]
fn a_good_config_has_no_fault() {
    check(&[("/hostname", json!("x"), "")]);
}

//! Containers of other versions: the state directory of the first version is a fixture that every later one must be
//! able to list, kill and delete; so is one that a newer version wrote.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic; helpers are not seen as tests by clippy"
)]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command};

use creel_container::{ContainerId, Runtime, Status, signal};
use serde_json::{Value, json};

const FIXTURES: [&str; 2] = ["v1", "newer"];

/// A state directory with the container `web` of a fixture, changed by `change`.
fn runtime(fixture: &str, change: impl Fn(&mut Value)) -> (tempfile::TempDir, Runtime) {
    let root = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/state/fixtures").join(fixture);
    let text = fs::read_to_string(from.join("state.json")).unwrap();
    let mut state: Value = serde_json::from_str(&text).unwrap();
    change(&mut state);
    let directory = root.path().join("web");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("state.json"), state.to_string()).unwrap();
    fs::write(directory.join("lock"), "").unwrap();
    let runtime = Runtime::new(root.path());
    (root, runtime)
}

fn id() -> ContainerId {
    ContainerId::parse("web").unwrap()
}

/// A process that stands for the container's init.
fn sleeper() -> Child {
    Command::new("sleep").arg("1000").spawn().unwrap()
}

fn init_of(child: &Child) -> Value {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let start: u64 = stat.rsplit(')').next().unwrap().split(' ').nth(20).unwrap().parse().unwrap();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    json!({ "pid": child.id(), "startTime": start, "bootId": boot.trim() })
}

#[test]
fn a_container_of_another_boot_is_stopped_and_can_be_deleted() {
    for fixture in FIXTURES {
        let (root, runtime) = runtime(fixture, |_| {});
        let containers = runtime.list().unwrap();
        assert_eq!(containers.len(), 1, "{fixture}");
        let state = containers[0].state();
        assert_eq!((state.status, state.pid), (Status::Stopped, 0), "{fixture}");
        assert_eq!(state.annotations["org.example.key"], "value");
        runtime.open(&id()).unwrap().delete().unwrap();
        assert!(!root.path().join("web").exists(), "{fixture}");
    }
}

#[test]
fn a_running_container_of_another_version_is_killed_and_deleted() {
    for fixture in FIXTURES {
        let mut child = sleeper();
        let init = init_of(&child);
        let (root, runtime) = runtime(fixture, |state| state["init"] = init.clone());
        let container = runtime.open(&id()).unwrap();
        assert_eq!(container.status(), Status::Running, "{fixture}");
        container.kill(signal(9).unwrap()).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9), "{fixture}");
        container.delete().unwrap();
        assert!(!root.path().join("web").exists(), "{fixture}");
    }
}

#[test]
fn a_number_that_is_another_process_now_is_not_touched() {
    let mut child = sleeper();
    let mut init = init_of(&child);
    init["startTime"] = json!(init["startTime"].as_u64().unwrap() + 1);
    let (_root, runtime) = runtime("v1", |state| state["init"] = init.clone());
    let container = runtime.open(&id()).unwrap();
    assert_eq!(container.status(), Status::Stopped);
    assert!(container.kill(signal(9).unwrap()).unwrap_err().to_string().contains("not running"));
    runtime.delete_force(&id()).unwrap();
    assert!(child.try_wait().unwrap().is_none(), "the other process was killed");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_creator_that_died_leaves_what_delete_removes() {
    let (root, runtime) = runtime("v1", |state| {
        state["committed"] = json!(false);
        state["creator"] = json!({ "pid": 1, "startTime": 1, "bootId": "of another boot" });
        state["init"] = Value::Null;
    });
    assert_eq!(runtime.open(&id()).unwrap().status(), Status::Stopped);
    runtime.delete_force(&id()).unwrap();
    assert!(!root.path().join("web").exists());
}

#[test]
fn damaged_state_is_named_and_deleted_by_force() {
    for damage in ["", "{", "[]", "null", "{\"init\": 7}", "\u{0}"] {
        let (root, runtime) = runtime("v1", |_| {});
        fs::write(root.path().join("web/state.json"), damage).unwrap();
        let error = runtime.open(&id()).unwrap_err().to_string();
        assert!(error.contains("state.json"), "{damage:?}: {error}");
        assert_eq!(runtime.list().unwrap().len(), 0);
        runtime.delete_force(&id()).unwrap();
        assert!(!root.path().join("web").exists(), "{damage:?}");
        // One that is gone is no error.
        runtime.delete_force(&id()).unwrap();
    }
}

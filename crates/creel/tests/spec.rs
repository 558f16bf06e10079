//! `creel spec`, compared with the config that runc writes.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What `program spec` writes, with its namespaces sorted and without what names the program. Ambient capabilities,
/// which runc cannot give for want of inheritable ones, are left out.
fn config(program: &str, options: &[&str]) -> Option<Value> {
    let directory = tempfile::tempdir().unwrap();
    let output =
        Command::new(program).arg("spec").args(options).current_dir(&directory).output().ok()?;
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(directory.path().join("config.json")).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    config["ociVersion"].take();
    config["hostname"].take();
    config["process"]["capabilities"].as_object_mut().unwrap().remove("ambient");
    let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.sort_by_key(|namespace| namespace["type"].to_string());
    Some(config)
}

/// Whether the runc of this machine is one of Debian 12's line; others write other defaults.
fn has_runc() -> bool {
    let output = Command::new("runc").arg("--version").output();
    output.is_ok_and(|output| output.stdout.starts_with(b"runc version 1.1."))
}

#[test]
fn the_config_means_what_runcs_does() {
    if !has_runc() {
        println!("skipped: there is no runc 1.1");
        return;
    }
    for options in [&[][..], &["--rootless"]] {
        let runc = config("runc", options).unwrap();
        assert_eq!(config(env!("CARGO_BIN_EXE_creel"), options).unwrap(), runc, "{options:?}");
    }
}

#[test]
fn a_file_that_is_there_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let spec = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_creel"));
        command.arg("spec").arg("--bundle").arg(directory.path()).args(options).output().unwrap()
    };
    let is_there = |name: &str| Path::new(directory.path()).join(name).is_file();
    assert!(spec(&[]).status.success() && is_there("config.json"));
    std::fs::write(directory.path().join("config.json"), "mine").unwrap();
    let refused = spec(&[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("config.json exists"));
    assert_eq!(std::fs::read(directory.path().join("config.json")).unwrap(), b"mine");
    assert!(spec(&["--file", "other.json"]).status.success() && is_there("other.json"));
}

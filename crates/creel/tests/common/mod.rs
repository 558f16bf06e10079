//! A bundle with busybox, for tests of the program.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

pub(crate) const CREEL: &str = env!("CARGO_BIN_EXE_creel");
pub(crate) const BUSYBOX: &str = "/bin/busybox";

/// A directory with a bundle: what `creel spec` writes, without a terminal, and changed.
pub(crate) fn bundle(change: impl FnOnce(&mut Value)) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    fs::create_dir_all(root.join("rootfs/bin")).unwrap();
    fs::copy(BUSYBOX, root.join("rootfs/bin/busybox")).unwrap();
    assert!(Command::new(CREEL).arg("spec").current_dir(root).status().unwrap().success());
    edit(root, |config| {
        config["process"]["terminal"] = json!(false);
        change(config);
    });
    directory
}

/// Changes the config of a bundle.
pub(crate) fn edit(bundle: &Path, change: impl FnOnce(&mut Value)) {
    let path = bundle.join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut config);
    fs::write(path, config.to_string()).unwrap();
}

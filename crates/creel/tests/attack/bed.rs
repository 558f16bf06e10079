//! What every test starts with: a bundle, a copy of the runtime, a state directory.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

pub(crate) const BUSYBOX: &str = "/bin/busybox";

/// A bundle with busybox and a state directory of its own; its containers are deleted in the end.
///
/// The runtime is a copy: an attack that succeeds harms no other test.
pub(crate) struct Bed {
    directory: tempfile::TempDir,
    pub(crate) config: Value,
    /// Layers that the runtime goes without, in a build that can.
    pub(crate) without: &'static str,
}

impl Bed {
    /// None if it cannot be here, which is said.
    pub(crate) fn new() -> Option<Self> {
        let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
        if !is_root || !Path::new(BUSYBOX).exists() {
            println!("skipped: needs root and busybox-static");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let mut bed = Self { directory, config: Value::Null, without: "" };
        fs::create_dir_all(bed.path("rootfs/bin")).unwrap();
        fs::copy(BUSYBOX, bed.path("rootfs/bin/busybox")).unwrap();
        // By another process: a child that another test makes meanwhile would hold our copy open for writing.
        let copied =
            Command::new("cp").arg(env!("CARGO_BIN_EXE_creel")).arg(bed.path("creel")).status();
        assert!(copied.unwrap().success());
        let spec =
            Command::new(bed.path("creel")).args(["spec", "--bundle"]).arg(bed.path(".")).status();
        assert!(spec.unwrap().success());
        let text = fs::read(bed.path("config.json")).unwrap();
        bed.config = serde_json::from_slice(&text).unwrap();
        bed.config["process"]["terminal"] = json!(false);
        bed.config["process"]["args"] = json!(["/bin/busybox", "sleep", "600"]);
        bed.config["process"]["env"] = json!(["PATH=/bin"]);
        bed.config["root"]["readonly"] = json!(false);
        Some(bed)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A command of the runtime with the config as it is now.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        fs::write(self.path("config.json"), self.config.to_string()).unwrap();
        let mut command = Command::new(self.path("creel"));
        command.arg("--root").arg(self.path("state")).args(args);
        command.env("CREEL_WITHOUT", self.without);
        command.current_dir(self.directory.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }
}

#[cfg(not(feature = "weak-points"))]
impl Bed {
    /// Runs a command that must succeed; what it printed. A detached container would keep its streams.
    pub(crate) fn done(&self, args: &[&str]) -> String {
        let out = fs::File::create(self.path("out")).unwrap();
        let err = fs::File::create(self.path("err")).unwrap();
        let status = self.command(args).stdout(out).stderr(err).status().unwrap();
        let text = fs::read_to_string(self.path("out")).unwrap();
        assert!(status.success(), "{args:?}: {}", fs::read_to_string(self.path("err")).unwrap());
        text
    }

    /// Creates a container whose init is still the runtime; its pid.
    pub(crate) fn created(&self, id: &str) -> String {
        let pid_file = self.path(&format!("pid-of-{id}"));
        self.done(&["create", "--pid-file", pid_file.to_str().unwrap(), id]);
        fs::read_to_string(pid_file).unwrap()
    }

    pub(crate) fn status(&self, id: &str) -> String {
        let state: Value = serde_json::from_str(&self.done(&["state", id])).unwrap();
        state["status"].as_str().unwrap().to_owned()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        for entry in fs::read_dir(self.path("state")).into_iter().flatten().flatten() {
            let id = entry.file_name();
            // The copy may have been overwritten.
            let mut delete = Command::new(env!("CARGO_BIN_EXE_creel"));
            delete.arg("--root").arg(self.path("state")).args(["delete", "--force"]).arg(id);
            let _ = delete.status();
        }
    }
}

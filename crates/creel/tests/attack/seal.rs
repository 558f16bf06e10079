//! The runtime as processes of a container see it, before init has executed its program.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "a test")]

use std::fs::{self, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const CREEL: &str = env!("CARGO_BIN_EXE_creel");
const BUSYBOX: &str = "/bin/busybox";

/// A created container, whose init is still the runtime; deleted in the end.
struct Created {
    directory: tempfile::TempDir,
    id: String,
    pid: String,
}

impl Created {
    /// Its user is `uid`.
    fn new(id: &str, uid: u32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir_all(root.join("rootfs/bin")).unwrap();
        fs::copy(BUSYBOX, root.join("rootfs/bin/busybox")).unwrap();
        assert!(
            Command::new(CREEL).args(["spec", "--bundle"]).arg(root).status().unwrap().success()
        );
        let path = root.join("config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        config["process"]["terminal"] = json!(false);
        config["process"]["args"] = json!(["/bin/busybox", "sleep", "600"]);
        config["process"]["user"]["uid"] = json!(uid);
        fs::write(path, config.to_string()).unwrap();
        let id = format!("{id}-{}", std::process::id());
        let mut created = Self { directory, id, pid: String::new() };
        let bundle = created.path("");
        let pid_file = created.path("pid");
        assert!(created.creel(&["create", "--bundle", &bundle, "--pid-file", &pid_file]));
        created.pid = fs::read_to_string(pid_file).unwrap();
        created
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    /// Runs a command on it and tells whether it succeeded.
    fn creel(&self, args: &[&str]) -> bool {
        let mut command = Command::new(CREEL);
        command.arg("--root").arg(self.path("state")).args(args).arg(&self.id);
        command.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap().success()
    }
}

impl Drop for Created {
    fn drop(&mut self) {
        self.creel(&["delete", "--force"]);
    }
}

fn is_possible() -> bool {
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let possible = is_root && Path::new(BUSYBOX).exists();
    if !possible {
        println!("skipped: needs root and busybox-static");
    }
    possible
}

#[test]
fn cve_2019_5736_a_container_cannot_write_to_the_runtimes_executable() {
    if !is_possible() {
        return;
    }
    let created = Created::new("seal", 0);
    // Its file outlives it in a descriptor.
    let held = fs::File::open(format!("/proc/{}/exe", created.pid)).unwrap();
    drop(created);
    assert_eq!(write_error(&held), Some(libc::EROFS));
}

#[test]
fn cve_2016_9962_init_cannot_be_looked_into_before_its_program() {
    if !is_possible() {
        return;
    }
    let created = Created::new("dump", 1000);
    let owner = |file: &str| fs::metadata(format!("/proc/{}/{file}", created.pid)).unwrap().uid();
    // What belongs to a process that is not dumpable belongs to root, whoever its user is.
    assert_eq!((owner("mem"), owner("environ")), (0, 0));
    let status = fs::read_to_string(format!("/proc/{}/status", created.pid)).unwrap();
    assert!(status.contains("\nUid:\t1000\t"), "{status}");
}

/// The errno of opening the file again for writing, once nobody executes it any more.
fn write_error(file: &fs::File) -> Option<i32> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let error = OpenOptions::new().write(true).open(&path).err()?;
        if error.raw_os_error() != Some(libc::ETXTBSY) || Instant::now() > deadline {
            return error.raw_os_error();
        }
        std::thread::yield_now();
    }
}

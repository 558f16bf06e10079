//! The runtime's own executable, as processes of a container see it.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::fs::{self, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const CREEL: &str = env!("CARGO_BIN_EXE_creel");
const BUSYBOX: &str = "/bin/busybox";

/// A bundle whose program is busybox's sleep.
fn bundle(directory: &Path) {
    fs::create_dir_all(directory.join("rootfs/bin")).unwrap();
    fs::copy(BUSYBOX, directory.join("rootfs/bin/busybox")).unwrap();
    let spec = Command::new(CREEL).args(["spec", "--bundle"]).arg(directory).status().unwrap();
    assert!(spec.success());
    let path = directory.join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config["process"]["terminal"] = json!(false);
    config["process"]["args"] = json!(["/bin/busybox", "sleep", "600"]);
    fs::write(path, config.to_string()).unwrap();
}

#[test]
fn cve_2019_5736_a_container_cannot_write_to_the_runtimes_executable() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 || !Path::new(BUSYBOX).exists() {
        println!("skipped: needs root and busybox-static");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    bundle(directory.path());
    let id = format!("seal-{}", std::process::id());
    let creel = |args: &[&str]| {
        let mut command = Command::new(CREEL);
        command.arg("--root").arg(directory.path().join("state")).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap().success()
    };
    let bundle = directory.path().to_str().unwrap();
    let pid_file = directory.path().join("pid");
    assert!(creel(&["create", "--bundle", bundle, "--pid-file", pid_file.to_str().unwrap(), &id]));
    // Init has not executed its program: what it runs is the runtime. Its file outlives it in a descriptor.
    let exe = format!("/proc/{}/exe", fs::read_to_string(&pid_file).unwrap());
    let held = fs::File::open(exe).unwrap();
    assert!(creel(&["delete", "--force", &id]));
    assert_eq!(write_error(&held), Some(libc::EROFS));
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

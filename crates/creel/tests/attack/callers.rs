//! What callers' surroundings, bundles and other containers try.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::bed::{BUSYBOX, Bed};

#[test]
fn a_mark_in_the_callers_environment_does_not_prevent_the_seal() {
    let Some(bundle) = Bed::new() else { return };
    let pid_file = bundle.path("pid");
    let args = ["create", "--pid-file", pid_file.to_str().unwrap(), "marked"];
    let status = bundle
        .command(&args)
        .env("_CREEL_SEALED", "1")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let pid = fs::read_to_string(pid_file).unwrap();
    let held = File::open(format!("/proc/{pid}/exe")).unwrap();
    // Not even while nothing executes it: a file of a mount that is read-only. Opening it to write would tell the
    // same, but for the other tests that execute the same file meanwhile.
    bundle.done(&["delete", "--force", "marked"]);
    let mount = rustix::fs::fstatvfs(&held).unwrap();
    assert!(mount.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
}

#[test]
fn a_container_without_a_null_device_does_not_get_the_hosts() {
    let Some(bundle) = Bed::new() else { return };
    bundle.done(&["run", "--detach", "null"]);
    bundle.done(&["exec", "null", "/bin/busybox", "rm", "/dev/null"]);
    let stat =
        ["exec", "null", "/bin/busybox", "stat", "-L", "-c", "%d:%i %t:%T", "/proc/self/fd/0"];
    let found = bundle.done(&stat);
    let host = fs::metadata("/dev/null").unwrap();
    assert!(found.ends_with(" 1:3\n"), "{found}");
    // Root inside could change the mode of what it holds open.
    assert!(!found.starts_with(&format!("{}:{} ", host.dev(), host.ino())), "{found}");
}

#[test]
fn a_link_in_the_pid_files_directory_is_not_written_through() {
    let Some(bundle) = Bed::new() else { return };
    let victim = bundle.path("victim");
    fs::write(&victim, "precious").unwrap();
    let open = bundle.path("open");
    fs::create_dir(&open).unwrap();
    let last: u32 =
        fs::read_to_string("/proc/sys/kernel/ns_last_pid").unwrap().trim().parse().unwrap();
    for pid in last..last + 1000 {
        symlink(&victim, open.join(format!(".pid.{pid}~"))).unwrap();
    }
    let pid_file = open.join("pid");
    bundle.done(&["create", "--pid-file", pid_file.to_str().unwrap(), "pidfile"]);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    let pid = fs::read_to_string(pid_file).unwrap();
    assert!(Path::new("/proc").join(pid).exists());
}

/// The containers are `first`, which has ended, and `second` at `path` of its cgroup.
fn second_survives_the_deletion_of_the_first(name: &str, path: &str) {
    let Some(mut bundle) = Bed::new() else { return };
    let cgroup = format!("/creel-attack-{name}-{}", std::process::id());
    bundle.config["linux"]["cgroupsPath"] = json!(cgroup);
    bundle.config["process"]["args"] = json!(["/bin/busybox", "true"]);
    bundle.done(&["run", "--keep", "first"]);
    bundle.config["linux"]["cgroupsPath"] = json!(format!("{cgroup}{path}"));
    bundle.config["process"]["args"] = json!(["/bin/busybox", "sleep", "600"]);
    bundle.done(&["run", "--detach", "second"]);
    bundle.done(&["delete", "first"]);
    assert_eq!(bundle.status("second"), "running");
    bundle.done(&["delete", "--force", "second"]);
    let left: Vec<_> = fs::read_dir("/sys/fs/cgroup")
        .unwrap()
        .flatten()
        .map(|hierarchy| hierarchy.path().join(cgroup.trim_start_matches('/')))
        .filter(|directory| directory.exists())
        .collect();
    for directory in &left {
        let _ = fs::remove_dir(directory);
    }
    assert!(!path.is_empty() || left.is_empty(), "{left:?}");
}

#[test]
fn a_container_in_the_cgroup_of_one_that_is_deleted_lives_on() {
    second_survives_the_deletion_of_the_first("same", "");
}

#[test]
fn a_container_below_the_cgroup_of_one_that_is_deleted_lives_on() {
    second_survives_the_deletion_of_the_first("below", "/below");
}

#[test]
fn control_characters_of_a_bundle_reach_no_terminal_and_no_log() {
    let Some(mut bundle) = Bed::new() else { return };
    let evil = "\u{1b}]0;owned\u{7}\u{9b}31m";
    let is_clean = |text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        assert!(text.contains("owned"), "{text:?}");
    };
    bundle.config["process"]["args"] = json!([format!("/bin/{evil}")]);
    is_clean(&bundle.run(&["plan"]).stdout);
    let log = bundle.path("log");
    let args = ["--log", log.to_str().unwrap(), "--log-format", "json", "create", "evil"];
    is_clean(&bundle.run(&args).stderr);
    let record: Value = serde_json::from_slice(&fs::read(log).unwrap()).unwrap();
    is_clean(record["msg"].as_str().unwrap().as_bytes());
    let config = bundle.config.clone();
    for (pointer, value) in [
        ("/linux/resources", json!({"cpu": {"cpus": evil}})),
        ("/linux/sysctl", json!({format!("kernel.{evil}"): "1"})),
        ("/linux/namespaces/0/type", json!(evil)),
        ("/linux/personality", json!({"domain": evil})),
        ("/process/rlimits", json!([{"type": evil, "hard": 1, "soft": 1}])),
    ] {
        bundle.config = config.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        bundle.config.pointer_mut(parent).unwrap()[name] = value;
        is_clean(&bundle.run(&["create", "evil"]).stderr);
    }
}

#[test]
fn an_annotation_makes_no_file_on_the_host_when_no_hook_is_run() {
    let Some(mut bundle) = Bed::new() else { return };
    // Engines pass on what an image says.
    let file = bundle.path("made");
    bundle.config["annotations"] =
        json!({"run.oci.hooks.stdout": file, "run.oci.hooks.stderr": file});
    bundle.config["process"]["args"] = json!(["/bin/busybox", "true"]);
    bundle.done(&["run", "annotated"]);
    assert!(!file.exists());
}

#[test]
fn a_state_that_another_user_could_write_is_not_believed() {
    let Some(mut bundle) = Bed::new() else { return };
    let made = bundle.path("made");
    bundle.config["process"]["args"] = json!(["/bin/busybox", "true"]);
    bundle.config["hooks"] = json!({"poststop": [
        {"path": BUSYBOX, "args": ["busybox", "touch", made]}
    ]});
    bundle.done(&["run", "--keep", "foreign"]);
    let state = bundle.path("state/foreign");
    chown(&state, Some(1000), None).unwrap();
    let refused = bundle.run(&["delete", "--force", "foreign"]);
    assert!(!refused.status.success());
    assert!(!made.exists(), "the hook was run");
    chown(&state, Some(0), None).unwrap();
    bundle.done(&["delete", "foreign"]);
    assert!(made.exists());
}

#[test]
fn the_directory_of_the_notification_socket_is_not_written_to_from_inside() {
    let Some(mut bundle) = Bed::new() else { return };
    let manager = bundle.path("manager");
    let _manager = UnixDatagram::bind(&manager).unwrap();
    // It is on the host's /run, which is small and not the container's to fill.
    bundle.config["process"]["args"] = json!(["/bin/busybox", "touch", "/run/notify/filled"]);
    let output = bundle.command(&["run", "notify"]).env("NOTIFY_SOCKET", manager).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("Read-only file system"), "{said}");
}

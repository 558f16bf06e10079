//! Compiled filters are kept in `/var/cache/creel`, and believed only when nobody else could have written them.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::{BUSYBOX, CREEL};
use serde_json::json;

/// A bundle whose program may not make a directory, with a state directory of its own.
struct Bundle {
    directory: tempfile::TempDir,
}

impl Bundle {
    fn new() -> Self {
        let rule =
            json!({ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95 });
        let directory = common::bundle(|config| {
            config["process"]["args"] = json!(["/bin/busybox", "mkdir", "/dev/made"]);
            config["linux"]["seccomp"] =
                json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] });
        });
        let bundle = Self { directory };
        fs::create_dir(bundle.cache()).unwrap();
        bundle
    }

    /// What is at `/var/cache` for the runtime.
    fn cache(&self) -> PathBuf {
        self.directory.path().join("cache")
    }

    fn filters(&self) -> PathBuf {
        self.cache().join("creel")
    }

    fn run(&self, name: &str) -> Command {
        let mut command = Command::new("unshare");
        let bind = "mount --bind \"$0\" /var/cache && exec \"$@\"";
        command.args(["--mount", "sh", "-c", bind]).arg(self.cache()).arg(CREEL);
        command.arg("--root").arg(self.directory.path().join("state")).arg("run");
        command.arg(format!("filters-{name}-{}", std::process::id()));
        command.current_dir(self.directory.path()).stdin(Stdio::null());
        command
    }

    /// The filter is in force: the call fails as the profile says.
    fn is_filtered(&self, name: &str) {
        assert_filtered(&self.run(name).output().unwrap(), name);
    }

    /// The one filter that is kept.
    fn file(&self) -> PathBuf {
        let files: Vec<PathBuf> =
            fs::read_dir(self.filters()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].clone()
    }
}

fn assert_filtered(output: &Output, name: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("Operation not supported") || said.contains("Not supported"),
        "{name}: {said}"
    );
}

fn is_possible() -> bool {
    let possible = rustix::process::geteuid().is_root() && Path::new(BUSYBOX).exists();
    if !possible {
        println!("skipped: needs root and busybox-static");
    }
    possible
}

#[test]
fn a_second_container_reads_the_filter_of_the_first() {
    if !is_possible() {
        return;
    }
    let bundle = Bundle::new();
    bundle.is_filtered("first");
    let file = bundle.file();
    let kept = fs::metadata(&file).unwrap();
    assert_eq!((kept.uid(), kept.mode() & 0o777), (0, 0o600));
    assert_eq!(fs::metadata(bundle.filters()).unwrap().mode() & 0o777, 0o700);
    bundle.is_filtered("second");
    assert_eq!(fs::metadata(bundle.file()).unwrap().ino(), kept.ino(), "it was written again");
    let left: Vec<_> = fs::read_dir(bundle.directory.path().join("state")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_filter_that_another_could_have_written_is_replaced() {
    if !is_possible() {
        return;
    }
    let bundle = Bundle::new();
    bundle.is_filtered("first");
    let file = bundle.file();
    let whole = fs::read(&file).unwrap();
    // One that allows everything, and is of no use.
    let mut allowing = whole.clone();
    allowing.iter_mut().skip(40).for_each(|byte| *byte = 0);
    let spoil: [(&str, &dyn Fn()); 6] = [
        ("truncated", &|| fs::write(&file, &whole[..whole.len() / 2]).unwrap()),
        ("wrong", &|| fs::write(&file, &allowing).unwrap()),
        ("empty", &|| fs::write(&file, b"").unwrap()),
        ("foreign", &|| chown(&file, Some(1000), None).unwrap()),
        ("writable", &|| fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap()),
        ("a-link", &|| {
            let elsewhere = bundle.directory.path().join("elsewhere");
            fs::rename(&file, &elsewhere).unwrap();
            symlink(&elsewhere, &file).unwrap();
        }),
    ];
    for (what, spoil) in spoil {
        spoil();
        bundle.is_filtered(what);
        let kept = fs::symlink_metadata(&file).unwrap();
        assert!(kept.is_file(), "{what}");
        assert_eq!((kept.uid(), kept.mode() & 0o777), (0, 0o600), "{what}");
        assert_eq!(fs::read(&file).unwrap(), whole, "{what}");
    }
}

#[test]
fn a_directory_of_another_is_not_used() {
    if !is_possible() {
        return;
    }
    let bundle = Bundle::new();
    fs::create_dir(bundle.filters()).unwrap();
    chown(bundle.filters(), Some(1000), Some(1000)).unwrap();
    bundle.is_filtered("foreign");
    fs::set_permissions(bundle.filters(), Permissions::from_mode(0o777)).unwrap();
    chown(bundle.filters(), Some(0), Some(0)).unwrap();
    bundle.is_filtered("open");
    assert_eq!(fs::read_dir(bundle.filters()).unwrap().count(), 0);
}

#[test]
fn containers_at_once_all_have_their_filter() {
    if !is_possible() {
        return;
    }
    let bundle = Bundle::new();
    let start = |number: usize| {
        let mut command = bundle.run(&number.to_string());
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let all: Vec<_> = (0..8).map(start).collect();
    for (number, run) in all.into_iter().enumerate() {
        assert_filtered(&run.wait_with_output().unwrap(), &number.to_string());
    }
    bundle.file();
}

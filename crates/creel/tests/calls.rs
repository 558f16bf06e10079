//! What a command asks of the kernel, counted with strace: what must not grow with the host or the config, and what
//! waits for the kernel longer than everything else takes.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::CREEL;
use serde_json::json;

/// A bundle whose program ends at once, with a state directory of its own.
struct Bundle {
    directory: tempfile::TempDir,
}

impl Bundle {
    /// With so many tmpfs more than the default config has mounts.
    fn new(mounts: usize) -> Self {
        let more = (0..mounts).map(|number| {
            json!({ "destination": format!("/m/{number}"), "type": "tmpfs", "source": "tmpfs" })
        });
        let directory = common::bundle(|config| {
            config["process"]["args"] = json!(["/bin/busybox", "true"]);
            config["root"]["readonly"] = json!(false);
            config["mounts"].as_array_mut().unwrap().extend(more);
        });
        Self { directory }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The system calls of a command and its children, a line each. `before` is a shell's command that is run first, in a
    /// mount namespace of its own.
    fn calls(&self, before: &str, words: &str) -> Vec<String> {
        let (trace, state) = (self.path().join("trace"), self.path().join("state"));
        let line = format!(
            "{before} exec strace -f -qq -o {} {CREEL} --root {} {words}",
            trace.display(),
            state.display()
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "/bin/sh", "-ec", line.as_str()]);
        let status = command.current_dir(self.path()).stdin(Stdio::null()).status().unwrap();
        assert!(status.success(), "{words}");
        // A call that waited has two lines.
        let is_call = |line: &&str| !line.contains(" resumed>") && !line.contains(" +++ ");
        fs::read_to_string(trace).unwrap().lines().filter(is_call).map(str::to_owned).collect()
    }

    fn creel(&self, words: &[&str]) {
        let mut command = Command::new(CREEL);
        command.arg("--root").arg(self.path().join("state")).args(words).current_dir(self.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(command.status().unwrap().success(), "{words:?}");
    }
}

fn is_possible() -> bool {
    let found = |program: &str| {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&paths).any(|path| path.join(program).exists())
    };
    let possible = rustix::process::geteuid().is_root()
        && found("strace")
        && Path::new(common::BUSYBOX).exists();
    if !possible {
        println!("skipped: needs root, strace and busybox-static");
    }
    possible
}

fn id(name: &str) -> String {
    format!("calls-{name}-{}", std::process::id())
}

/// Files in which the kernel lists mounts: each reading of them takes as long as the host has mounts.
fn lists_mounts(line: &&String) -> bool {
    line.contains("/mountinfo\"") || line.contains("/mounts\"") || line.contains("\"mountinfo\"")
}

#[test]
fn nothing_reads_the_list_of_mounts_and_each_mount_costs_the_same() {
    if !is_possible() {
        return;
    }
    let calls = |mounts: usize| {
        let id = id(&format!("mounts-{mounts}"));
        let calls = Bundle::new(mounts).calls("", &format!("run {id}"));
        assert_eq!(calls.iter().find(lists_mounts), None);
        calls.len()
    };
    let [none, some, many] = [0, 50, 150].map(calls);
    let (first, second) = (some - none, many - some);
    // Twice as many more, twice as many calls: what is waited for makes a few more or fewer.
    assert!(second.abs_diff(2 * first) < first / 5, "{none}, {some}, {many}");
}

#[test]
fn mounts_of_the_host_cost_no_call() {
    if !is_possible() {
        return;
    }
    let bundle = Bundle::new(0);
    let calls = |name: &str, before: &str| {
        let calls = bundle.calls(before, &format!("run {}", id(name)));
        assert_eq!(calls.iter().find(lists_mounts), None);
        calls.len()
    };
    let few = calls("few", "");
    let before = "mkdir h; mount -t tmpfs tmpfs h; \
        for i in $(seq 200); do mkdir h/$i; mount --bind h/$i h/$i; done;";
    let many = calls("many", before);
    assert!(many.abs_diff(few) < 100, "{few}, with 200 mounts more {many}");
}

#[test]
fn a_process_enters_its_v1_cgroups_by_itself() {
    if !is_possible() {
        return;
    }
    let count = |calls: &[String], what: &str| calls.iter().filter(|it| it.contains(what)).count();
    let bundle = Bundle::new(0);
    let run = bundle.calls("", &format!("run {}", id("run")));
    let hierarchies = count(&run, "tasks\", O_WRONLY");
    if hierarchies == 0 {
        println!("skipped: there is no v1 hierarchy");
        return;
    }
    // The child is who gets the files.
    let child = run.iter().find(|it| it.contains(" recvmsg(")).unwrap().split(' ').next().unwrap();
    let own: Vec<String> = run.iter().filter(|it| it.starts_with(child)).cloned().collect();
    assert_eq!(count(&own, ", \"0\", 1"), hierarchies);
    assert_eq!(
        count(&run, "cgroup.procs\", O_WRONLY"),
        0,
        "moved by another: that takes milliseconds"
    );
    common::edit(bundle.path(), |config| {
        config["process"]["args"] = json!(["/bin/busybox", "sleep", "600"]);
    });
    let id = id("exec");
    bundle.creel(&["run", "--detach", &id]);
    let exec = bundle.calls("", &format!("exec {id} /bin/busybox true"));
    bundle.creel(&["delete", "--force", &id]);
    assert_eq!(count(&exec, ", \"0\", 1"), hierarchies);
}

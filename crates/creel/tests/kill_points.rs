//! The runtime ended at every point of every command, and before and after each step of its child: what is left tells
//! the truth, `delete --force` removes it all, and the id can be used again.
//!
//! `cargo test -p creel --features kill-points --test kill_points`; a new step is covered without a new line here.

#![cfg(feature = "kill-points")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "a test")]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const CREEL: &str = env!("CARGO_BIN_EXE_creel");

/// A bundle and a state directory of the test's own.
struct Bed {
    directory: tempfile::TempDir,
    id: String,
}

impl Bed {
    fn new(id: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir_all(root.join("rootfs/bin")).unwrap();
        fs::copy("/bin/busybox", root.join("rootfs/bin/busybox")).unwrap();
        let spec = Command::new(CREEL).args(["spec", "--bundle"]).arg(root).status();
        assert!(spec.unwrap().success());
        let path = root.join("config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        config["process"]["terminal"] = json!(false);
        config["process"]["args"] = json!(["/bin/busybox", "sleep", "600"]);
        let hook = json!([{ "path": "/bin/true" }]);
        config["hooks"] = json!({ "createRuntime": hook, "poststart": hook, "poststop": hook });
        fs::write(path, config.to_string()).unwrap();
        Self { directory, id: format!("{id}-{}", std::process::id()) }
    }

    fn call(&self, words: &[&str], kill_at: Option<&str>) -> Output {
        let mut command = Command::new(CREEL);
        command.arg("--root").arg(self.directory.path().join("state"));
        command.env_remove("CREEL_KILL_AT");
        command.envs(kill_at.map(|point| ("CREEL_KILL_AT", point)));
        command.args(words).current_dir(self.directory.path()).stdin(std::process::Stdio::null());
        // Output by files: a child that outlives the command would keep a pipe open.
        let file = |name| fs::File::create(self.directory.path().join(name)).unwrap();
        let status = command.stdout(file("out")).stderr(file("err")).status().unwrap();
        let read = |name| fs::read(self.directory.path().join(name)).unwrap();
        Output { status, stdout: read("out"), stderr: read("err") }
    }

    fn done(&self, words: &[&str]) {
        let output = self.call(words, None);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {error}");
    }

    fn prepare(&self, command: &str) {
        if ["start", "exec", "delete"].contains(&command) {
            self.done(&["create", &self.id]);
        }
        if ["exec", "delete"].contains(&command) {
            self.done(&["start", &self.id]);
        }
    }

    /// Kills the command at `point`; false if it never passes it.
    fn kills(&self, command: &str, point: &str) -> bool {
        self.prepare(command);
        let id = self.id.as_str();
        let words: Vec<&str> = match command {
            "run" => vec!["run", "--detach", id],
            "exec" => vec!["exec", id, "/bin/busybox", "true"],
            "delete" => vec!["delete", "--force", id],
            other => vec![other, id],
        };
        let output = self.call(&words, Some(point));
        let killed = output.status.signal() == Some(9);
        assert!(killed || output.status.success(), "{command} {point}: {output:?}");
        self.check(&format!("{command} {point}"));
        killed
    }

    fn check(&self, what: &str) {
        let state = self.call(&["state", &self.id], None);
        if state.status.success() {
            let state: Value = serde_json::from_slice(&state.stdout).unwrap();
            let alive = Path::new(&format!("/proc/{}", state["pid"])).exists();
            let lives = ["created", "running"].contains(&state["status"].as_str().unwrap());
            assert!(!lives || alive, "{what}: {state}");
        }
        self.done(&["delete", "--force", &self.id]);
        assert!(!self.directory.path().join("state").join(&self.id).exists(), "{what}");
        assert_eq!(self.cgroups(), Vec::<String>::new(), "{what} leaves a cgroup");
        self.done(&["run", "--detach", &self.id]);
        self.done(&["delete", "--force", &self.id]);
    }

    fn cgroups(&self) -> Vec<String> {
        let path = |name: &str| format!("/sys/fs/cgroup/{name}/creel/{}", self.id);
        let names = fs::read_dir("/sys/fs/cgroup").unwrap().flatten();
        let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let all = names.map(|name| path(&name)).chain([path(".")]);
        all.filter(|path| Path::new(path).exists()).collect()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.call(&["delete", "--force", &self.id], None);
    }
}

/// The host's mounts that have to do with the test: others come and go meanwhile.
fn mounts(bed: &Bed) -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let directory = bed.directory.path().to_str().unwrap();
    let ours = |line: &&str| line.contains(directory) || line.contains(&bed.id);
    table.lines().filter(ours).map(str::to_owned).collect()
}

/// Every point of `command` on `side`, up to the first that it never passes.
fn sweep(command: &str, side: &str) {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: it needs root");
        return;
    }
    let bed = Bed::new(&format!("kill-{command}-{side}"));
    let begin = Instant::now();
    let mut points = 0;
    while bed.kills(command, &format!("{side}:{}", points + 1)) {
        points += 1;
        assert!(begin.elapsed() < Duration::from_secs(300), "{command}: {points} points");
    }
    assert!(points > 1, "{command} was killed at {points} points on the side of the {side}");
    assert_eq!(mounts(&bed), Vec::<String>::new(), "{command} leaves a mount");
    println!("{command}: killed at {points} points, {side}");
}

#[test]
fn a_create_killed_anywhere_leaves_nothing_that_delete_does_not_remove() {
    sweep("create", "creator");
}

#[test]
fn a_create_killed_before_any_step_of_its_child_leaves_nothing() {
    sweep("create", "child");
}

#[test]
fn a_create_killed_after_any_step_of_its_child_leaves_nothing() {
    sweep("create", "child-after");
}

#[test]
fn a_run_killed_anywhere_leaves_nothing_that_delete_does_not_remove() {
    sweep("run", "creator");
}

#[test]
fn a_start_killed_anywhere_leaves_nothing_that_delete_does_not_remove() {
    sweep("start", "creator");
}

#[test]
fn an_exec_killed_anywhere_leaves_nothing_that_delete_does_not_remove() {
    sweep("exec", "creator");
}

#[test]
fn an_exec_killed_before_any_step_of_its_child_leaves_nothing() {
    sweep("exec", "child");
}

#[test]
fn a_delete_killed_anywhere_can_be_done_again() {
    sweep("delete", "creator");
}

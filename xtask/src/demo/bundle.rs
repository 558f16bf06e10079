//! The demo's directory, with its bundle.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Runtime;
use crate::output;
use crate::repo::{self, Repo};

const DIRS: [&str; 9] = ["bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "usr"];
const APPLETS: [&str; 13] = [
    "sh", "cat", "echo", "false", "free", "grep", "hostname", "id", "ls", "ps", "sleep", "tr",
    "true",
];

/// A directory for everything the demo makes. It goes away with this value.
pub(super) struct Workplace {
    dir: PathBuf,
}

impl Workplace {
    pub(super) fn new() -> Result<Self> {
        // Short, for podman keeps sockets below it, whose paths have to fit into 107 bytes.
        let dir = std::env::temp_dir().join(format!("creel-demo-{}", std::process::id()));
        fs::create_dir_all(dir.join("bundle")).with_context(|| dir.display().to_string())?;
        Ok(Self { dir })
    }

    pub(super) fn path(&self) -> &Path {
        &self.dir
    }

    pub(super) fn bundle(&self) -> String {
        self.dir.join("bundle").display().to_string()
    }

    pub(super) fn rootfs(&self) -> PathBuf {
        self.dir.join("bundle/rootfs")
    }

    /// A root filesystem from the machine's static busybox, or a Debian.
    pub(super) fn make_rootfs(&self, repo: &Repo, is_debian: bool) -> Result<()> {
        let rootfs = self.rootfs();
        if is_debian {
            return debian(repo, &rootfs);
        }
        for dir in DIRS {
            fs::create_dir_all(rootfs.join(dir))?;
        }
        let busybox = repo.find_program("busybox").context("no busybox")?;
        fs::copy(busybox, rootfs.join("bin/busybox"))?;
        for applet in APPLETS {
            symlink("busybox", rootfs.join("bin").join(applet))?;
        }
        fs::write(rootfs.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n")?;
        Ok(())
    }

    /// The runtime's own default config, with limits, and with cgroups to be seen.
    pub(super) fn make_config(&self, runtime: &Runtime) -> Result<()> {
        let mut spec = runtime.repo.command(&runtime.path);
        repo::output(spec.arg("spec").current_dir(self.dir.join("bundle")))?;
        self.edit(|config| {
            set(config, "/process/terminal", json!(false))?;
            set(config, "/hostname", json!("creel-demo"))?;
            set(config, "/linux/resources/memory", json!({ "limit": 64 << 20 }))?;
            set(config, "/linux/resources/pids", json!({ "limit": 64 }))?;
            let mounts = config.pointer_mut("/mounts").and_then(Value::as_array_mut);
            let mounts = mounts.context("the default config has no mounts")?;
            if !mounts.iter().any(|mount| mount.get("type") == Some(&json!("cgroup"))) {
                mounts.push(json!({
                    "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
                    "options": ["nosuid", "noexec", "nodev", "relatime", "ro"],
                }));
            }
            Ok(())
        })
    }

    pub(super) fn set_args(&self, args: &[&str]) -> Result<()> {
        self.edit(|config| set(config, "/process/args", json!(args)))
    }

    /// The bundle in a few lines.
    pub(super) fn summary(&self) -> Result<String> {
        let config = self.config()?;
        let count =
            |pointer: &str| config.pointer(pointer).and_then(Value::as_array).map_or(0, Vec::len);
        Ok(format!(
            "{}/config.json: {} mounts, {} namespaces, 64 MiB of memory, 64 processes\n{}",
            self.bundle(),
            count("/mounts"),
            count("/linux/namespaces"),
            self.rootfs().display()
        ))
    }

    fn config(&self) -> Result<Value> {
        Ok(serde_json::from_slice(&fs::read(self.dir.join("bundle/config.json"))?)?)
    }

    fn edit(&self, change: impl FnOnce(&mut Value) -> Result<()>) -> Result<()> {
        let mut config = self.config()?;
        change(&mut config)?;
        fs::write(self.dir.join("bundle/config.json"), serde_json::to_vec_pretty(&config)?)?;
        Ok(())
    }
}

impl Drop for Workplace {
    /// podman's own cleaning may still be at work when podman has returned: so more than once.
    fn drop(&mut self) {
        for _ in 0..50 {
            unmount_below(&self.dir);
            if fs::remove_dir_all(&self.dir).is_ok() || !self.dir.exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        output::note(&format!("{} could not be removed", self.dir.display()));
    }
}

/// Unmounts what a container engine that failed has left mounted, the last mount first.
fn unmount_below(dir: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points = mounts.lines().rev().filter_map(|line| line.split(' ').nth(1));
    for point in points.filter(|point| Path::new(point).starts_with(dir)) {
        let _ = rustix::mount::unmount(point, rustix::mount::UnmountFlags::DETACH);
    }
}

/// Puts a member into the object at its parent's pointer.
fn set(config: &mut Value, pointer: &str, value: Value) -> Result<()> {
    let (parent, name) = pointer.rsplit_once('/').context("a pointer")?;
    let object = config.pointer_mut(parent).and_then(Value::as_object_mut);
    object
        .with_context(|| format!("the default config has no {parent}"))?
        .insert(name.into(), value);
    Ok(())
}

/// A minimal Debian; made once, unpacked for each demo.
fn debian(repo: &Repo, rootfs: &Path) -> Result<()> {
    let archive = repo.target.join("demo-debian.tar");
    if !archive.exists() {
        output::note("mmdebstrap makes a Debian root filesystem, once");
        let new = repo.target.join("demo-debian.new.tar");
        let mut command = repo.command("mmdebstrap");
        command.args(["--quiet", "--variant=minbase", "bookworm"]).arg(&new);
        repo::output(&mut command)?;
        fs::rename(new, &archive)?;
    }
    fs::create_dir_all(rootfs)?;
    let mut tar = repo.command("tar");
    repo::run(
        tar.args(["--extract", "--numeric-owner", "--directory"])
            .arg(rootfs)
            .arg("--file")
            .arg(&archive),
    )
}

//! Finds what a test left behind, and removes it so that the next test is not disturbed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use crate::{Runtime, wait};

/// Where runtimes keep files besides their state directory.
const PLACES: [&str; 10] = [
    "/tmp",
    "/var/tmp",
    "/run",
    "/dev/shm",
    "/run/creel",
    "/run/runc",
    "/run/crun",
    "/run/youki",
    "/run/lock",
    "/run/netns",
];
/// How long processes that have been killed may take to disappear.
const PATIENCE: Duration = Duration::from_secs(15);

/// Network links and named network namespaces of the machine, which no test's id may tell apart.
#[must_use]
pub fn host_networks() -> std::collections::BTreeSet<PathBuf> {
    let entries = ["/sys/class/net", "/run/netns"]
        .into_iter()
        .flat_map(|place| fs::read_dir(place).into_iter().flatten());
    entries.flatten().map(|entry| entry.path()).collect()
}

/// What was there before a test.
#[derive(Debug)]
pub struct Watch {
    fds: Vec<String>,
}

impl Watch {
    /// Remembers what there is now.
    #[must_use]
    pub fn begin() -> Self {
        Self { fds: open_fds() }
    }

    /// Everything that is left, one line each.
    #[must_use]
    pub fn end(self, runtime: &Runtime) -> Vec<String> {
        let id = runtime.id();
        let mut found = left(runtime, id);
        // The directory of the whole run is named like the ids in it, but does not contain one.
        found.extend(PLACES.iter().flat_map(|place| names(Path::new(place), id, "file")));
        found.extend(names(Path::new("/sys/class/net"), id, "network link"));
        let fds = open_fds();
        found.extend(
            fds.into_iter().filter(|fd| !self.fds.contains(fd)).map(|fd| format!("open fd {fd}")),
        );
        found
    }
}

/// What is left of a container: its processes, cgroups, mounts and state, none of which is touched.
#[must_use]
pub fn seen(runtime: &Runtime, id: &str, patience: Duration) -> Vec<String> {
    let end = Instant::now() + patience;
    let mut found = Vec::new();
    reap();
    for pid in children(std::process::id().cast_signed()) {
        let rest = end.saturating_duration_since(Instant::now());
        let ended = wait::pidfd(pid)
            .map(|fd| fd.is_none_or(|fd| wait::readable(fd, rest).unwrap_or(false)));
        if !ended.unwrap_or(true) {
            found.push(format!("process {pid}: {}", command_line(pid)));
        }
    }
    reap();
    let mut groups = Vec::new();
    find_cgroups(Path::new("/sys/fs/cgroup"), id, &mut groups);
    found.extend(groups.iter().map(|path| format!("cgroup {}", path.display())));
    found.extend(mount_points(runtime.directory()).iter().map(|point| format!("mount on {point}")));
    found.extend(names(&runtime.root(), id, "state"));
    found
}

/// What is left of a container: its processes, cgroups, mounts and state; all but the state is removed.
#[must_use]
pub fn left(runtime: &Runtime, id: &str) -> Vec<String> {
    let mut found = processes();
    found.extend(cgroups(id));
    found.extend(mounts(runtime.directory()));
    found.extend(names(&runtime.root(), id, "state"));
    found
}

fn open_fds() -> Vec<String> {
    let entries = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let named = |entry: fs::DirEntry| {
        let target = fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned();
        // The directory that is being listed.
        let is_listing = target.ends_with("/fd");
        (!is_listing).then(|| format!("{} -> {target}", entry.file_name().to_string_lossy()))
    };
    entries.filter_map(named).collect()
}

/// Reaps what has ended; kills and reports what has not.
fn processes() -> Vec<String> {
    let mut found = Vec::new();
    loop {
        reap();
        let Some(pid) = children(std::process::id().cast_signed()).into_iter().next() else {
            return found;
        };
        let Ok(Some(fd)) = wait::pidfd(pid) else { continue };
        if !wait::readable(&fd, PATIENCE).unwrap_or(false) {
            found.push(format!("process {pid}: {}", command_line(pid)));
            let _gone_already = rustix::process::pidfd_send_signal(&fd, Signal::KILL);
            let _killed = wait::readable(&fd, PATIENCE);
        }
        if found.len() > 20 {
            return found;
        }
    }
}

/// Reaps every child that has ended.
pub fn reap() {
    while let Ok(Some(_)) =
        rustix::process::waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
    {}
}

/// Children of a process, all threads'.
#[must_use]
pub fn children(pid: i32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<_>>()
        })
        .collect()
}

/// All processes below a process, the nearest first.
#[must_use]
pub fn descendants(pid: i32) -> Vec<i32> {
    let mut all = children(pid);
    let mut next = 0;
    while let Some(parent) = all.get(next).copied() {
        all.extend(children(parent));
        next += 1;
    }
    all
}

/// Kills one process by its id.
pub fn kill(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _gone_already = rustix::process::kill_process(pid, Signal::KILL);
    }
}

fn command_line(pid: i32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
    if text.is_empty() {
        fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default()
    } else {
        text
    }
}

fn cgroups(id: &str) -> Vec<String> {
    let mut found = Vec::new();
    find_cgroups(Path::new("/sys/fs/cgroup"), id, &mut found);
    // The deepest come last.
    for path in found.iter().rev() {
        let _reported_anyway = fs::remove_dir(path);
    }
    found.iter().map(|path| format!("cgroup {}", path.display())).collect()
}

fn find_cgroups(directory: &Path, id: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let path = entry.path();
            if path.to_string_lossy().contains(id) {
                found.push(path.clone());
            }
            find_cgroups(&path, id, found);
        }
    }
}

fn mounts(directory: &Path) -> Vec<String> {
    let points = mount_points(directory);
    for point in points.iter().rev() {
        let _reported_anyway =
            rustix::mount::unmount(point.as_str(), rustix::mount::UnmountFlags::DETACH);
    }
    points.iter().map(|point| format!("mount on {point}")).collect()
}

fn mount_points(directory: &Path) -> Vec<String> {
    let all = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let beneath = format!("{}/", directory.display());
    let points = all.lines().filter_map(|line| line.split(' ').nth(4));
    points.filter(|point| point.starts_with(&beneath)).map(String::from).collect()
}

fn names(directory: &Path, id: &str, what: &str) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let found = entries.filter(|entry| entry.file_name().to_string_lossy().contains(id));
    found.map(|entry| format!("{what} {}", entry.path().display())).collect()
}

//! The world of one case: its processes, mounts and `/run` end with it, even if it is killed.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use harness::{Runtime, leak, wait};
use rustix::mount::{MountFlags, UnmountFlags};
use rustix::process::Signal;

const INSIDE: &str = "ENGINES_INSIDE";
/// Cgroups of engines begin so; the case's id follows.
const CGROUP: &str = "engines-";
/// How long processes that an engine has left may need to come to their end.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether this worker has entered its namespaces.
pub(crate) fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs this program again as the first process of a pid namespace, which ends with its parent. Returns
/// only if that fails.
pub(crate) fn enter() -> anyhow::Error {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error.into(),
    };
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)) {
        return error.into();
    }
    let error = Command::new("unshare")
        .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"])
        .arg(program)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        .exec();
    anyhow!("unshare: {error}")
}

/// Gives the case a `/run` of its own, where engines and runtimes keep sockets and states.
///
/// # Errors
/// If it cannot be mounted.
pub(crate) fn begin() -> anyhow::Result<()> {
    rustix::mount::mount("tmpfs", "/run", "tmpfs", MountFlags::empty(), Some(c"mode=755"))
        .context("mount a tmpfs on /run")?;
    fs::create_dir_all("/run/lock").context("/run/lock")
}

/// The cgroup below which everything of the case is, from the root of each hierarchy.
pub(crate) fn cgroup(rt: &Runtime) -> String {
    format!("{CGROUP}{}", rt.id())
}

/// Waits for all processes of the case to end, and reports what the runtime forgot: states and cgroups
/// of containers. What the engine itself leaves is removed.
///
/// # Errors
/// With what was left.
pub(crate) fn end(rt: &Runtime) -> anyhow::Result<()> {
    let mut left = processes()?;
    left.extend(states());
    for top in tops(|name| name == cgroup(rt)) {
        let mut below = Vec::new();
        directories(&top, &mut below);
        let containers = below.iter().filter(|path| !is_engines(path));
        left.extend(containers.map(|path| format!("cgroup {}", path.display())));
        below.iter().rev().chain([&top]).for_each(|path| {
            let _reported_if_busy = fs::remove_dir(path);
        });
    }
    unmount(rt.directory());
    if !left.is_empty() {
        bail!("left by the runtime under this engine:\n  {}", left.join("\n  "));
    }
    Ok(())
}

/// podman keeps cgroups of its own beside the containers': for its monitors, and for a pod.
fn is_engines(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name == "conmon" || (name.len() == 64 && name.chars().all(|c| c.is_ascii_hexdigit()))
}

fn processes() -> anyhow::Result<Vec<String>> {
    let (end, mut left) = (Instant::now() + wait::paced(PATIENCE), Vec::new());
    loop {
        leak::reap();
        let Some(pid) = leak::children(std::process::id().cast_signed()).into_iter().next() else {
            return Ok(left);
        };
        let Some(fd) = wait::pidfd(pid)? else { continue };
        if !wait::readable(&fd, end.saturating_duration_since(Instant::now()))? {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            left.push(format!(
                "process {pid}: {}",
                String::from_utf8_lossy(&line).replace('\0', " ")
            ));
            let _gone_already = rustix::process::pidfd_send_signal(&fd, Signal::KILL);
            wait::readable(&fd, PATIENCE)?;
        }
    }
}

/// State directories of containers below the places where a runtime looks without `--root`: each has the
/// engine's id of the container for its name.
fn states() -> Vec<String> {
    let places = ["creel", "runc", "crun", "youki"].map(|name| Path::new("/run").join(name));
    let entries = places.iter().filter_map(|place| fs::read_dir(place).ok()).flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().len() == 64);
    named.map(|entry| format!("state {}", entry.path().display())).collect()
}

/// Cgroups right below the root of a hierarchy whose names fit.
fn tops(fits: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let hierarchies = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let places = std::iter::once(root.to_path_buf()).chain(hierarchies.map(|entry| entry.path()));
    let below = places.filter_map(|place| fs::read_dir(place).ok()).flatten().flatten();
    below.filter(|e| e.file_name().to_str().is_some_and(&fits)).map(|e| e.path()).collect()
}

fn directories(path: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.push(entry.path());
            directories(&entry.path(), found);
        }
    }
}

fn unmount(directory: &Path) {
    let all = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let beneath = format!("{}/", directory.display());
    let points = all.lines().filter_map(|line| line.split(' ').nth(4));
    let points: Vec<&str> = points.filter(|point| point.starts_with(&beneath)).collect();
    for point in points.iter().rev() {
        let _found_by_the_frame = rustix::mount::unmount(*point, UnmountFlags::DETACH);
    }
}

/// Removes the empty cgroups and directories of runs that were killed: their processes and mounts have
/// ended with them.
pub(crate) fn sweep() {
    let is_stale = |name: &str| {
        let rest = name.strip_prefix(CGROUP).unwrap_or(name).strip_prefix("ct-");
        let runner = rest.and_then(|rest| rest.split('-').next());
        runner
            .is_some_and(|pid| pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).is_dir())
    };
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(is_stale) {
            let _with_files_of_someone = fs::remove_dir(entry.path());
        }
    }
    for top in tops(is_stale) {
        let mut below = vec![top.clone()];
        directories(&top, &mut below);
        below.iter().rev().for_each(|path| {
            let _still_in_use = fs::remove_dir(path);
        });
    }
}

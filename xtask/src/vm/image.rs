//! The machine's image: where it is, what it needs, how it is made.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::deps::{self, Purpose};
use crate::repo::{self, Repo};

/// What the image and its making take of the disk: 1.3 GB for the tree, 1 GB for the image, and some packages.
const DISK: u64 = 5 << 30;
/// The machine's 2 GiB, and something for what else runs here.
const MEMORY: u64 = 3 << 30;

/// Where the image is.
pub(super) fn directory(repo: &Repo) -> PathBuf {
    std::env::var_os("VM_DIR").map_or_else(|| repo.target.join("vm"), PathBuf::from)
}

/// Whether the image is there.
pub fn is_there(repo: &Repo) -> bool {
    directory(repo).join("root.img").exists()
}

/// What keeps this computer from making the image or starting the machine, as far as can be seen without trying.
pub fn obstacle(repo: &Repo) -> Option<String> {
    if std::env::consts::ARCH != "x86_64" {
        return Some(format!("it is an x86-64, this is {}", std::env::consts::ARCH));
    }
    if let Some(available) = available_memory().filter(|available| *available < MEMORY) {
        return Some(format!("it needs 3 GiB of memory, {} MiB are free", available >> 20));
    }
    if is_there(repo) {
        return None;
    }
    if !repo::is_root() {
        return Some(ROOT_ONLY.to_owned());
    }
    let directory = directory(repo);
    let free = free_space(&directory).filter(|free| *free < DISK)?;
    Some(format!("its image needs 5 GiB in {}, {} MiB are free", directory.display(), free >> 20))
}

/// Started, the machine needs no root.
const ROOT_ONLY: &str = "only root can make its image, whose files belong to many users";

/// Installs what starts the machine.
///
/// # Errors
/// When a package is missing that cannot be installed here.
pub(super) fn packages(repo: &Repo) -> Result<()> {
    deps::ensure(repo, &[Purpose::Vm])
}

/// Makes the image.
///
/// # Errors
/// When a package is missing, or the script fails.
pub(super) fn make(repo: &Repo) -> Result<()> {
    if !repo::is_root() {
        bail!("{ROOT_ONLY}");
    }
    packages(repo)?;
    repo::run(script(repo).arg("build"))
}

/// The script that does it all.
pub(super) fn script(repo: &Repo) -> Command {
    let mut command = repo.command(repo.root.join("tests/vm/vm"));
    command.env("VM_DIR", directory(repo));
    command
}

fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

/// Of the filesystem that has the directory, or will have it.
fn free_space(directory: &Path) -> Option<u64> {
    let there = directory.ancestors().find(|path| path.exists())?;
    let stat = rustix::fs::statvfs(there).ok()?;
    Some(stat.f_bavail * stat.f_frsize)
}

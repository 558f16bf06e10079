//! Root filesystem, volumes and tmpfs.

use std::fs;

use harness::{Cases, Outcome, ensure_eq};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount,
};

use super::{Podman, case, rows};
use crate::row::{Gives, Row};

const ROWS: &[Row] = &[
    Row {
        name: "the root filesystem can be written",
        flags: &[],
        command: &["sh", "-c", "echo x >/new && cat /new"],
        gives: Gives::Text("x"),
    },
    Row {
        name: "a read-only root filesystem cannot be written",
        flags: &["--read-only"],
        command: &["touch", "/new"],
        gives: Gives::Error(1, &["read-only file system"]),
    },
    Row {
        name: "a read-only container has places to write to",
        flags: &["--read-only"],
        command: &["sh", "-c", "for d in /tmp /run /dev/shm; do touch $d/x && echo $d; done"],
        gives: Gives::Text("/tmp\n/run\n/dev/shm"),
    },
    Row {
        name: "a volume can be written",
        flags: &["--volume={dir}/share:/share"],
        command: &["sh", "-c", "echo text >/share/file && cat /share/file"],
        gives: Gives::Text("text"),
    },
    Row {
        name: "a read-only volume cannot be written",
        flags: &["--volume={dir}/share:/share:ro"],
        command: &["touch", "/share/file"],
        gives: Gives::Error(1, &["read-only file system"]),
    },
    Row {
        name: "a volume on a path that does not exist yet is mounted",
        flags: &["--volume={dir}/share:/no/such/path"],
        command: &["sh", "-c", "touch /no/such/path/file && ls /no/such/path"],
        gives: Gives::Text("file"),
    },
    Row {
        name: "a volume is a file",
        flags: &["--volume={dir}/containers.conf:/etc/a.conf:ro"],
        command: &["grep", "-c", "containers", "/etc/a.conf"],
        gives: Gives::Text("1"),
    },
    Row {
        name: "a volume has the options nosuid, nodev and noexec",
        flags: &["--volume={dir}/share:/share:nosuid,nodev,noexec"],
        command: &["sh", "-c", "grep ' /share ' /proc/mounts"],
        gives: Gives::Words(&["nosuid", "nodev", "noexec"]),
    },
    Row {
        name: "a named volume is filled from the image",
        flags: &["--volume=a-volume:/home"],
        command: &["ls", "/home"],
        gives: Gives::Text("user"),
    },
    Row {
        name: "a tmpfs has its size and mode",
        flags: &["--tmpfs=/mnt:size=1m,mode=1770"],
        command: &["sh", "-c", "stat -c %a /mnt; grep ' /mnt ' /proc/mounts"],
        gives: Gives::Words(&["1770", "tmpfs", "size=1024k"]),
    },
    Row {
        name: "a tmpfs keeps what the image has there",
        flags: &["--mount=type=tmpfs,destination=/home"],
        command: &["sh", "-c", "ls /home; grep -c ' /home tmpfs' /proc/mounts"],
        gives: Gives::Text("user\n1"),
    },
    Row {
        name: "shared memory has its size",
        flags: &["--shm-size=2m"],
        command: &["sh", "-c", "grep ' /dev/shm ' /proc/mounts"],
        gives: Gives::Words(&["tmpfs", "size=2048k"]),
    },
    Row {
        name: "proc, sys, mqueue and pts are mounted",
        flags: &[],
        command: &[
            "sh",
            "-c",
            "for m in /proc /sys /dev /dev/pts /dev/mqueue; do grep -c \" $m \" /proc/mounts; done",
        ],
        gives: Gives::Text("1\n1\n1\n1\n1"),
    },
    Row {
        name: "sys is read-only",
        flags: &[],
        command: &["touch", "/sys/kernel/x"],
        gives: Gives::Code(1),
    },
    Row {
        name: "the container's cgroup is seen at /sys/fs/cgroup, read-only",
        flags: &[],
        command: &[
            "sh",
            "-c",
            "ls /sys/fs/cgroup/memory/cgroup.procs /sys/fs/cgroup/cgroup.procs 2>/dev/null | wc -l; mkdir /sys/fs/cgroup/memory/x 2>&1 | wc -l",
        ],
        gives: Gives::Text("1\n1"),
    },
];

pub(super) fn register(cases: &mut Cases) {
    cases.section("podman#mounts", "");
    rows(cases, ROWS);
    case(cases, "a mount made later on the host appears in an rslave volume", slave);
    case(cases, "a mount made later on the host does not appear in a private volume", private);
    case(cases, "a mount made in an rshared volume appears on the host", shared);
}

/// Starts the service with a volume of this propagation, which has a shared mount on the host.
fn propagation(podman: &Podman<'_>, option: &str) -> anyhow::Result<std::path::PathBuf> {
    let volume = podman.rt.directory().join("volume");
    fs::create_dir(&volume)?;
    mount("tmpfs", &volume, "tmpfs", MountFlags::empty(), None)?;
    mount_change(&volume, MountPropagationFlags::SHARED)?;
    fs::create_dir(volume.join("later"))?;
    let flag = format!("--volume={}:/volume:{option}", volume.display());
    podman.service("box", &[&flag, "--cap-add=sys_admin"])?;
    Ok(volume.join("later"))
}

fn later(podman: &Podman<'_>, option: &str) -> anyhow::Result<bool> {
    let later = propagation(podman, option)?;
    mount("tmpfs", &later, "tmpfs", MountFlags::empty(), None)?;
    fs::write(later.join("file"), "")?;
    let (pid, _fd) = podman.process("box")?;
    let is_seen = fs::exists(format!("/proc/{pid}/root/volume/later/file"))?;
    unmount(&later, UnmountFlags::DETACH)?;
    Ok(is_seen)
}

fn slave(podman: &Podman<'_>) -> Outcome {
    ensure_eq("the mount is seen inside", later(podman, "rslave")?, true)
}

fn private(podman: &Podman<'_>) -> Outcome {
    ensure_eq("the mount is seen inside", later(podman, "rprivate")?, false)
}

fn shared(podman: &Podman<'_>) -> Outcome {
    let later = propagation(podman, "rshared")?;
    let script = "mount -t tmpfs x /volume/later && touch /volume/later/file";
    podman.podman(&["exec", "box", "sh", "-c", script])?.ok()?;
    ensure_eq("the mount is seen on the host", fs::exists(later.join("file"))?, true)
}

//! The kernel's share of `run` with the default config: the same namespaces, cgroups, mounts, masks
//! and credentials by bare system calls, with nothing parsed, checked, stored or protected.
//!
//! It is a yardstick, not a runtime: it knows one config, and trusts the root filesystem.

use std::ffi::CStr;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat, symlink};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive,
    mount_change, mount_remount, unmount,
};
use rustix::process::{Resource, Rlimit, chdir, pivot_root, setrlimit};
use rustix::thread::{
    CapabilitySet, CapabilitySets, remove_capability_from_bounding_set, set_capabilities,
    set_no_new_privs,
};

use crate::sys;

const CGROUPS: &str = "/sys/fs/cgroup";
const NO: MountFlags = MountFlags::NOSUID.union(MountFlags::NOEXEC).union(MountFlags::NODEV);
const DEVICES: [(&str, u32, u32); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];
const MASKED: [&str; 10] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/sys/firmware",
    "/proc/scsi",
];
const READ_ONLY: [&str; 5] =
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
/// What the default config allows, in the order of v1's devices controller.
const ALLOWED: [&str; 11] = [
    "c *:* m",
    "b *:* m",
    "c 1:3 rwm",
    "c 1:5 rwm",
    "c 1:7 rwm",
    "c 1:8 rwm",
    "c 1:9 rwm",
    "c 5:0 rwm",
    "c 5:1 rwm",
    "c 5:2 rwm",
    "c 136:* rwm",
];

/// Runs the program in a container, and exits as it does.
pub(crate) fn run(rootfs: &Path, program: &str) -> Result<ExitCode> {
    let cgroups = make_cgroups()?;
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let flags = libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWNS;
    let pid = sys::clone3(flags.unsigned_abs().into())?;
    if pid == 0 {
        drop(write);
        return Err(container(rootfs, program, &read).err().context("the container")?);
    }
    for cgroup in &cgroups {
        fs::write(cgroup.join("cgroup.procs"), pid.to_string())?;
    }
    drop(write); // the go
    let (status, _) = sys::wait4(pid)?;
    for cgroup in &cgroups {
        fs::remove_dir(cgroup)?;
    }
    Ok(if status == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A cgroup in every hierarchy there is, its device rules set.
fn make_cgroups() -> Result<Vec<PathBuf>> {
    let name = format!("floor-{}", std::process::id());
    let mut cgroups = Vec::new();
    if is_cgroup(Path::new(CGROUPS)) {
        let cgroup = Path::new(CGROUPS).join(name);
        fs::create_dir(&cgroup)?;
        return Ok(vec![cgroup]);
    }
    for hierarchy in fs::read_dir(CGROUPS)? {
        let hierarchy = hierarchy?;
        if !hierarchy.file_type()?.is_dir() || !is_cgroup(&hierarchy.path()) {
            continue;
        }
        let cgroup = hierarchy.path().join(&name);
        fs::create_dir(&cgroup)?;
        if hierarchy.file_name() == "cpuset" {
            for file in ["cpuset.cpus", "cpuset.mems"] {
                fs::write(cgroup.join(file), fs::read(hierarchy.path().join(file))?)?;
            }
        }
        if hierarchy.file_name() == "devices" {
            fs::write(cgroup.join("devices.deny"), "a")?;
            for rule in ALLOWED {
                fs::write(cgroup.join("devices.allow"), rule)?;
            }
        }
        cgroups.push(cgroup);
    }
    Ok(cgroups)
}

/// Whether a cgroup filesystem, of either version, is mounted there: a file may have any name.
fn is_cgroup(path: &Path) -> bool {
    const V1: i64 = 0x0027_e0eb;
    const V2: i64 = 0x6367_7270;
    rustix::fs::statfs(path).is_ok_and(|it| it.f_type == V1 || it.f_type == V2)
}

/// The child's side. It returns only when something failed.
fn container(rootfs: &Path, program: &str, go: &impl std::os::fd::AsFd) -> Result<()> {
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)?;
    mount_bind_recursive(rootfs, rootfs)?;
    chdir(rootfs)?;
    mounts()?;
    rustix::io::read(go, &mut [0_u8; 1])?;
    pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    chdir("/")?;
    rustix::system::sethostname(b"creel")?;
    masks()?;
    mount_remount("/", MountFlags::BIND | MountFlags::RDONLY, c"")?;
    credentials()?;
    Err(Command::new(program).env_clear().exec().into())
}

/// The default mounts and devices, relative to the new root.
fn mounts() -> Result<()> {
    let at = |source: &str, target: &str, kind: &str, flags: MountFlags, data: &CStr| {
        mount(source, target, kind, flags, Some(data)).with_context(|| target.to_owned())
    };
    let strict = MountFlags::NOSUID | MountFlags::STRICTATIME;
    at("proc", "proc", "proc", MountFlags::empty(), c"")?;
    at("tmpfs", "dev", "tmpfs", strict, c"mode=755,size=65536k")?;
    for name in ["dev/pts", "dev/shm", "dev/mqueue"] {
        rustix::fs::mkdir(name, Mode::from_raw_mode(0o755))?;
    }
    let pts = c"newinstance,ptmxmode=0666,mode=0620,gid=5";
    at("devpts", "dev/pts", "devpts", MountFlags::NOSUID | MountFlags::NOEXEC, pts)?;
    at("shm", "dev/shm", "tmpfs", NO, c"mode=1777,size=65536k")?;
    at("mqueue", "dev/mqueue", "mqueue", NO, c"")?;
    at("sysfs", "sys", "sysfs", NO | MountFlags::RDONLY, c"")?;
    for (name, major, minor) in DEVICES {
        let (mode, device) = (Mode::from_raw_mode(0o666), makedev(major, minor));
        mknodat(CWD, format!("dev/{name}"), FileType::CharacterDevice, mode, device)?;
    }
    for (target, name) in [
        ("/proc/self/fd", "dev/fd"),
        ("/proc/self/fd/0", "dev/stdin"),
        ("/proc/self/fd/1", "dev/stdout"),
        ("/proc/self/fd/2", "dev/stderr"),
        ("pts/ptmx", "dev/ptmx"),
    ] {
        symlink(target, name)?;
    }
    Ok(())
}

fn masks() -> Result<()> {
    let mut empty: Option<&str> = None;
    for path in MASKED {
        match (fs::metadata(path), empty) {
            (Err(_), _) => {}
            (Ok(file), _) if !file.is_dir() => mount_bind("/dev/null", path)?,
            (Ok(_), Some(first)) => mount_bind(first, path)?,
            (Ok(_), None) => {
                mount("tmpfs", path, "tmpfs", MountFlags::RDONLY, Some(c"nr_blocks=1"))?;
                empty = Some(path);
            }
        }
    }
    for path in READ_ONLY {
        if mount_bind_recursive(path, path).is_ok() {
            mount_remount(path, NO | MountFlags::BIND | MountFlags::RDONLY, c"")?;
        }
    }
    Ok(())
}

fn credentials() -> Result<()> {
    let files = Rlimit { current: Some(1024), maximum: Some(1024) };
    setrlimit(Resource::Nofile, files)?;
    let kept = CapabilitySet::AUDIT_WRITE | CapabilitySet::KILL | CapabilitySet::NET_BIND_SERVICE;
    for capability in CapabilitySet::all().difference(kept).iter() {
        // An older kernel does not know the newest ones.
        let _ = remove_capability_from_bounding_set(capability);
    }
    set_no_new_privs(true)?;
    let sets =
        CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    Ok(set_capabilities(None, sets)?)
}

//! What `ctr run` gives in the foreground.

use harness::{Cases, Outcome, ensure_contains, ensure_eq};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount,
};

use super::{Containerd, case};
use crate::row::{Gives, Row, clean};

const ROWS: &[Row] = &[
    Row {
        name: "the command's output is ctr's",
        flags: &[],
        command: &["echo", "hello"],
        gives: Gives::Text("hello"),
    },
    Row {
        name: "the exit code is ctr's",
        flags: &[],
        command: &["sh", "-c", "exit 42"],
        gives: Gives::Code(42),
    },
    Row {
        name: "a missing command is an error which names it",
        flags: &[],
        command: &["/no-such-program"],
        gives: Gives::Error(1, &["/no-such-program"]),
    },
    Row {
        name: "a command that is in no directory of PATH is an error which names it",
        flags: &[],
        command: &["no-such-program"],
        gives: Gives::Error(1, &["no-such-program"]),
    },
    Row {
        name: "a file that must not be executed is an error which says so",
        flags: &[],
        command: &["/bin/no-program"],
        gives: Gives::Error(1, &["permission denied"]),
    },
    Row {
        name: "a directory is the root filesystem",
        flags: &["--rootfs"],
        command: &["/bin/busybox", "echo", "from a directory"],
        gives: Gives::Text("from a directory"),
    },
    Row {
        name: "environment and directory are set",
        flags: &["--env=COLOUR=blue", "--cwd=/usr"],
        command: &["sh", "-c", "echo $COLOUR; pwd"],
        gives: Gives::Text("blue\n/usr"),
    },
    Row {
        name: "a process that takes too much memory is killed, and its code is 137",
        flags: &["--memory-limit=25165824"],
        command: &["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"],
        gives: Gives::Code(137),
    },
    Row {
        name: "a privileged container may mount",
        flags: &["--privileged"],
        command: &["sh", "-c", "mount -t tmpfs x /mnt && grep -c ' /mnt ' /proc/mounts"],
        gives: Gives::Text("1"),
    },
    Row {
        name: "a read-only root filesystem cannot be written",
        flags: &["--read-only"],
        command: &["touch", "/new"],
        gives: Gives::Error(1, &["read-only file system"]),
    },
    Row {
        name: "a read-only bind mount cannot be written",
        flags: &["--mount=type=bind,src={dir},dst=/mnt,options=rbind:ro"],
        command: &["touch", "/mnt/new"],
        gives: Gives::Error(1, &["read-only file system"]),
    },
    Row {
        name: "the default seccomp profile filters",
        flags: &["--seccomp"],
        command: &["sh", "-c", "grep ^Seccomp: /proc/self/status"],
        gives: Gives::Text("Seccomp:\t2"),
    },
    Row {
        name: "capabilities are added and dropped",
        flags: &["--cap-add=CAP_SYS_PTRACE", "--cap-drop=CAP_CHOWN"],
        command: &["sh", "-c", "grep -E '^Cap(Eff|Bnd)' /proc/self/status"],
        gives: Gives::Text("CapEff:\t00000000a80c25fa\nCapBnd:\t00000000a80c25fa"),
    },
    Row {
        name: "no new privileges are to be had, unless they are allowed",
        flags: &[],
        command: &["sh", "-c", "grep NoNewPrivs /proc/self/status"],
        gives: Gives::Text("NoNewPrivs:\t1"),
    },
    Row {
        name: "a device is added",
        flags: &["--device=/dev/kmsg"],
        command: &["sh", "-c", "test -c /dev/kmsg && exec 3>/dev/kmsg && echo opened"],
        gives: Gives::Text("opened"),
    },
];

pub(super) fn register(cases: &mut Cases) {
    cases.section("containerd#run", "");
    for row in ROWS {
        cases.cli(&[], row.name, move |rt| {
            super::with(rt, |containerd| {
                let flags = row.flags(rt);
                let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
                row.judge(containerd.run(&flags, row.command)?)
            })
        });
    }
    case(cases, "the network is the host's", host_network);
    case(cases, "standard input and error are the command's", streams);
    case(cases, "memory and cpu time are limited", limits);
    case(cases, "a terminal is the command's", terminal);
    case(cases, "a mount made later on the host appears in an rslave mount", slave);
}

fn host_network(containerd: &mut Containerd<'_>) -> Outcome {
    let ours = std::fs::read_link("/proc/self/ns/net")?.display().to_string();
    let output = containerd.run(&["--net-host"], &["readlink", "/proc/self/ns/net"])?.ok()?;
    ensure_eq("namespace", clean(&output.stdout()), ours)
}

fn streams(containerd: &mut Containerd<'_>) -> Outcome {
    let words = containerd.container(&["run", "--rm"], &[], "box");
    let call =
        containerd.call(&words).args(["sh", "-c", "read a; echo $a; echo two >&2"]).stdin("one\n");
    let output = containerd.rt.finish(call)?.ok()?;
    ensure_eq("output", clean(&output.stdout()).as_str(), "one")?;
    ensure_eq("errors", clean(&output.stderr()).as_str(), "two")
}

fn limits(containerd: &mut Containerd<'_>) -> Outcome {
    containerd.service("box", &["--memory-limit=67108864", "--cpus=0.5"])?;
    let memory = containerd.cgroup_file("memory", ["memory.limit_in_bytes", "memory.max"])?;
    ensure_eq("memory", memory.as_str(), "67108864")?;
    let quota = containerd.cgroup_file("cpu", ["cpu.cfs_quota_us", "cpu.max"])?;
    ensure_eq("cpu time", quota.split(' ').next(), Some("50000"))
}

/// `script` gives ctr the terminal that this test has not.
fn terminal(containerd: &mut Containerd<'_>) -> Outcome {
    let mut words = vec![String::from("/usr/bin/ctr")];
    words.extend(containerd.words());
    words.extend(containerd.container(&["run", "--rm", "--tty"], &[], "box"));
    words.push(String::from("sh -c 'tty; test -t 0 && test -t 1 && test -t 2 && exit 9'"));
    let mut call = containerd.rt.program("/usr/bin/script");
    call.limit = super::LIMIT;
    let call = call.args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"]);
    let output = containerd.rt.finish(call)?.exits(9)?;
    ensure_contains("output", &clean(&output.stdout()), "/dev/pts/0")
}

fn slave(containerd: &mut Containerd<'_>) -> Outcome {
    let volume = containerd.rt.directory().join("volume");
    std::fs::create_dir(&volume)?;
    mount("tmpfs", &volume, "tmpfs", MountFlags::empty(), None)?;
    mount_change(&volume, MountPropagationFlags::SHARED)?;
    let later = volume.join("later");
    std::fs::create_dir(&later)?;
    let flag = format!("--mount=type=bind,src={},dst=/mnt,options=rbind:rslave", volume.display());
    containerd.service("box", &[&flag])?;
    mount("tmpfs", &later, "tmpfs", MountFlags::empty(), None)?;
    std::fs::write(later.join("file"), "")?;
    let (pid, _status) = containerd.task("box")?;
    let is_seen = std::fs::exists(format!("/proc/{pid}/root/mnt/later/file"))?;
    unmount(&later, UnmountFlags::DETACH)?;
    ensure_eq("the mount is seen inside", is_seen, true)
}

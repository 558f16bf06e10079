//! Namespaces, capabilities, seccomp, devices and the other walls of a container.

use std::fs;

use harness::{Cases, Outcome, ensure_eq};

use super::{Podman, case, rows};
use crate::row::{Gives, Row, clean};

const NO_MKDIR: &str = r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],
    "syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":95}]}"#;

const ROWS: &[Row] = &[
    Row {
        name: "without a network there is only a loopback device, and it is up",
        flags: &["--network=none"],
        command: &[
            "sh",
            "-c",
            "ls /sys/class/net; nc -l -p 70 127.0.0.1 </dev/null & \
            until nc 127.0.0.1 70 </dev/null; do :; done; echo up",
        ],
        gives: Gives::Words(&["lo", "up"]),
    },
    Row {
        name: "the hostname is the container's",
        flags: &["--hostname=a-name"],
        command: &["hostname"],
        gives: Gives::Text("a-name"),
    },
    Row {
        name: "all capabilities are dropped",
        flags: &["--cap-drop=all"],
        command: &[
            "sh",
            "-c",
            "grep -E '^Cap(Prm|Eff|Bnd|Amb)' /proc/self/status | grep -vc 0000000000000000",
        ],
        gives: Gives::Code(1),
    },
    Row {
        name: "one capability is left",
        flags: &["--cap-drop=all", "--cap-add=net_bind_service"],
        command: &["sh", "-c", "grep -E '^Cap(Eff|Bnd)' /proc/self/status"],
        gives: Gives::Text("CapEff:\t0000000000000400\nCapBnd:\t0000000000000400"),
    },
    Row {
        name: "one capability is added",
        flags: &["--cap-add=sys_admin"],
        command: &["sh", "-c", "mount -t tmpfs x /mnt && echo mounted"],
        gives: Gives::Text("mounted"),
    },
    Row {
        name: "a user has no capabilities",
        flags: &["--user=1000"],
        command: &["sh", "-c", "grep CapEff /proc/self/status"],
        gives: Gives::Text("CapEff:\t0000000000000000"),
    },
    Row {
        name: "no new privileges are to be had",
        flags: &["--security-opt=no-new-privileges"],
        command: &["sh", "-c", "grep NoNewPrivs /proc/self/status"],
        gives: Gives::Text("NoNewPrivs:\t1"),
    },
    Row {
        name: "the default seccomp profile filters",
        flags: &[],
        command: &["sh", "-c", "grep ^Seccomp: /proc/self/status"],
        gives: Gives::Text("Seccomp:\t2"),
    },
    Row {
        name: "seccomp can be off",
        flags: &["--security-opt=seccomp=unconfined"],
        command: &["sh", "-c", "grep ^Seccomp: /proc/self/status"],
        gives: Gives::Text("Seccomp:\t0"),
    },
    Row {
        name: "a privileged container may mount, and sees the host's devices",
        flags: &["--privileged"],
        command: &["sh", "-c", "mount -t tmpfs x /mnt && test -c /dev/kmsg && echo yes"],
        gives: Gives::Text("yes"),
    },
    Row {
        name: "a device is added under another name",
        flags: &["--device=/dev/null:/dev/nothing"],
        command: &["sh", "-c", "echo x >/dev/nothing && test -c /dev/nothing && echo yes"],
        gives: Gives::Text("yes"),
    },
    Row {
        name: "a device that was not added is out of reach",
        flags: &["--cap-add=mknod"],
        command: &["sh", "-c", "mknod /kmsg c 1 11; cat /kmsg"],
        gives: Gives::Error(1, &["operation not permitted"]),
    },
    Row {
        name: "the usual devices are there",
        flags: &[],
        command: &[
            "sh",
            "-c",
            "for d in null zero full random urandom tty ptmx; do test -c /dev/$d && echo $d; done; head -c 3 /dev/zero | wc -c; readlink /dev/stdin",
        ],
        gives: Gives::Text("null\nzero\nfull\nrandom\nurandom\ntty\nptmx\n3\n/proc/self/fd/0"),
    },
    Row {
        name: "a sysctl of the network is set",
        flags: &["--sysctl=net.ipv4.ip_forward=1"],
        command: &["cat", "/proc/sys/net/ipv4/ip_forward"],
        gives: Gives::Text("1"),
    },
    Row {
        name: "a sysctl of ipc is set",
        flags: &["--sysctl=kernel.msgmax=4000"],
        command: &["cat", "/proc/sys/kernel/msgmax"],
        gives: Gives::Text("4000"),
    },
    Row {
        name: "secrets of /proc are masked",
        flags: &[],
        command: &[
            "sh",
            "-c",
            "cat /proc/kcore | head -c 1 | wc -c; ls /proc/acpi | wc -l; echo x >/proc/sysrq-trigger || echo no",
        ],
        gives: Gives::Words(&["0\n0", "no"]),
    },
    Row {
        name: "the process tree is the container's own",
        flags: &[],
        command: &["sh", "-c", "ls -d /proc/[0-9]* | wc -l; grep NSpid /proc/1/status"],
        gives: Gives::Words(&["NSpid:\t1"]),
    },
    Row {
        name: "a path of the user's is masked",
        flags: &["--security-opt=mask=/etc/passwd:/home"],
        command: &["sh", "-c", "head -c 4 /etc/passwd | wc -c; ls /home | wc -l"],
        gives: Gives::Text("0\n0"),
    },
    Row {
        name: "no path is masked",
        flags: &["--security-opt=unmask=ALL"],
        command: &["sh", "-c", "grep -c ' /proc/' /proc/mounts"],
        gives: Gives::Code(1),
    },
    Row {
        name: "a rule lets the container use a device",
        flags: &["--cap-add=mknod", "--device-cgroup-rule=c 1:11 w"],
        command: &["sh", "-c", "mknod /kmsg c 1 11 && exec 3>/kmsg && echo opened"],
        gives: Gives::Text("opened"),
    },
    Row {
        name: "the umask is set",
        flags: &["--umask=0077"],
        command: &["sh", "-c", "touch /file && stat -c %a /file"],
        gives: Gives::Text("600"),
    },
    Row {
        name: "the score for the killer of processes is set",
        flags: &["--oom-score-adj=500"],
        command: &["cat", "/proc/self/oom_score_adj"],
        gives: Gives::Text("500"),
    },
];

pub(super) fn register(cases: &mut Cases) {
    cases.section("podman#isolation", "");
    rows(cases, ROWS);
    for kind in ["net", "pid", "ipc", "uts", "cgroup"] {
        let flag = match kind {
            "net" => "--network=host",
            "pid" => "--pid=host",
            "ipc" => "--ipc=host",
            "uts" => "--uts=host",
            _ => "--cgroupns=host",
        };
        cases.cli(&[], format!("the {kind} namespace is the host's"), move |rt| {
            super::with(rt, |podman| host_namespace(podman, kind, flag))
        });
    }
    case(cases, "all namespaces are the container's own", own_namespaces);
    case(cases, "a seccomp profile of the user's filters", profile);
}

fn host_namespace(podman: &Podman<'_>, kind: &str, flag: &str) -> Outcome {
    let link = format!("/proc/self/ns/{kind}");
    let ours = fs::read_link(&link)?.display().to_string();
    let output = podman.run(&[flag], &["readlink", &link])?.ok()?;
    ensure_eq(&link, clean(&output.stdout()), ours)
}

fn own_namespaces(podman: &Podman<'_>) -> Outcome {
    const KINDS: [&str; 6] = ["net", "pid", "ipc", "uts", "mnt", "cgroup"];
    let script = format!("for n in {}; do readlink /proc/self/ns/$n; done", KINDS.join(" "));
    let output = podman.run(&["--cgroupns=private"], &["sh", "-c", &script])?.ok()?;
    let text = clean(&output.stdout());
    ensure_eq("links", text.lines().count(), KINDS.len())?;
    for kind in KINDS {
        let ours = fs::read_link(format!("/proc/self/ns/{kind}"))?.display().to_string();
        ensure_eq(kind, text.contains(&ours), false)?;
    }
    Ok(())
}

fn profile(podman: &Podman<'_>) -> Outcome {
    let file = podman.rt.directory().join("seccomp.json");
    let arch = if cfg!(target_arch = "aarch64") { "SCMP_ARCH_AARCH64" } else { "SCMP_ARCH_X86_64" };
    fs::write(&file, NO_MKDIR.replace("SCMP_ARCH_X86_64", arch))?;
    let flag = format!("--security-opt=seccomp={}", file.display());
    let output = podman.run(&[&flag], &["mkdir", "/a-directory"])?.exits(1)?;
    output.says(&["not supported", "Not supported"]).map(drop)
}

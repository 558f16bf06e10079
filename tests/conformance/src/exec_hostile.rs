//! `exec` into a container whose own root has prepared everything for it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use anyhow::{Context, bail};
use harness::{Bundle, Cases, Outcome, Runtime, ensure_eq, preset};
use serde_json::json;

use crate::exec::{container, report, shell};

pub(crate) fn register(cases: &mut Cases) {
    cases.section("cli#exec-hostile", "");
    passwd(cases);
    proc(cases);
    programs(cases);
    directories(cases);
}

type Prepare = fn(&Path) -> anyhow::Result<()>;

/// `/etc/passwd` as it should not be, and the HOME that follows.
const PASSWD: [(&str, Prepare, &str); 8] = [
    ("is absent", |_| Ok(()), "/"),
    (
        "is a FIFO",
        |path| {
            let mode = rustix::fs::Mode::from_raw_mode(0o666);
            let kind = rustix::fs::FileType::Fifo;
            Ok(rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, 0)?)
        },
        "/",
    ),
    ("is a directory", |path| Ok(fs::create_dir(path)?), "/"),
    ("is a link to itself", |path| Ok(symlink("passwd", path)?), "/"),
    ("is a link to a device", |path| Ok(symlink("/dev/zero", path)?), "/"),
    (
        "is a link that leads out",
        |path| Ok(symlink("../../../../../../../etc/passwd-", path)?),
        "/",
    ),
    (
        "is 1 GB",
        |path| {
            fs::write(path, "root:x:0:0:root:/at-the-beginning:/bin/sh\n")?;
            Ok(fs::OpenOptions::new().write(true).open(path)?.set_len(1 << 30)?)
        },
        "/at-the-beginning",
    ),
    ("has no sense", |path| Ok(fs::write(path, "root:x:0\n:::\n\n0:0:0\n")?), "/"),
];

fn passwd(cases: &mut Cases) {
    for (what, prepare, home) in PASSWD {
        cases.cli(
            &["C34"],
            format!("exec where /etc/passwd {what} has the HOME {home}"),
            move |rt| {
                // Changed when the container runs already, as its root would.
                let mut bundle = rt.bundle()?;
                rt.running(&mut bundle)?;
                let path = bundle.rootfs().join("etc/passwd");
                fs::remove_file(&path)?;
                prepare(&path)?;
                let output = shell(rt, &[], "echo $HOME")?.ok()?;
                ensure_eq("HOME", output.stdout().trim(), home)
            },
        );
    }
}

/// A root filesystem without a procfs, where `/proc` is what the container's root made of it.
fn without_proc(rt: &Runtime, prepare: Prepare) -> anyhow::Result<Bundle> {
    let mut bundle = rt.bundle_of(preset::minimal())?;
    bundle.set("/mounts", json!([])).args(&["/bin/sleep", "1000"]);
    rt.create(&bundle, &[])?.ok()?;
    rt.start()?.ok()?;
    let proc = bundle.rootfs().join("proc");
    fs::remove_dir_all(&proc)?;
    prepare(&proc)?;
    Ok(bundle)
}

fn fake_proc(proc: &Path) -> Outcome {
    for directory in ["self/fd", "self/attr", "thread-self/attr", "1"] {
        fs::create_dir_all(proc.join(directory))?;
    }
    for file in ["self/attr/exec", "self/attr/current", "self/setgroups", "self/oom_score_adj"] {
        fs::write(proc.join(file), "untouched")?;
    }
    Ok(())
}

const PROC: [(&str, Prepare); 5] = [
    ("is absent", |_| Ok(())),
    ("is a directory of files", fake_proc),
    ("is a link to /etc", |path| Ok(symlink("/etc", path)?)),
    ("is a link that leads nowhere", |path| Ok(symlink("/nowhere", path)?)),
    ("is a file", |path| Ok(fs::write(path, "")?)),
];

fn proc(cases: &mut Cases) {
    for (what, prepare) in PROC {
        cases.cli(&["B32"], format!("exec where /proc {what} does without it"), move |rt| {
            let bundle = without_proc(rt, prepare)?;
            shell(rt, &[], "exit 5")?.exits(5)?;
            let written = fs::read_to_string(bundle.rootfs().join("proc/self/attr/exec"));
            if let Ok(text) = written {
                ensure_eq("the fake file", text.as_str(), "untouched")?;
            }
            Ok(())
        });
    }
    cases.cli(&["B32"], "exec where /proc is another filesystem does without it", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.capabilities(&["CAP_SYS_ADMIN"]).set("/root/readonly", false);
        let script =
            "mount -t tmpfs fake /proc && mkdir -p /proc/self/fd && echo ready && exec sleep 1000";
        let created = rt.create(bundle.shell(script), &[])?.ok()?;
        rt.start()?.ok()?;
        harness::wait::directory(rt.directory(), || {
            Ok(created.stdout().contains("ready").then_some(()))
        })?;
        shell(rt, &[], "exit 5")?.exits(5).map(drop)
    });
}

fn programs(cases: &mut Cases) {
    cases.cli(&["C37"], "exec of a link to /proc/self/exe does not change the runtime", |rt| {
        let binary = rt.binary().to_path_buf();
        let before = fs::metadata(&binary)?;
        let mut bundle = rt.bundle()?;
        rt.running(&mut bundle)?;
        let shell_path = bundle.rootfs().join("bin/sh");
        fs::remove_file(&shell_path)?;
        symlink("/proc/self/exe", &shell_path)?;
        // Whatever becomes of it: it is not the container's to write.
        rt.exec(&[], &["/bin/sh", "-c", "exit 5"])?;
        let after = fs::metadata(&binary)?;
        ensure_eq("modified", after.modified()?, before.modified()?)?;
        ensure_eq("length", after.len(), before.len())
    });
    cases.cli(
        &["B32"],
        "a name in PATH that is a link out of the root is not followed out",
        |rt| {
            let mut bundle = rt.bundle()?;
            rt.running(&mut bundle)?;
            let outside = rt.directory().join("outside");
            fs::write(&outside, "#!/bin/sh\nexit 66\n")?;
            fs::set_permissions(&outside, fs::Permissions::from_mode(0o755))?;
            symlink(&outside, bundle.rootfs().join("bin/tool"))?;
            rt.exec(&[], &["tool"])?.exits(255).map(drop)
        },
    );
    cases.cli(&["B32"], "a program that is a FIFO is refused at once", |rt| {
        let mut bundle = rt.bundle()?;
        rt.running(&mut bundle)?;
        let path = bundle.rootfs().join("bin/fifo");
        let mode = rustix::fs::Mode::from_raw_mode(0o777);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0)?;
        rt.exec(&[], &["/bin/fifo"])?.exits(255).map(drop)
    });
}

fn directories(cases: &mut Cases) {
    cases.cli(&["C33"], "no fd is a way out as exec's working directory (CVE-2024-21626)", |rt| {
        container(rt, |_| {})?;
        let inside = report(rt, &[], &["stat", "/"])?;
        let root = inside.allowed("stat", "/")?["device"].clone();
        for fd in 3..=12 {
            let cwd = format!("/proc/self/fd/{fd}");
            let output =
                rt.exec(&["--cwd", &cwd], &["/checker", "stat", ".", "stat", "../../../../.."])?;
            if output.code != 0 {
                continue;
            }
            let seen = harness::Report::parse(&output.stdout())?;
            let found = seen.probe("stat", "../../../../..")?["value"]["device"].clone();
            if found != root {
                bail!("{cwd} leads out: {found} is not {root}");
            }
        }
        Ok(())
    });
    cases.cli(&["C33"], "a working directory that is a link out of the root stays inside", |rt| {
        let mut bundle = rt.bundle()?;
        rt.running(&mut bundle)?;
        symlink("../../../../../../../tmp", bundle.rootfs().join("out"))?;
        let seen = report(rt, &["--cwd", "/out"], &["stat", "/tmp", "stat", "."])?;
        let inode = |path| Ok::<_, anyhow::Error>(seen.allowed("stat", path)?["inode"].clone());
        ensure_eq("inode", inode(".")?, inode("/tmp")?)?;
        seen.at("/cwd").as_str().context("cwd").map(drop)
    });
}

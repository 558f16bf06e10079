//! `cargo xtask deps`: system packages that a task needs; installed by apt as root, named elsewhere.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::output::{self, Style};
use crate::repo::{self, Repo};

/// What the packages are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Purpose {
    /// Compiling creel.
    Build,
    /// `cargo xtask test`.
    Test,
    /// `cargo xtask demo`.
    Demo,
    /// `cargo xtask demo --debian`.
    DebianDemo,
    /// `cargo xtask bench`.
    Bench,
    /// `cargo xtask bench --crun-static`.
    CrunStatic,
    /// `cargo xtask vm`.
    Vm,
}

/// Arguments of `deps`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What they are for
    #[arg(value_enum, default_values = ["build", "test", "demo", "bench"])]
    purposes: Vec<Purpose>,
    /// Only say what is missing
    #[arg(long)]
    dry_run: bool,
}

/// How to see that a package is there, however it came.
#[derive(Debug)]
enum Probe {
    Program(&'static str),
    StaticProgram(&'static str),
    /// A file in the compiler's or the package's usual places.
    File(&'static [&'static str]),
}

#[derive(Debug)]
struct Package {
    name: &'static str,
    probe: Probe,
    used_by: &'static [Purpose],
}

use Purpose::{Bench, Build, CrunStatic, DebianDemo, Demo, Test, Vm};

const PACKAGES: &[Package] = &[
    package("libc6-dev", Probe::File(&["libc.a"]), &[Build, Test, Demo, Bench]),
    package("libseccomp-dev", Probe::File(&["libseccomp.a"]), &[CrunStatic]),
    package("busybox-static", Probe::StaticProgram("busybox"), &[Test, Demo, Bench]),
    package("podman", Probe::Program("podman"), &[Test, Demo]),
    package("buildah", Probe::Program("buildah"), &[Test]),
    package("tmux", Probe::Program("tmux"), &[Test]),
    package("procps", Probe::Program("ps"), &[Test]),
    package("containerd", Probe::Program("containerd"), &[Test]),
    package("runc", Probe::Program("runc"), &[Test, Demo, Bench]),
    package("crun", Probe::Program("crun"), &[Test, Demo, Bench]),
    package("strace", Probe::Program("strace"), &[Test, Bench]),
    package("mmdebstrap", Probe::Program("mmdebstrap"), &[DebianDemo, Vm]),
    package("dpkg-dev", Probe::Program("dpkg-source"), &[CrunStatic]),
    package("make", Probe::Program("make"), &[CrunStatic]),
    package("autoconf", Probe::Program("autoconf"), &[CrunStatic]),
    package("automake", Probe::Program("automake"), &[CrunStatic]),
    package("libtool", Probe::Program("libtoolize"), &[CrunStatic]),
    package("gperf", Probe::Program("gperf"), &[CrunStatic]),
    package("pkg-config", Probe::Program("pkg-config"), &[CrunStatic]),
    package("python3-minimal", Probe::Program("python3"), &[CrunStatic, Vm]),
    package("qemu-system-x86", Probe::Program("qemu-system-x86_64"), &[Vm]),
    package("qemu-utils", Probe::Program("qemu-img"), &[Vm]),
    package("e2fsprogs", Probe::Program("mke2fs"), &[Vm]),
    package("kmod", Probe::Program("depmod"), &[Vm]),
    package("cpio", Probe::Program("cpio"), &[Vm]),
    package("xz-utils", Probe::Program("xz"), &[Vm]),
    package("zstd", Probe::Program("zstd"), &[Vm]),
    package("libyajl-dev", Probe::File(&["libyajl_s.a"]), &[CrunStatic]),
    package("libcap-dev", Probe::File(&["libcap.a"]), &[CrunStatic]),
];

const fn package(name: &'static str, probe: Probe, used_by: &'static [Purpose]) -> Package {
    Package { name, probe, used_by }
}

/// Says what is missing, and installs it.
///
/// # Errors
/// When something is missing that cannot be installed here.
pub fn run(repo: &Repo, args: &Args) -> Result<ExitCode> {
    if !args.dry_run {
        return ensure(repo, &args.purposes).map(|()| ExitCode::SUCCESS);
    }
    for package in PACKAGES.iter().filter(|package| package.is_for(&args.purposes)) {
        let (style, word) =
            if package.is_there(repo) { (Style::Green, "there") } else { (Style::Red, "missing") };
        output::line(&format!("{:16} {}", package.name, output::paint(style, word)));
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes sure that the packages for the purposes are there.
///
/// # Errors
/// When something is missing that cannot be installed here; the message names it.
pub fn ensure(repo: &Repo, purposes: &[Purpose]) -> Result<()> {
    let missing = missing(repo, purposes);
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    output::line(&format!("system packages missing: {}", output::paint(Style::Yellow, &names)));
    if !repo::is_root() || repo.find_program("apt-get").is_none() {
        bail!("please install (Debian's names): {names}");
    }
    install(repo, &missing)?;
    // One package may have pushed out another (qemu's, where a newer version was there before).
    let pushed_out = self::missing(repo, purposes);
    if !pushed_out.is_empty() {
        install(repo, &pushed_out)?;
    }
    let still = self::missing(repo, purposes);
    if !still.is_empty() {
        bail!("apt-get installed {names}, and still there is no {}", still.join(" "));
    }
    Ok(())
}

/// Installs packages by apt, without starting the services that come with them.
///
/// # Errors
/// When apt-get fails.
pub fn install(repo: &Repo, packages: &[&str]) -> Result<()> {
    let _guard = NoServices::new()?;
    // One broken source among others is no reason to stop: the installation tells.
    if let Err(error) = repo::run(apt(repo).args(["update", "-q"])) {
        output::note(&format!("{error:#}"));
    }
    let mut command = apt(repo);
    command.args(["install", "-q", "-y", "--no-install-recommends"]).args(packages);
    repo::run(&mut command)
}

fn apt(repo: &Repo) -> std::process::Command {
    let mut command = repo.command("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command.args(["-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0"]);
    command
}

fn missing(repo: &Repo, purposes: &[Purpose]) -> Vec<&'static str> {
    let wanted = PACKAGES.iter().filter(|package| package.is_for(purposes));
    wanted.filter(|package| !package.is_there(repo)).map(|package| package.name).collect()
}

impl Package {
    fn is_for(&self, purposes: &[Purpose]) -> bool {
        self.used_by.iter().any(|purpose| purposes.contains(purpose))
    }

    fn is_there(&self, repo: &Repo) -> bool {
        match &self.probe {
            Probe::Program(name) => repo.find_program(name).is_some(),
            Probe::StaticProgram(name) => {
                repo.find_program(name).is_some_and(|path| is_static(&path))
            }
            Probe::File(names) => names.iter().all(|name| is_library(repo, name)),
        }
    }
}

/// Whether the linker would find the file: Debian's directory is named after gcc's triple.
fn is_library(repo: &Repo, name: &str) -> bool {
    let gnu = repo.triple.replace("-unknown-", "-");
    [format!("/usr/lib/{gnu}"), "/usr/lib64".into(), "/usr/lib".into()]
        .iter()
        .any(|dir| Path::new(dir).join(name).exists())
}

/// A program that names a dynamic loader does so in its first page.
fn is_static(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(4096).read_to_end(&mut head));
    read.is_ok() && !head.windows(4).any(|bytes| bytes == b"/ld-")
}

/// While it lives, packages do not start their services (Debian's policy-rc.d).
struct NoServices {
    is_ours: bool,
}

impl NoServices {
    const FILE: &str = "/usr/sbin/policy-rc.d";

    fn new() -> Result<Self> {
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o755).open(Self::FILE);
        match opened {
            Ok(mut file) => {
                file.write_all(b"#!/bin/sh\nexit 101\n")?;
                Ok(Self { is_ours: true })
            }
            // The machine has its own policy, which stands.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Ok(Self { is_ours: false })
            }
            Err(error) => Err(error).context(Self::FILE),
        }
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.is_ours {
            let _ = fs::remove_file(Self::FILE);
        }
    }
}

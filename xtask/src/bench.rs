//! `cargo xtask bench`: builds what is measured and the measuring program, and runs it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};

use crate::deps::{self, Purpose};
use crate::host::Hugetlb;
use crate::repo::{self, Repo};
use crate::{build, output};

/// Arguments of `bench`.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Measure also Debian's crun built static, without systemd and CRIU
    #[arg(long)]
    crun_static: bool,
    /// A runtime: a name from PATH, a path, or NAME=PATH; once for each [default: creel and all
    /// that are installed]
    #[arg(long = "runtime", value_name = "RUNTIME")]
    runtimes: Vec<String>,
    /// Only these jobs (run, run-seccomp, create, start, delete, state, list, exec, exec-seccomp)
    #[arg(long = "job", value_name = "JOB")]
    jobs: Vec<String>,
    /// Rounds of each job
    #[arg(long, default_value_t = 100)]
    runs: usize,
    /// Print JSON instead of the table
    #[arg(long)]
    json: bool,
    /// Measure how time grows with the mounts of the config, and of the host, instead of the jobs
    #[arg(long)]
    mounts: bool,
    /// Look for the smallest memory limit with which a container starts, instead of the jobs
    #[arg(long)]
    memory: bool,
}

/// Measures.
///
/// # Errors
/// When a package is missing, a build fails, or the caller is not root.
pub fn run(repo: &Repo, args: &Args) -> Result<ExitCode> {
    ensure!(repo::is_root(), "bench measures containers of root: run it as root");
    deps::ensure(repo, &[Purpose::Build, Purpose::Bench])?;
    let mut runtimes = args.runtimes.clone();
    if runtimes.is_empty() {
        runtimes.push(format!("creel={}", build::creel(repo)?.display()));
        let peers = ["crun", "runc", "youki"];
        runtimes
            .extend(peers.into_iter().filter(|p| repo.find_program(p).is_some()).map(Into::into));
    }
    if args.crun_static {
        runtimes.push(format!("crun-static={}", crun_static(repo)?.display()));
    }
    let _hugetlb = Hugetlb::new();
    let mut bench = repo.command(build::static_program(repo, "bench")?);
    bench.args(runtimes.iter().flat_map(|runtime| ["--runtime", runtime]));
    bench.args(args.jobs.iter().flat_map(|job| ["--job", job]));
    bench.args(["--runs", &args.runs.to_string()]).args(args.json.then_some("--json"));
    bench.args(args.mounts.then_some("--mounts")).args(args.memory.then_some("--memory"));
    repo::run(&mut bench).map(|()| ExitCode::SUCCESS)
}

/// Builds Debian's crun source package as a static program, once.
fn crun_static(repo: &Repo) -> Result<PathBuf> {
    let dir = repo.target.join("crun-static");
    let program = dir.join("crun");
    if program.exists() {
        return Ok(program);
    }
    deps::ensure(repo, &[Purpose::CrunStatic])?;
    output::note("building crun-static from Debian's source package");
    fs::create_dir_all(dir.join("lib"))?;
    let source = source(repo, &dir)?;
    // libtool looks for libyajl.a, Debian calls the static one libyajl_s.a.
    let yajl = format!("/usr/lib/{}/libyajl_s.a", repo.triple.replace("-unknown-", "-"));
    let link = dir.join("lib/libyajl.a");
    if !link.exists() {
        symlink(yajl, link)?;
    }
    let step = |program: &str, arguments: &[&str]| {
        let mut command = repo.command(program);
        command.current_dir(&source).args(arguments);
        repo::output(&mut command).map(drop)
    };
    if !source.join("configure").exists() {
        step("./autogen.sh", &[])?;
    }
    let without = ["--disable-systemd", "--disable-criu", "--disable-bpf"];
    step(
        "./configure",
        &[&without[..], &["CFLAGS=-O2", "LDFLAGS=-static", "LIBS=-lyajl_s"]].concat(),
    )?;
    let flags = format!("LDFLAGS=-all-static -L{}", dir.join("lib").display());
    // Headers that objects need are made only by `all`, which needs more than is here.
    step("make", &["git-version.h"])?;
    step("make", &["-C", "libocispec", "generate"])?;
    step("make", &["-j2", &flags, "crun"])?;
    fs::copy(source.join("crun"), &program)?;
    repo::run(repo.command("strip").arg(&program))?;
    Ok(program)
}

/// Unpacks crun's source package. The list of sources and apt's other files for it are kept in the
/// target directory: nothing of the machine's own is changed.
fn source(repo: &Repo, dir: &Path) -> Result<PathBuf> {
    let list = dir.join("source.list");
    let codename = codename().context("/etc/os-release names no Debian release")?;
    fs::write(&list, format!("deb-src http://deb.debian.org/debian {codename} main\n"))?;
    fs::create_dir_all(dir.join("apt/lists/partial"))?;
    let apt = |arguments: &[&str]| {
        let mut command = repo.command("apt-get");
        command.current_dir(dir).args(["-q", "-o", "APT::Sandbox::User=root"]);
        command.arg("-o").arg(format!("Dir::Etc::SourceList={}", list.display()));
        command.args(["-o", "Dir::Etc::SourceParts=/dev/null"]);
        command.arg("-o").arg(format!("Dir::State::Lists={}", dir.join("apt/lists").display()));
        for cache in ["pkgcache", "srcpkgcache"] {
            command.arg("-o").arg(format!("Dir::Cache::{cache}="));
        }
        repo::output(command.args(arguments)).map(drop)
    };
    apt(&["update"])?;
    apt(&["source", "crun"])?;
    let entries = fs::read_dir(dir)?.flatten().map(|entry| entry.path());
    let mut found =
        entries.filter(|path| path.join("crun.1").exists() || path.join("autogen.sh").exists());
    found.next().context("apt-get source crun left no source directory")
}

fn codename() -> Option<String> {
    let text = fs::read_to_string("/etc/os-release").ok()?;
    text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")).map(str::to_owned)
}

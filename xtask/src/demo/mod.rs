//! `cargo xtask demo`: creel shown at work, from a bundle to podman.

mod bundle;
mod podman;
mod show;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use self::bundle::Workplace;
use crate::build;
use crate::deps::{self, Purpose};
use crate::host::Hugetlb;
use crate::output::{self, Style};
use crate::repo::{self, Repo};

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Show a Debian root filesystem (made by mmdebstrap) instead of busybox
    #[arg(long)]
    debian: bool,
    /// Show this runtime instead of creel
    #[arg(long, value_name = "PATH")]
    runtime: Option<PathBuf>,
}

/// The runtime that is shown.
struct Runtime<'a> {
    repo: &'a Repo,
    path: PathBuf,
    state: PathBuf,
}

/// A container's id; nothing else on the machine should have it.
const ID: &str = "creel-demo";

/// What is run in the container to see the world from inside. It is plain sh.
const LOOK: &str = r#"
echo "pid            $$"
echo "hostname       $(cat /proc/sys/kernel/hostname)"
echo "user           $(id -u):$(id -g)"
[ ! -r /etc/os-release ] || . /etc/os-release
echo "system         ${PRETTY_NAME:-busybox}"
echo "processes      $(ls /proc | grep -c '^[0-9]')"
echo "links          $(ls /sys/class/net | tr '\n' ' ')"
for f in /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max; do
  [ ! -r $f ] || echo "memory limit   $(cat $f) bytes"
done
for f in /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max; do
  [ ! -r $f ] || echo "pids limit     $(cat $f)"
done
echo "open files     $(ulimit -n)"
grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status
echo "mounts"
while read -r source point kind options rest; do
  case $point in /sys/fs/cgroup/*) ;; *) echo "  $point ($kind, $options)" ;; esac
done < /proc/self/mounts
echo "writing"
( : > /etc/motd ) 2>/dev/null && echo "  /etc      works" || echo "  /etc      is refused: the root is read-only"
( : > /proc/sysrq-trigger ) 2>/dev/null && echo "  /proc     works" || echo "  /proc     is refused: the path is read-only"
( : > /dev/shm/file ) 2>/dev/null && echo "  /dev/shm  works: a tmpfs of its own"
"#;

/// Shows everything.
///
/// # Errors
/// When a package is missing, or the runtime fails at anything shown.
pub fn run(repo: &Repo, args: &Args) -> Result<ExitCode> {
    output::heading("packages");
    let mut purposes = vec![Purpose::Build, Purpose::Demo];
    purposes.extend(args.debian.then_some(Purpose::DebianDemo));
    deps::ensure(repo, &purposes)?;
    output::line("all there");
    ensure!(repo::is_root(), "the containers shown are root's: run it as root");
    let _hugetlb = Hugetlb::new();
    let (path, bench) = build_all(repo, args)?;
    let start = Instant::now();
    let place = Workplace::new()?;
    let runtime = Runtime { repo, path, state: place.path().join("state") };
    let done = runtime.show_all(&place, args, &bench);
    // Whatever happened, nothing stays; a container that is gone already is no failure.
    let _ = repo::output(&mut runtime.call(&["delete", "--force", ID]));
    done?;
    let seconds = start.elapsed().as_secs_f64();
    output::line("");
    output::line(&output::paint(Style::Green, &format!("done in {seconds:.0} s")));
    Ok(ExitCode::SUCCESS)
}

fn build_all(repo: &Repo, args: &Args) -> Result<(PathBuf, PathBuf)> {
    output::heading("build");
    let start = Instant::now();
    let path = match &args.runtime {
        Some(path) => {
            std::fs::canonicalize(path).with_context(|| format!("--runtime {}", path.display()))?
        }
        None => build::creel(repo)?,
    };
    let bench = build::static_program(repo, "bench")?;
    let size = std::fs::metadata(&path)?.len() / 1024;
    let (seconds, path_text) = (start.elapsed().as_secs_f64(), path.display());
    output::line(&format!("{path_text}: {size} KiB, one file ({seconds:.0} s)"));
    Ok((path, bench))
}

impl Runtime<'_> {
    fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// A command of the runtime, with a state directory of the demo's own.
    fn call(&self, words: &[&str]) -> Command {
        let mut command = self.repo.command(&self.path);
        command.arg("--root").arg(&self.state).args(words);
        command
    }

    fn show_all(&self, place: &Workplace, args: &Args, bench: &Path) -> Result<()> {
        output::heading("a bundle");
        place.make_rootfs(self.repo, args.debian)?;
        place.make_config(self)?;
        show::command(&self.name(), &["spec"]);
        show::text(&place.summary()?);
        if self.name() == "creel" {
            self.show_plan(place)?;
        }
        self.show_inside(place)?;
        self.show_life(place)?;
        podman::show(self, place)?;
        self.show_times(bench)
    }

    fn show_plan(&self, place: &Workplace) -> Result<()> {
        output::heading("what would be done");
        let bundle = place.bundle();
        show::command("creel", &["plan", &bundle]);
        let plan = repo::output(self.repo.command(&self.path).args(["plan", &bundle]))?;
        let lines: Vec<&str> = plan.lines().collect();
        show::text(&lines.iter().take(16).copied().collect::<Vec<_>>().join("\n"));
        show::text(&format!("… {} lines in all", lines.len()));
        Ok(())
    }

    fn show_inside(&self, place: &Workplace) -> Result<()> {
        output::heading("a container, seen from inside");
        place.set_args(&["/bin/sh", "-c", LOOK])?;
        let words = ["run", "--bundle", &place.bundle(), ID];
        show::command(&self.name(), &words);
        show::text(&repo::output(&mut self.call(&words))?);
        Ok(())
    }

    /// Create, start, state, kill, delete.
    fn show_life(&self, place: &Workplace) -> Result<()> {
        output::heading("a container's life");
        place.set_args(&["/bin/sleep", "1000"])?;
        self.step(&["create", "--bundle", &place.bundle(), ID])?;
        self.show_status("created")?;
        self.step(&["start", ID])?;
        self.show_status("running")?;
        self.step(&["kill", ID, "KILL"])?;
        self.show_status("stopped")?;
        self.step(&["delete", ID])?;
        show::command(&self.name(), &["state", ID]);
        let gone = self.call(&["state", ID]).output()?;
        ensure!(!gone.status.success(), "the container is still there after delete");
        show::text(String::from_utf8_lossy(&gone.stderr).trim_end());
        Ok(())
    }

    /// A command that says nothing. Its output goes nowhere: the container inherits it, and would
    /// hold a pipe open.
    fn step(&self, words: &[&str]) -> Result<()> {
        show::command(&self.name(), words);
        let status = self.call(words).stdout(std::process::Stdio::null()).status()?;
        ensure!(status.success(), "{} {}: {status}", self.name(), words.join(" "));
        Ok(())
    }

    /// Shows the state once it is the wanted one: a killed process takes a moment to end.
    fn show_status(&self, wanted: &str) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let text = repo::output(&mut self.call(&["state", ID]))?;
            let state: serde_json::Value = serde_json::from_str(&text)?;
            let status = state.get("status").and_then(serde_json::Value::as_str);
            if status == Some(wanted) {
                show::command(&self.name(), &["state", ID]);
                let pid = state.get("pid").and_then(serde_json::Value::as_i64).unwrap_or(0);
                show::text(&format!("status {wanted}, pid {pid}"));
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "still {status:?} after 5 s, not {wanted}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn show_times(&self, bench: &Path) -> Result<()> {
        output::heading("time of `run`, next to every other runtime here");
        let mut command = self.repo.command(bench);
        command.args(["--job", "run", "--runs", "20"]);
        command.arg("--runtime").arg(format!("{}={}", self.name(), self.path.display()));
        for peer in ["creel", "crun", "runc", "youki"] {
            let is_other = peer != self.name() && self.repo.find_program(peer).is_some();
            command.args(is_other.then_some(["--runtime", peer]).into_iter().flatten());
        }
        show::text(&repo::output(&mut command)?);
        Ok(())
    }
}

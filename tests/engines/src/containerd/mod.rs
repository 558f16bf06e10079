//! containerd, its shim runc-v2, and ctr: a daemon of its own for each case.

mod life;
mod run;

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use harness::{Call, Cases, Outcome, Output, Runtime, wait};
use rustix::process::Signal;

use crate::image::{self, Image};
use crate::row::clean;
use crate::sandbox;

/// The longest time a command may take.
const LIMIT: Duration = Duration::from_secs(40);
const ADDRESS: &str = "/run/containerd.sock";
/// Tells that it runs, then ends with 7 at SIGTERM; SIGUSR1 leaves a file.
const SERVICE: &str = crate::podman::SERVICE;

pub(crate) fn register(cases: &mut Cases) {
    run::register(cases);
    life::register(cases);
}

/// Adds a case that needs more than a row.
fn case(cases: &mut Cases, name: &'static str, body: fn(&mut Containerd<'_>) -> Outcome) {
    cases.cli(&[], name, move |rt| with(rt, body));
}

/// Gives the body a containerd of its own, and looks for what is left after it.
fn with(rt: &Runtime, body: impl FnOnce(&mut Containerd<'_>) -> Outcome) -> Outcome {
    sandbox::begin()?;
    let mut containerd = Containerd::begin(rt)?;
    let outcome = containerd.import().and_then(|()| body(&mut containerd));
    let removed = containerd.remove_all();
    let stopped = containerd.stop();
    let ended = sandbox::end(rt);
    outcome.and(removed).and(stopped).and(ended).with_context(|| containerd.log())
}

/// The containerd of one case.
#[derive(Debug)]
struct Containerd<'a> {
    rt: &'a Runtime,
    image: Image,
    daemon: Option<Child>,
}

impl<'a> Containerd<'a> {
    fn begin(rt: &'a Runtime) -> anyhow::Result<Self> {
        let directory = rt.directory();
        for name in ["bin", "share", "tmp"] {
            fs::create_dir_all(directory.join(name))?;
        }
        // Where the shim looks if a container names no runtime.
        symlink(rt.binary(), directory.join("bin/runc"))?;
        // Everything that needs a network, or a file system that is not there, is off.
        let disabled: Vec<String> = [
            "grpc.v1.cri",
            "internal.v1.opt",
            "internal.v1.tracing",
            "tracing.processor.v1.otlp",
            "snapshotter.v1.aufs",
            "snapshotter.v1.btrfs",
            "snapshotter.v1.devmapper",
            "snapshotter.v1.zfs",
        ]
        .iter()
        .map(|name| format!("\"io.containerd.{name}\""))
        .collect();
        let config = format!(
            "version = 2\nroot = \"{0}/containerd\"\nstate = \"/run/containerd-state\"\n\
             disabled_plugins = [{1}]\n[grpc]\naddress = \"{ADDRESS}\"\n\
             [ttrpc]\naddress = \"{ADDRESS}.ttrpc\"\n",
            directory.display(),
            disabled.join(", ")
        );
        fs::write(directory.join("config.toml"), config)?;
        let mut containerd = Self { rt, image: Image::of_run(rt)?, daemon: None };
        containerd.start()?;
        Ok(containerd)
    }

    /// Starts the daemon and waits until it serves.
    fn start(&mut self) -> Outcome {
        let directory = self.rt.directory();
        let (log, config) = (File::create(self.log_path())?, directory.join("config.toml"));
        let daemon = Command::new("/usr/bin/containerd")
            .arg("--config")
            .arg(config)
            .env_clear()
            .env("PATH", format!("{}/bin:/usr/sbin:/usr/bin:/sbin:/bin", directory.display()))
            .env("TMPDIR", directory.join("tmp"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("containerd")?;
        let pid = daemon.id().cast_signed();
        self.daemon = Some(daemon);
        let process = wait::pidfd(pid)?.context("containerd ended at once")?;
        let path = self.log_path();
        let is_up = || {
            let text = fs::read_to_string(&path)?;
            Ok(text.contains("containerd successfully booted").then_some(()))
        };
        wait::directory_or_end(directory, std::os::fd::AsFd::as_fd(&process), is_up)
            .with_context(|| self.log())
    }

    /// Ends the daemon; containers go on under their shims.
    fn stop(&mut self) -> Outcome {
        let Some(mut daemon) = self.daemon.take() else { return Ok(()) };
        let process = wait::pidfd(daemon.id().cast_signed())?.context("containerd has ended")?;
        rustix::process::pidfd_send_signal(&process, Signal::TERM)?;
        if !wait::readable(&process, LIMIT)? {
            daemon.kill()?;
            daemon.wait()?;
            bail!("containerd did not end");
        }
        daemon.wait().context("containerd").map(drop)
    }

    fn log_path(&self) -> PathBuf {
        self.rt.directory().join("containerd.log")
    }

    /// What the daemon said of errors.
    fn log(&self) -> String {
        let text = fs::read_to_string(self.log_path()).unwrap_or_default();
        let bad = |line: &&str| line.contains("level=error") || line.contains("cleanup warnings");
        text.lines().filter(bad).collect::<Vec<_>>().join("\n")
    }

    /// A `ctr` command, to be run by the caller.
    fn call<S: AsRef<str>>(&self, arguments: &[S]) -> Call {
        let words = arguments.iter().map(AsRef::as_ref);
        let mut call = self.rt.program("/usr/bin/ctr").args(self.words()).args(words);
        call.limit = LIMIT;
        call
    }

    fn words(&self) -> [String; 2] {
        [format!("--address={ADDRESS}"), format!("--namespace={}", sandbox::cgroup(self.rt))]
    }

    /// Runs a `ctr` command.
    fn ctr<S: AsRef<str>>(&self, arguments: &[S]) -> anyhow::Result<Output> {
        self.rt.finish(self.call(arguments))
    }

    fn import(&self) -> Outcome {
        let archive = self.image.archive().display().to_string();
        self.ctr(&["images", "import", &archive])?.ok().map(drop)
    }

    /// The words of `ctr run` or `ctr containers create` up to the container's name.
    fn container(&self, command: &[&str], flags: &[&str], name: &str) -> Vec<String> {
        let share = self.rt.directory().join("share");
        let mut words: Vec<String> = command.iter().copied().map(String::from).collect();
        if command.contains(&"run") {
            words.push(format!("--runc-binary={}", self.rt.binary().display()));
        }
        words
            .push(format!("--mount=type=bind,src={},dst=/share,options=rbind:rw", share.display()));
        words.extend(flags.iter().copied().map(String::from));
        let root = self.image.root().display().to_string();
        let is_tree = flags.contains(&"--rootfs");
        words.extend([if is_tree { root } else { String::from(image::NAME) }, String::from(name)]);
        words
    }

    /// `ctr run --rm` in the foreground.
    fn run(&self, flags: &[&str], command: &[&str]) -> anyhow::Result<Output> {
        let mut words = self.container(&["run", "--rm"], flags, "box");
        words.extend(command.iter().copied().map(String::from));
        self.ctr(&words)
    }

    /// `ctr run -d`.
    fn detached(&self, name: &str, flags: &[&str], command: &[&str]) -> anyhow::Result<Output> {
        let mut words = self.container(&["run", "--detach"], flags, name);
        words.extend(command.iter().copied().map(String::from));
        self.ctr(&words)?.ok()
    }

    /// The service, detached and ready.
    fn service(&self, name: &str, flags: &[&str]) -> Outcome {
        self.detached(name, flags, &["sh", "-c", SERVICE])?;
        self.shared("ready")
    }

    /// Waits for a file in the shared directory.
    fn shared(&self, name: &str) -> Outcome {
        let share = self.rt.directory().join("share");
        wait::directory(&share, || Ok(share.join(name).exists().then_some(())))
    }

    /// Process id and status, as `ctr task ls` shows them.
    fn task(&self, name: &str) -> anyhow::Result<(i32, String)> {
        let text = self.ctr(&["task", "ls"])?.ok()?.stdout();
        let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let found = lines.find(|words| words.first() == Some(&name));
        let [_, pid, status] = found.with_context(|| format!("no task {name} in {text}"))?[..]
        else {
            bail!("task ls: {text}")
        };
        Ok((pid.parse()?, String::from(status)))
    }

    /// Waits until the process has ended and containerd knows it.
    fn ended(&self, name: &str) -> Outcome {
        let (pid, _status) = self.task(name)?;
        if pid > 0 {
            wait::ended(pid)?;
        }
        let end = Instant::now() + wait::LIMIT;
        while self.task(name)?.1 != "STOPPED" {
            if Instant::now() > end {
                bail!("the process has ended, containerd does not know it");
            }
        }
        Ok(())
    }

    /// `ctr task delete`: the exit code of the container, which it prints unless it is 0.
    fn delete(&self, name: &str) -> anyhow::Result<i32> {
        let errors = self.ctr(&["task", "delete", name])?.ok()?.stderr();
        let Some((_, rest)) = errors.split_once("non-zero exit code ") else { return Ok(0) };
        let code: String = rest.chars().take_while(char::is_ascii_digit).collect();
        code.parse().with_context(|| errors.clone())
    }

    /// A file of the cgroup of the container `box`: its name on v1, below the hierarchy of the
    /// controller, and on v2.
    fn cgroup_file(&self, controller: &str, names: [&str; 2]) -> anyhow::Result<String> {
        let (root, below) = (Path::new("/sys/fs/cgroup"), sandbox::cgroup(self.rt));
        let [v1, v2] = names;
        let v1 = root.join(controller).join(&below).join("box").join(v1);
        let path = if v1.exists() { v1 } else { root.join(&below).join("box").join(v2) };
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(clean(&text))
    }

    fn remove_all(&self) -> Outcome {
        let list = |kind| anyhow::Ok(clean(&self.ctr(&[kind, "ls", "-q"])?.ok()?.stdout()));
        for name in list("task")?.lines() {
            // It returns the exit code of the process.
            self.ctr(&["task", "delete", "--force", name])?;
        }
        for name in list("containers")?.lines() {
            self.ctr(&["containers", "delete", name])?.ok()?;
        }
        let left = list("task")?;
        if !left.is_empty() {
            bail!("tasks cannot be deleted: {left}");
        }
        Ok(())
    }
}

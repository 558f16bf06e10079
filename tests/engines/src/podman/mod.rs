//! podman and conmon: `podman run --runtime PATH`, with a store and a state of its own for each case.

mod basics;
mod exec;
mod hooks;
mod isolation;
mod life;
mod limits;
mod mounts;
mod pods;
mod users;

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use harness::{Call, Cases, Outcome, Output, Runtime, wait};

use crate::image::{self, Image};
use crate::row::{Row, clean};
use crate::sandbox;

/// The longest time a command of podman may take.
const LIMIT: Duration = Duration::from_secs(40);
/// Tells that it runs, then ends with 7 at SIGTERM; SIGUSR1 leaves a file.
pub(crate) const SERVICE: &str = "trap 'exit 7' TERM; trap 'touch /share/usr1' USR1; \
     touch /share/ready; while :; do sleep 1000 & wait $!; done";

const CONF: &str = r#"
[containers]
apparmor_profile = "unconfined"
label = false
log_driver = "k8s-file"
netns = "none"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
num_locks = 64
runtime_supports_json = ["creel", "runc", "crun", "youki"]
runtime_supports_nocgroup = ["creel", "crun"]
"#;

pub(crate) fn register(cases: &mut Cases) {
    basics::register(cases);
    isolation::register(cases);
    mounts::register(cases);
    limits::register(cases);
    life::register(cases);
    exec::register(cases);
    pods::register(cases);
    hooks::register(cases);
    users::register(cases);
}

/// Adds a case for each row.
fn rows(cases: &mut Cases, rows: &'static [Row]) {
    for row in rows {
        cases.cli(&[], row.name, move |rt| {
            with(rt, |podman| {
                let flags = row.flags(rt);
                let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
                row.judge(podman.run(&flags, row.command)?)
            })
        });
    }
}

/// Adds a case that needs more than a row.
fn case(cases: &mut Cases, name: &'static str, body: fn(&Podman<'_>) -> Outcome) {
    cases.cli(&[], name, move |rt| with(rt, body));
}

/// Gives the body a podman of its own, and looks for what is left after it.
fn with(rt: &Runtime, body: impl FnOnce(&Podman<'_>) -> Outcome) -> Outcome {
    sandbox::begin()?;
    let podman = Podman::new(rt)?;
    let outcome = body(&podman);
    let removed = podman.remove_all();
    let ended = sandbox::end(rt);
    outcome.and(removed).and(ended)
}

/// A podman of one case.
#[derive(Debug)]
struct Podman<'a> {
    rt: &'a Runtime,
    image: Image,
    store: PathBuf,
    is_inhabited: Cell<bool>,
}

impl<'a> Podman<'a> {
    fn new(rt: &'a Runtime) -> anyhow::Result<Self> {
        prepare(rt)?;
        let image = Image::of_run(rt)?;
        let store = image.store("podman", |store| import(rt, &image, store))?;
        Ok(Self { rt, image, store, is_inhabited: Cell::new(false) })
    }

    /// A podman command with these arguments, to be run by the caller.
    fn call<S: AsRef<str>>(&self, arguments: &[S]) -> Call {
        program(self.rt).args(self.words()).args(arguments.iter().map(AsRef::as_ref))
    }

    /// The global flags.
    fn words(&self) -> Vec<String> {
        let directory = self.rt.directory().display();
        vec![
            format!("--root={directory}/store"),
            format!("--runroot={directory}/runroot"),
            format!("--tmpdir={directory}/tmpdir"),
            String::from("--storage-driver=overlay"),
            format!("--storage-opt=overlay.imagestore={}", self.store.display()),
            format!("--runtime={}", self.rt.binary().display()),
        ]
    }

    /// Runs a podman command.
    fn podman<S: AsRef<str>>(&self, arguments: &[S]) -> anyhow::Result<Output> {
        self.rt.finish(self.call(arguments))
    }

    /// The words of `podman run` or `create` up to the image's name.
    fn container<'w>(&self, command: &'w str, flags: &[&'w str]) -> Vec<String> {
        let mut words = vec![String::from(command)];
        if !flags.iter().any(|f| f.starts_with("--cgroups=disabled") || f.starts_with("--pod=")) {
            words.push(format!("--cgroup-parent=/{}", sandbox::cgroup(self.rt)));
        }
        // Without CAP_SYS_RESOURCE the engine's own limits, higher than ours, could not be set.
        for limit in ["nproc=1024:1024", "nofile=1024:1024"] {
            let (kind, _values) = limit.split_once('=').unwrap_or_default();
            if !flags.iter().any(|flag| flag.starts_with(&format!("--ulimit={kind}="))) {
                words.push(format!("--ulimit={limit}"));
            }
        }
        words.extend(flags.iter().copied().map(String::from));
        if !flags.contains(&"--rootfs") {
            words.push(String::from(image::NAME));
        }
        words
    }

    /// `run --rm` in the foreground.
    fn run(&self, flags: &[&str], command: &[&str]) -> anyhow::Result<Output> {
        let flags: Vec<&str> = ["--rm"].iter().chain(flags).copied().collect();
        let mut words = self.container("run", &flags);
        words.extend(command.iter().copied().map(String::from));
        self.podman(&words)
    }

    /// `run -d` under a name, with the directory `share` of the case on `/share`.
    fn detached(&self, name: &str, flags: &[&str], command: &[&str]) -> anyhow::Result<Output> {
        self.is_inhabited.set(true);
        let volume = format!("--volume={}:/share", self.share().display());
        let name = format!("--name={name}");
        let flags: Vec<&str> =
            ["-d", &volume, &name].into_iter().chain(flags.iter().copied()).collect();
        let mut words = self.container("run", &flags);
        words.extend(command.iter().copied().map(String::from));
        self.podman(&words)?.ok()
    }

    /// The service, detached and ready.
    fn service(&self, name: &str, flags: &[&str]) -> Outcome {
        self.detached(name, flags, &["sh", "-c", SERVICE])?;
        self.shared("ready")
    }

    /// Waits for a file in the shared directory.
    fn shared(&self, name: &str) -> Outcome {
        let file = self.share().join(name);
        wait::directory(&self.share(), || Ok(file.exists().then_some(())))
    }

    fn share(&self) -> PathBuf {
        self.rt.directory().join("share")
    }

    /// What `inspect` says in this format.
    fn inspect(&self, name: &str, format: &str) -> anyhow::Result<String> {
        let output = self.podman(&["inspect", "--format", format, name])?.ok()?;
        Ok(clean(&output.stdout()))
    }

    /// Waits for the end of a container: its exit code.
    fn wait(&self, name: &str) -> anyhow::Result<String> {
        Ok(clean(&self.podman(&["wait", name])?.ok()?.stdout()))
    }

    /// A pidfd of the container's process.
    fn process(&self, name: &str) -> anyhow::Result<(i32, std::os::fd::OwnedFd)> {
        let pid: i32 = self.inspect(name, "{{.State.Pid}}")?.parse()?;
        Ok((pid, wait::pidfd(pid)?.with_context(|| format!("{name} does not run"))?))
    }

    fn remove_all(&self) -> Outcome {
        if !self.is_inhabited.get() {
            return Ok(());
        }
        let pods = self.podman(&["pod", "rm", "--all", "--force", "--time=0"])?;
        let rest = self.podman(&["rm", "--all", "--force", "--time=0"])?;
        for output in [pods, rest] {
            if output.code != 0 {
                bail!("containers of the case cannot be removed\n{}", output.describe());
            }
        }
        Ok(())
    }
}

/// Makes the directories and the configuration of a case.
pub(crate) fn prepare(rt: &Runtime) -> Outcome {
    let directory = rt.directory();
    for name in ["home", "share", "net", "tmp"] {
        fs::create_dir_all(directory.join(name))?;
    }
    let network = format!("[network]\nnetwork_config_dir = \"{}/net\"\n", directory.display());
    fs::write(directory.join("containers.conf"), format!("{CONF}{network}"))?;
    let storage = format!(
        "[storage]\ndriver = \"overlay\"\nrunroot = \"{0}/runroot\"\ngraphroot = \"{0}/store\"\n",
        directory.display()
    );
    fs::write(directory.join("storage.conf"), storage)?;
    Ok(())
}

/// A podman that knows no configuration but the case's.
fn program(rt: &Runtime) -> Call {
    environment(rt, rt.program("/usr/bin/podman"))
}

pub(crate) fn environment(rt: &Runtime, call: Call) -> Call {
    let directory = rt.directory();
    let mut call = call
        .env("HOME", directory.join("home"))
        .env("TMPDIR", directory.join("tmp"))
        .env("CONTAINERS_CONF", directory.join("containers.conf"))
        .env("CONTAINERS_STORAGE_CONF", directory.join("storage.conf"));
    // conmon leaves a file where it was started.
    call.command.current_dir(directory);
    call.limit = LIMIT;
    call
}

/// Makes the store with the image which the stores of all cases build on.
pub(crate) fn import(rt: &Runtime, image: &Image, store: &Path) -> Outcome {
    let scratch = rt.directory().join("import");
    let call = program(rt)
        .args([Path::new("--root"), store])
        .args([Path::new("--runroot"), &scratch.join("runroot")])
        .args([Path::new("--tmpdir"), &scratch.join("tmpdir")])
        .args(["--storage-driver=overlay", "import", "--change=ENV PATH=/bin"])
        .args([image.layer()])
        .args([image::NAME]);
    rt.finish(call)?.ok().map(drop)
}

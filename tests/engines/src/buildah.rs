//! buildah: `buildah run` and `buildah build`, which choose no cgroup and ask for the state again and again.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::{Call, Cases, Outcome, Output, Runtime, ensure_contains, ensure_eq};

use crate::image::{self, Image};
use crate::row::{Gives, Row, clean};
use crate::sandbox;

/// The longest time a command may take.
const LIMIT: Duration = Duration::from_secs(40);

const ROWS: &[Row] = &[
    Row {
        name: "the command's output is buildah's",
        flags: &[],
        command: &["echo", "hello"],
        gives: Gives::Text("hello"),
    },
    Row {
        name: "the exit code is buildah's",
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
        name: "the pipes that buildah forgets to close do not reach the command",
        flags: &[],
        command: &["sh", "-c", "ls /proc/self/fd | wc -l"],
        gives: Gives::Text("4"),
    },
    Row {
        name: "a process that the command leaves behind does not make buildah wait",
        flags: &[],
        command: &["sh", "-c", "sleep 1000 & echo done"],
        gives: Gives::Text("done"),
    },
    Row {
        name: "user, directory, environment and hostname are set",
        flags: &["--user=1000", "--workingdir=/usr", "--env=COLOUR=red", "--hostname=a-name"],
        command: &["sh", "-c", "id -u; pwd; echo $COLOUR; hostname"],
        gives: Gives::Text("1000\n/usr\nred\na-name"),
    },
    Row {
        name: "a read-only volume cannot be written",
        flags: &["--volume={dir}:/mnt:ro"],
        command: &["touch", "/mnt/file"],
        gives: Gives::Error(1, &["read-only file system"]),
    },
    Row {
        name: "capabilities are dropped",
        flags: &["--cap-drop=all"],
        command: &["sh", "-c", "grep CapEff /proc/self/status"],
        gives: Gives::Text("CapEff:\t0000000000000000"),
    },
];

pub(crate) fn register(cases: &mut Cases) {
    cases.section("buildah#run", "");
    for row in ROWS {
        let body = move |rt: &Runtime| {
            with(rt, |buildah| {
                buildah.from(&[])?;
                let flags = row.flags(rt);
                let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
                row.judge(buildah.run(&flags, row.command)?)
            })
        };
        cases.cli(&[], row.name, body).alone();
    }
    let limits = |rt: &Runtime| with(rt, limits);
    cases.cli(&[], "memory is limited although buildah names no cgroup", limits).alone();
    cases.section("buildah#build", "");
    let build = |rt: &Runtime| with(rt, build);
    cases.cli(&[], "an image is built by commands in containers", build).alone();
    let mounts = |rt: &Runtime| with(rt, mounts);
    cases.cli(&[], "a command of a build has mounts of its own", mounts).alone();
    let fails = |rt: &Runtime| with(rt, fails);
    cases.cli(&[], "a build ends with a command that fails", fails).alone();
}

/// A buildah with a store of its own.
#[derive(Debug)]
struct Buildah<'a> {
    rt: &'a Runtime,
    store: PathBuf,
}

fn with(rt: &Runtime, body: impl FnOnce(&Buildah<'_>) -> Outcome) -> Outcome {
    sandbox::begin()?;
    let before = cgroups();
    let buildah = Buildah::new(rt)?;
    let outcome = body(&buildah);
    let ended = sandbox::end(rt);
    let left: Vec<PathBuf> = cgroups().difference(&before).cloned().collect();
    outcome.and(ended)?;
    ensure_eq("cgroups that the runtime left", left, Vec::<PathBuf>::new())
}

/// All cgroups which have buildah's name: it leaves their place to the runtime.
fn cgroups() -> BTreeSet<PathBuf> {
    fn collect(directory: &Path, found: &mut BTreeSet<PathBuf>) {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if entry.file_name().to_string_lossy().contains("buildah") {
                    found.insert(entry.path());
                }
                collect(&entry.path(), found);
            }
        }
    }
    let mut found = BTreeSet::new();
    collect(Path::new("/sys/fs/cgroup"), &mut found);
    found
}

impl<'a> Buildah<'a> {
    fn new(rt: &'a Runtime) -> anyhow::Result<Self> {
        let image = Image::of_run(rt)?;
        crate::podman::prepare(rt)?;
        let store = image.store("podman", |store| crate::podman::import(rt, &image, store))?;
        Ok(Self { rt, store })
    }

    fn buildah<S: AsRef<str>>(&self, arguments: &[S]) -> anyhow::Result<Output> {
        let directory = self.rt.directory().display();
        let call: Call = crate::podman::environment(self.rt, self.rt.program("/usr/bin/buildah"));
        let mut call = call
            .env("BUILDAH_ISOLATION", "oci")
            .args([
                format!("--root={directory}/store"),
                format!("--runroot={directory}/runroot"),
                String::from("--storage-driver=overlay"),
                format!("--storage-opt=overlay.imagestore={}", self.store.display()),
            ])
            .args(arguments.iter().map(AsRef::as_ref));
        call.limit = LIMIT;
        self.rt.finish(call)
    }

    fn from(&self, flags: &[&str]) -> Outcome {
        let words = [&["from", "--pull=never", "--name=box"], flags, &[image::NAME]].concat();
        self.buildah(&words)?.ok().map(drop)
    }

    fn run(&self, flags: &[&str], command: &[&str]) -> anyhow::Result<Output> {
        let runtime = format!("--runtime={}", self.rt.binary().display());
        let fixed = ["run", "--network=host", &runtime];
        self.buildah(&[&fixed, flags, &["box", "--"], command].concat())
    }
}

fn limits(buildah: &Buildah<'_>) -> Outcome {
    buildah.from(&["--memory=64m", "--memory-swap=64m"])?;
    let all = "dd if=/dev/zero of=/dev/null bs=200M count=1";
    let output = buildah.run(&[], &["sh", "-c", all])?;
    ensure_contains("errors", &output.exits(1)?.stderr(), "exited on killed")
}

fn build(buildah: &Buildah<'_>) -> Outcome {
    let file = buildah.rt.directory().join("Containerfile");
    fs::write(&file, format!("FROM {}\nRUN echo made >/made\nRUN cat /made /made\n", image::NAME))?;
    let output = builds(buildah, &file)?.ok()?;
    ensure_contains("output", &clean(&output.stdout()), "made\nmade")
}

fn mounts(buildah: &Buildah<'_>) -> Outcome {
    let file = buildah.rt.directory().join("Containerfile");
    fs::write(buildah.rt.directory().join("share/text"), "of the context\n")?;
    let tmpfs =
        "RUN --mount=type=tmpfs,target=/mnt touch /mnt/x && grep ' /mnt tmpfs' /proc/mounts";
    let bind = "RUN --mount=type=bind,source=text,target=/text cat /text";
    fs::write(&file, format!("FROM {}\n{tmpfs}\n{bind}\n", image::NAME))?;
    let text = clean(&builds(buildah, &file)?.ok()?.stdout());
    ensure_contains("output", &text, "/mnt tmpfs rw")?;
    ensure_contains("output", &text, "of the context")
}

fn fails(buildah: &Buildah<'_>) -> Outcome {
    let file = buildah.rt.directory().join("Containerfile");
    fs::write(&file, format!("FROM {}\nRUN exit 3\n", image::NAME))?;
    let output = builds(buildah, &file)?;
    ensure_eq("exit code", output.code, 3)
}

fn builds(buildah: &Buildah<'_>, file: &Path) -> anyhow::Result<Output> {
    let context = buildah.rt.directory().join("share");
    buildah.buildah(&[
        "build",
        "--pull=never",
        "--network=host",
        &format!("--runtime={}", buildah.rt.binary().display()),
        &format!("--file={}", file.display()),
        &context.display().to_string(),
    ])
}

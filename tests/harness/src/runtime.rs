//! Drives one runtime binary for one test.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::case::Mutation;
use crate::{Bundle, Call, Flavor, Output, Report, preset, rootfs, wait};

/// What a runtime needs to know about the run it is part of.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The runtime's binary.
    pub binary: PathBuf,
    /// Directory of the whole run, with the programs of root filesystems in `programs`.
    pub run: PathBuf,
    /// Id of the case: no other container of this machine has it.
    pub id: String,
    /// The change to be made to every config.
    pub mutation: Option<Mutation>,
}

/// One runtime binary, with an id, a state directory and a directory of its own for one test.
#[derive(Debug)]
pub struct Runtime {
    /// Which runtime it is.
    pub flavor: Flavor,
    setup: Setup,
    directory: PathBuf,
    calls: Cell<u32>,
    bundles: Cell<u32>,
    living: RefCell<Vec<String>>,
    transcript: RefCell<Vec<String>>,
}

impl Runtime {
    /// Makes the directories.
    ///
    /// # Errors
    /// If they cannot be made.
    pub fn new(setup: Setup) -> anyhow::Result<Self> {
        let directory = setup.run.join(&setup.id);
        fs::create_dir_all(directory.join("root"))?;
        let flavor = Flavor::of(&setup.binary);
        let (calls, bundles) = (Cell::new(0), Cell::new(0));
        let (living, transcript) = (RefCell::default(), RefCell::default());
        Ok(Self { flavor, setup, directory, calls, bundles, living, transcript })
    }

    /// The id of the test's container.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.setup.id
    }

    /// The runtime's binary.
    #[must_use]
    pub fn binary(&self) -> &Path {
        &self.setup.binary
    }

    /// A directory of the test's own, removed after it.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What the runtime gets as `--root`.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.directory.join("root")
    }

    /// A bundle with the default config.
    ///
    /// # Errors
    /// If its root filesystem cannot be made.
    pub fn bundle(&self) -> anyhow::Result<Bundle> {
        self.bundle_of(preset::default())
    }

    /// A bundle with this config and a root filesystem of its own.
    ///
    /// # Errors
    /// If its root filesystem cannot be made.
    pub fn bundle_of(&self, config: Value) -> anyhow::Result<Bundle> {
        let number = self.bundles.replace(self.bundles.get() + 1);
        let path = self.directory.join(format!("bundle{number}"));
        rootfs::build(&self.setup.run.join("programs"), &path.join("rootfs"))?;
        Ok(Bundle::new(path, config))
    }

    /// Any command of the runtime with the global flags, to be run by the caller.
    #[must_use]
    pub fn call<S: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Call {
        let base = self.next_base();
        let log = base.with_extension("log");
        self.plain_call(base)
            .args([Path::new("--root"), &self.root()])
            .args([Path::new("--log"), &log])
            .args(["--log-format", "json"])
            .args(arguments)
    }

    /// Any command of the runtime without global flags.
    #[must_use]
    pub fn bare_call<S: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Call {
        self.plain_call(self.next_base()).args(arguments)
    }

    fn next_base(&self) -> PathBuf {
        let number = self.calls.replace(self.calls.get() + 1);
        self.directory.join(format!("call{number}"))
    }

    fn plain_call(&self, base: PathBuf) -> Call {
        Call::new(&self.setup.binary, base)
    }

    /// Another program, with its output kept like the runtime's.
    #[must_use]
    pub fn program(&self, path: &str) -> Call {
        Call::new(Path::new(path), self.next_base())
    }

    /// Runs a call and remembers it for the message of a failure.
    ///
    /// # Errors
    /// If it cannot be started or takes too long.
    pub fn finish(&self, call: Call) -> anyhow::Result<Output> {
        let output = call.run()?;
        self.remember(&output);
        Ok(output)
    }

    /// Remembers a call for the message of a failure.
    pub fn remember(&self, output: &Output) {
        self.transcript.borrow_mut().push(output.describe());
    }

    /// Runs a command of the runtime.
    ///
    /// # Errors
    /// If it cannot be started or takes too long; not if it exits with an error.
    pub fn command(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        self.finish(self.call(arguments))
    }

    /// Writes the config and keeps it for the message of a failure.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, bundle: &Bundle) -> anyhow::Result<()> {
        bundle.write(self.setup.mutation)?;
        let mut config = bundle.config.clone();
        if let Some(mutate) = self.setup.mutation {
            mutate(&mut config);
        }
        self.transcript
            .borrow_mut()
            .push(format!("config.json of {}: {config}", bundle.path().display()));
        Ok(())
    }

    /// `create` with further flags, under the test's id.
    ///
    /// # Errors
    /// If it cannot be started or takes too long; not if it exits with an error.
    pub fn create(&self, bundle: &Bundle, flags: &[&str]) -> anyhow::Result<Output> {
        self.create_as(self.id(), bundle, flags)
    }

    /// `create` with further flags, under another id, which should begin with the test's.
    ///
    /// # Errors
    /// As [`Runtime::create`].
    pub fn create_as(&self, id: &str, bundle: &Bundle, flags: &[&str]) -> anyhow::Result<Output> {
        self.write(bundle)?;
        self.finish_living(id, self.bundle_call("create", id, bundle, flags))
    }

    /// `run --detach` with further flags.
    ///
    /// # Errors
    /// As [`Runtime::create`].
    pub fn run_detached(&self, bundle: &Bundle, flags: &[&str]) -> anyhow::Result<Output> {
        self.write(bundle)?;
        let flags: Vec<&str> = std::iter::once("--detach").chain(flags.iter().copied()).collect();
        self.finish_living(self.id(), self.bundle_call("run", self.id(), bundle, &flags))
    }

    /// `run` in the foreground, with further flags.
    ///
    /// # Errors
    /// As [`Runtime::create`].
    pub fn run(&self, bundle: &Bundle, flags: &[&str]) -> anyhow::Result<Output> {
        self.write(bundle)?;
        self.finish(self.bundle_call("run", self.id(), bundle, flags))
    }

    /// The call of a command that takes a bundle, not run yet; write the config first.
    #[must_use]
    pub fn bundle_call(&self, command: &str, id: &str, bundle: &Bundle, flags: &[&str]) -> Call {
        self.call([command]).args([Path::new("--bundle"), bundle.path()]).args(flags).args([id])
    }

    /// Runs a call that leaves a container behind, which is deleted after the test.
    ///
    /// # Errors
    /// As [`Runtime::create`].
    pub fn finish_living(&self, id: &str, call: Call) -> anyhow::Result<Output> {
        let output = self.finish(call)?;
        if output.code == 0 {
            self.living.borrow_mut().push(String::from(id));
        }
        Ok(output)
    }

    /// `start`.
    ///
    /// # Errors
    /// As [`Runtime::create`].
    pub fn start(&self) -> anyhow::Result<Output> {
        self.command(&["start", self.id()])
    }

    /// `kill` with a signal's name or number.
    ///
    /// # Errors
    /// As [`Runtime::create`].
    pub fn kill(&self, signal: &str) -> anyhow::Result<Output> {
        self.command(&["kill", self.id(), signal])
    }

    /// `delete` with further flags.
    ///
    /// # Errors
    /// As [`Runtime::create`].
    pub fn delete(&self, flags: &[&str]) -> anyhow::Result<Output> {
        let words = ["delete"].iter().chain(flags).copied().chain([self.id()]);
        let output = self.command(&words.collect::<Vec<_>>())?;
        if output.code == 0 {
            self.living.borrow_mut().retain(|id| id != self.id());
        }
        Ok(output)
    }

    /// `exec` of these arguments, with further flags.
    ///
    /// # Errors
    /// As [`Runtime::create`].
    pub fn exec(&self, flags: &[&str], arguments: &[&str]) -> anyhow::Result<Output> {
        let words = ["exec"]
            .iter()
            .chain(flags)
            .copied()
            .chain([self.id()])
            .chain(arguments.iter().copied());
        self.command(&words.collect::<Vec<_>>())
    }

    /// What `state` prints.
    ///
    /// # Errors
    /// If it fails or prints no JSON.
    pub fn state(&self) -> anyhow::Result<Value> {
        self.command(&["state", self.id()])?.ok()?.json()
    }

    /// The status that `state` prints.
    ///
    /// # Errors
    /// As [`Runtime::state`].
    pub fn status(&self) -> anyhow::Result<String> {
        let state = self.state()?;
        Ok(String::from(state["status"].as_str().with_context(|| format!("no status in {state}"))?))
    }

    /// The process id that `state` prints.
    ///
    /// # Errors
    /// As [`Runtime::state`].
    pub fn pid(&self) -> anyhow::Result<i32> {
        let state = self.state()?;
        let pid =
            state["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).filter(|pid| *pid > 0);
        pid.with_context(|| format!("no pid in {state}"))
    }

    /// Waits for the end of the container's process: its exit code, or 128 and the signal's number.
    ///
    /// # Errors
    /// If it goes on running.
    pub fn wait(&self) -> anyhow::Result<i32> {
        wait::exit_code(self.pid()?)
    }

    /// `run` of a config whose program is the checker: its report.
    ///
    /// # Errors
    /// If `run` fails.
    pub fn report(&self, bundle: &Bundle) -> anyhow::Result<Report> {
        let output = self.run(bundle, &[])?.ok()?;
        Report::parse(&output.stdout())
    }

    /// The report of a checker that may still be running: waits for it.
    ///
    /// # Errors
    /// If it does not come.
    pub fn report_of(&self, output: &Output) -> anyhow::Result<Report> {
        let found = wait::directory(&self.directory, || Ok(Report::parse(&output.stdout()).ok()));
        found.with_context(|| output.describe())
    }

    /// `create` and `start` of a checker which then sleeps: its report.
    ///
    /// # Errors
    /// If one of them fails.
    pub fn running(&self, bundle: &mut Bundle) -> anyhow::Result<Report> {
        bundle.probe(&["sleep-until-signal"]);
        let created = self.create(bundle, &[])?.ok()?;
        self.start()?.ok()?;
        self.report_of(&created)
    }

    /// Deletes the containers which the test left.
    ///
    /// # Errors
    /// If `delete --force` fails.
    pub fn clean(&self) -> anyhow::Result<()> {
        for id in self.living.take() {
            let mut output = self.command(&["delete", "--force", &id])?;
            for _ in 1..self.flavor.deletes() {
                if output.code != 0 {
                    crate::leak::reap();
                    output = self.command(&["delete", "--force", &id])?;
                }
            }
            if output.code != 0 {
                bail!("the container left by the test cannot be deleted\n{}", output.describe());
            }
        }
        Ok(())
    }

    /// The configs and calls of this test, for a person.
    #[must_use]
    pub fn transcript(&self) -> String {
        self.transcript.borrow().join("\n")
    }
}

//! Where the jobs work: the containers, and calls of the runtime that any thread may make.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use harness::call::Running;
use harness::{Bundle, Call, Flavor, Output, Runtime, leak, wait};

use super::tally::Done;

/// Containers that live all the time.
const CONTAINERS: usize = 3;
/// A machine with eight commands at a time and others beside them is slow.
const PATIENCE: Duration = Duration::from_secs(60);
/// Takes from the process table what loses its parent inside, as a proper first process does.
const INIT: &str = "trap 'exit 0' TERM; while :; do sleep 100000 & wait $!; done";

/// The containers, and what every call needs.
#[derive(Debug)]
pub(super) struct Bed {
    pub(super) flavor: Flavor,
    pub(super) ids: Vec<String>,
    /// A bundle whose process waits for a signal, and one whose process ends with 7.
    pub(super) sleeping: PathBuf,
    pub(super) seven: PathBuf,
    binary: PathBuf,
    root: PathBuf,
    directory: PathBuf,
    /// Odd while the container is paused, or about to be.
    pauses: Vec<AtomicU64>,
    pausing: Vec<Mutex<()>>,
}

/// What there is while no job runs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Inventory {
    processes: Vec<usize>,
    files: Vec<String>,
    fds: usize,
}

impl Bed {
    /// Starts the containers.
    pub(super) fn new(rt: &Runtime) -> anyhow::Result<Self> {
        let bundle = |program: &[&str]| -> anyhow::Result<Bundle> {
            let mut bundle = rt.bundle()?;
            bundle.args(program);
            rt.write(&bundle)?;
            Ok(bundle)
        };
        let init = bundle(&["/bin/sh", "-c", INIT])?;
        let ids: Vec<String> = (0..CONTAINERS).map(|it| format!("{}-s{it}", rt.id())).collect();
        for id in &ids {
            rt.create_as(id, &init, &[])?.ok()?;
            rt.command(&["start", id])?.ok()?;
        }
        Ok(Self {
            flavor: rt.flavor,
            sleeping: bundle(&["/checker", "sleep-until-signal"])?.path().to_owned(),
            seven: bundle(&["/bin/sh", "-c", "exit 7"])?.path().to_owned(),
            binary: rt.binary().to_owned(),
            root: rt.root(),
            directory: rt.directory().to_owned(),
            pauses: ids.iter().map(|_| AtomicU64::new(0)).collect(),
            pausing: ids.iter().map(|_| Mutex::new(())).collect(),
            ids,
        })
    }

    fn init(&self, id: &str) -> anyhow::Result<i32> {
        let call = Call::new(&self.binary, self.directory.join("init"))
            .args([Path::new("--root"), &self.root])
            .args(["state", id]);
        let output = call.run()?.ok()?;
        let pid = output.json()?["pid"].as_i64().context("no pid")?;
        output.forget();
        Ok(i32::try_from(pid)?)
    }

    /// Waits until every container's first process has its sleeping child: nothing else is left then.
    pub(super) fn inventory(&self) -> anyhow::Result<Inventory> {
        let mut processes = Vec::new();
        for id in &self.ids {
            let init = self.init(id)?;
            let deadline = Instant::now() + PATIENCE;
            while leak::descendants(init).is_empty() && Instant::now() < deadline {
                std::thread::yield_now();
            }
            processes.push(leak::descendants(init).len());
        }
        let mut files = Vec::new();
        for container in fs::read_dir(&self.root)? {
            let container = container?.path();
            files.push(container.display().to_string());
            if container.is_dir() {
                for file in fs::read_dir(container)? {
                    files.push(file?.path().display().to_string());
                }
            }
        }
        files.sort();
        Ok(Inventory { processes, files, fds: fs::read_dir("/proc/self/fd")?.count() })
    }

    /// What is not as it was, once what may still be ending has ended.
    pub(super) fn settle(&self, before: &Inventory) -> anyhow::Result<Vec<String>> {
        let deadline = Instant::now() + wait::LIMIT;
        let mut now = self.inventory()?;
        while now != *before && Instant::now() < deadline {
            std::thread::yield_now();
            leak::reap();
            now = self.inventory()?;
        }
        let mut faults = Vec::new();
        if now.processes != before.processes {
            let lists = self.ids.iter().map(|id| Ok(leak::descendants(self.init(id)?)));
            let lists = lists.collect::<anyhow::Result<Vec<_>>>()?.concat();
            let names = lists.iter().map(|pid| {
                let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                stat.split(' ').take(3).collect::<Vec<_>>().join(" ")
            });
            let names = names.collect::<Vec<_>>().join(", ");
            faults.push(format!("processes are left in the containers: {names}"));
        }
        let files: BTreeSet<_> = before.files.iter().collect();
        let (new, old) = (now.files.iter().collect::<BTreeSet<_>>(), files);
        faults.extend(new.symmetric_difference(&old).map(|it| format!("state files: {it}")));
        if now.fds != before.fds {
            faults.push(format!("open fds: {} before, {} now", before.fds, now.fds));
        }
        Ok(faults)
    }
}

/// One thread of the soak.
#[derive(Debug)]
pub(super) struct Worker<'a> {
    pub(super) bed: &'a Bed,
    pub(super) directory: PathBuf,
    number: u64,
    calls: Cell<u64>,
    random: Cell<u64>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(bed: &'a Bed, number: u64, seed: u64) -> anyhow::Result<Self> {
        let directory = bed.directory.join(format!("worker{number}"));
        fs::create_dir_all(&directory)?;
        let random = Cell::new((seed.wrapping_mul(64) + number).wrapping_mul(2) + 1);
        Ok(Self { bed, directory, number, calls: Cell::new(0), random })
    }

    /// A number below `end` (xorshift).
    pub(super) fn below(&self, end: u64) -> u64 {
        let mut state = self.random.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.random.set(state);
        (state >> 16) % end.max(1)
    }

    /// One of the containers that live all the time.
    pub(super) fn container(&self) -> usize {
        usize::try_from(self.below(self.bed.ids.len() as u64)).unwrap_or(0)
    }

    pub(super) fn id(&self, container: usize) -> &str {
        self.bed.ids.get(container).map_or("", String::as_str)
    }

    /// An id that no container has had.
    pub(super) fn fresh_id(&self) -> String {
        let first = self.id(0).trim_end_matches('0');
        format!("{first}-{}-{}", self.number, self.calls.get())
    }

    /// A command of the runtime, not run yet.
    pub(super) fn call(&self, words: &[&str]) -> Call {
        let number = self.calls.replace(self.calls.get() + 1);
        let base = self.directory.join(format!("call{number}"));
        let log = base.with_extension("log");
        let mut call = Call::new(&self.bed.binary, base)
            .args([Path::new("--root"), &self.bed.root])
            .args([Path::new("--log"), &log])
            .args(["--log-format", "json"])
            .args(words);
        call.limit = PATIENCE;
        call
    }

    /// `exec` in a container that may be paused by another job meanwhile.
    pub(super) fn exec(
        &self,
        container: usize,
        flags: &[&str],
        program: &[&str],
    ) -> anyhow::Result<Started<'_>> {
        let words = [&["exec"], flags, &[self.id(container)], program].concat();
        self.start(container, self.call(&words), Call::spawn)
    }

    /// The same for a call, started in another way.
    pub(super) fn start(
        &self,
        container: usize,
        call: Call,
        how: impl FnOnce(Call) -> anyhow::Result<Running>,
    ) -> anyhow::Result<Started<'_>> {
        let pauses = self.bed.pauses.get(container).context("no such container")?;
        let before = pauses.load(Ordering::SeqCst);
        Ok(Started { running: how(call)?, pauses, before })
    }

    /// Runs `body` while the container is paused, unless somebody else has paused it already.
    pub(super) fn paused(
        &self,
        container: usize,
        body: impl FnOnce() -> anyhow::Result<Done>,
    ) -> anyhow::Result<Done> {
        let pausing = self.bed.pausing.get(container).context("no such container")?;
        let pauses = self.bed.pauses.get(container).context("no such container")?;
        let _alone = pausing.lock().unwrap_or_else(PoisonError::into_inner);
        pauses.fetch_add(1, Ordering::SeqCst);
        let done = body();
        pauses.fetch_add(1, Ordering::SeqCst);
        done
    }
}

/// An exec that runs.
#[derive(Debug)]
pub(super) struct Started<'a> {
    pub(super) running: Running,
    pauses: &'a AtomicU64,
    before: u64,
}

impl Started<'_> {
    /// Waits for its end; none if it was refused since the container was paused at some time.
    pub(super) fn finish(self) -> anyhow::Result<Option<Output>> {
        let output = self.running.wait()?;
        let was_paused = self.before % 2 == 1 || self.pauses.load(Ordering::SeqCst) != self.before;
        let says_so = || ["paused", "frozen"].iter().any(|word| output.errors().contains(word));
        if output.code != 0 && was_paused && says_so() {
            output.forget();
            return Ok(None);
        }
        Ok(Some(output))
    }

    /// Waits for its end, which has to be with this code.
    pub(super) fn exits(self, code: i32) -> anyhow::Result<Done> {
        match self.finish()? {
            None => Ok(Done::Paused),
            Some(output) => took(output.exits(code)?),
        }
    }

    /// Waits until something is written to its output, or it has ended.
    pub(super) fn is_ready(&self, directory: &Path) -> anyhow::Result<bool> {
        let pidfd = wait::pidfd(self.running.pid())?.context("the command is gone")?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ready = wait::directory_or_end(directory, std::os::fd::AsFd::as_fd(&pidfd), || {
                Ok(self.running.stdout().ends_with('\n').then_some(()))
            });
            match ready {
                Ok(()) => return Ok(true),
                Err(_) if wait::readable(&pidfd, Duration::ZERO)? => return Ok(false),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => {}
            }
        }
    }
}

/// A call that went as it should.
#[expect(clippy::unnecessary_wraps, reason = "the end of every job")]
pub(super) fn took(output: Output) -> anyhow::Result<Done> {
    let time = output.took;
    output.forget();
    Ok(Done::Took(time))
}

/// The call was refused in words, by creel with the code of a process that was not executed.
pub(super) fn refused(worker: &Worker, output: Output) -> anyhow::Result<Done> {
    let output = output.refused()?;
    if worker.bed.flavor == Flavor::Creel && output.code != 255 {
        bail!("the code is not 255\n{}", output.describe());
    }
    took(output)
}

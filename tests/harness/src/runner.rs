//! Runs cases in parallel, each in a process of its own.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::mount::{MountFlags, MountPropagationFlags};
use serde_json::Value;

use crate::nursery::{Nursery, Order};
use crate::{Cases, Flavor, build, leak, rootfs, wait};

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The sentence holds.
    Passed,
    /// It does not, or something was left behind.
    Failed,
    /// It cannot be tried here.
    Skipped,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// What became of a case.
#[derive(Clone, Debug)]
pub struct CaseResult {
    /// Its place in the registry.
    pub index: usize,
    /// How it ended.
    pub status: Status,
    /// Why it failed or was skipped.
    pub detail: String,
    /// How long it took.
    pub took: Duration,
    /// It failed beside others, and passed when it was run again alone.
    pub flaky: bool,
}

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The runtime.
    pub binary: PathBuf,
    /// Indices of the cases.
    pub selected: Vec<usize>,
    /// How many at a time.
    pub jobs: usize,
    /// Those that are known to fail, which need no second try.
    pub known: BTreeSet<usize>,
    /// Take away from each config what the case is about.
    pub mutate: bool,
    /// Workers are forks of this program, not started anew.
    pub forks: bool,
    /// No case is begun after this.
    pub end: Option<Instant>,
}

impl Plan {
    fn is_over(&self, grace: Duration) -> bool {
        self.end.is_some_and(|end| Instant::now() >= end + grace)
    }
}

/// The directory of a run, in a mount namespace of its own.
#[derive(Debug)]
pub struct Run {
    directory: PathBuf,
}

impl Run {
    /// Makes a directory on a filesystem of its own, with the programs of root filesystems in it. It is
    /// seen by this process and its children only, and disappears with them.
    ///
    /// # Errors
    /// If the caller is not privileged, or the checker does not build.
    pub fn begin() -> anyhow::Result<Self> {
        let (checker, busybox) = (build::checker()?, Path::new("/bin/busybox"));
        if !busybox.exists() {
            bail!("/bin/busybox is missing: install busybox-static");
        }
        close_on_exec().context("mark the inherited fds")?;
        own_mount_namespace()?;
        mount_hugetlb()?;
        let directory = std::env::temp_dir().join(format!("ct-{}", std::process::id()));
        fs::create_dir_all(&directory)?;
        rustix::mount::mount("tmpfs", &directory, "tmpfs", MountFlags::empty(), Some(c"mode=755"))
            .context("mount a tmpfs for the run")?;
        rootfs::prepare(&directory.join("programs"), &checker, busybox)?;
        Ok(Self { directory })
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Runs the planned cases: side by side, then those that want to be alone, then those that failed once
    /// more. `done` is told of each result as it comes.
    ///
    /// # Errors
    /// If a worker cannot be started.
    pub fn cases(
        &self,
        cases: &Cases,
        plan: &Plan,
        done: &(dyn Fn(&CaseResult) + Sync),
    ) -> anyhow::Result<Vec<CaseResult>> {
        let nursery = if plan.forks { Some(Nursery::begin(cases)?) } else { None };
        let nursery = nursery.as_ref();
        let alone = |index: &usize| cases.list.get(*index).is_some_and(|case| case.alone);
        let (lonely, parallel): (Vec<usize>, Vec<usize>) =
            plan.selected.iter().copied().partition(alone);
        let results = Mutex::new(Vec::new());
        let failure = Mutex::new(None);
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..plan.jobs.max(1) {
                scope.spawn(|| {
                    while let Some(index) = parallel.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if plan.is_over(Duration::ZERO) {
                            return;
                        }
                        match self.one(cases, plan, nursery, (*index, "")) {
                            Ok(result) => {
                                done(&result);
                                results.lock().unwrap_or_else(PoisonError::into_inner).push(result);
                            }
                            Err(error) => drop(
                                failure
                                    .lock()
                                    .unwrap_or_else(PoisonError::into_inner)
                                    .replace(error),
                            ),
                        }
                    }
                });
            }
        });
        if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        for index in lonely {
            if plan.is_over(Duration::ZERO) {
                break;
            }
            let result = self.one(cases, plan, nursery, (index, ""))?;
            done(&result);
            results.push(result);
        }
        if !plan.mutate {
            self.again(cases, plan, nursery, &mut results)?;
        }
        results.sort_by_key(|result| result.index);
        Ok(results)
    }

    fn again(
        &self,
        cases: &Cases,
        plan: &Plan,
        nursery: Option<&Nursery>,
        results: &mut [CaseResult],
    ) -> anyhow::Result<()> {
        let is_final = |index: usize| {
            plan.known.contains(&index) || cases.list.get(index).is_some_and(|case| case.once)
        };
        let doubtful =
            |result: &&mut CaseResult| result.status == Status::Failed && !is_final(result.index);
        for result in results.iter_mut().filter(doubtful) {
            if plan.is_over(Duration::from_secs(60)) {
                return Ok(());
            }
            let second = self.one(cases, plan, nursery, (result.index, "-again"))?;
            if second.status == Status::Passed {
                let detail = format!("passed the second time; the first time:\n{}", result.detail);
                *result = CaseResult { flaky: true, detail, ..second };
            }
        }
        Ok(())
    }

    fn one(
        &self,
        cases: &Cases,
        plan: &Plan,
        nursery: Option<&Nursery>,
        (index, suffix): (usize, &str),
    ) -> anyhow::Result<CaseResult> {
        let case = cases.list.get(index).context("no such case")?;
        // No id is the beginning of another one.
        let id = format!("ct-{}-{index:04}{suffix}", std::process::id());
        let result = self.directory.join(format!("result-{id}"));
        let messages = self.directory.join(format!("messages-{id}"));
        let order = Order {
            index,
            binary: &plan.binary,
            run: &self.directory,
            id: &id,
            result: &result,
            messages: &messages,
            mutate: plan.mutate,
        };
        let started = Instant::now();
        let limit = Flavor::of(&plan.binary).limit(case.limit);
        let in_time = match nursery {
            Some(nursery) => {
                let pid = nursery.start(&order)?;
                let in_time = end_in_time(pid, limit)?;
                nursery.reap(pid)?;
                in_time
            }
            None => {
                let mut child = start_anew(&order)?;
                let in_time = end_in_time(child.id().cast_signed(), limit)?;
                child.wait()?;
                in_time
            }
        };
        let took = started.elapsed();
        let (mut status, mut detail) = read_result(&result, &messages);
        if !in_time {
            status = Status::Failed;
            detail = format!("took longer than {limit:?}\n{detail}");
        }
        for file in [&result, &messages] {
            let _absent = fs::remove_file(file);
        }
        let _kept_if_busy = fs::remove_dir_all(self.directory.join(&id));
        Ok(CaseResult { index, status, detail, took, flaky: false })
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _with_the_namespace =
            rustix::mount::unmount(&self.directory, rustix::mount::UnmountFlags::DETACH);
        let _absent = fs::remove_dir(&self.directory);
    }
}

/// Starts this program as a worker.
fn start_anew(order: &Order<'_>) -> anyhow::Result<Child> {
    Command::new("/proc/self/exe")
        .arg("--worker")
        .arg(order.index.to_string())
        .args([order.binary, order.run])
        .arg(order.id)
        .arg(order.result)
        .arg(if order.mutate { "mutated" } else { "unchanged" })
        .stdin(std::process::Stdio::null())
        .stdout(File::create(order.messages)?)
        .stderr(File::options().append(true).open(order.messages)?)
        .spawn()
        .context("start a worker")
}

/// Waits for a worker's end. One that takes too long is ended by ending what it waits for, so that it can still
/// clean up.
fn end_in_time(pid: i32, limit: Duration) -> anyhow::Result<bool> {
    let fd = wait::pidfd(pid)?.context("the worker was reaped by someone else")?;
    let in_time = wait::readable(&fd, limit)?;
    if !in_time {
        leak::descendants(pid).into_iter().for_each(leak::kill);
        if !wait::readable(&fd, Duration::from_secs(10))? {
            let below = leak::descendants(pid);
            leak::kill(pid);
            below.into_iter().for_each(leak::kill);
            wait::readable(&fd, Duration::from_secs(10))?;
        }
    }
    Ok(in_time)
}

fn read_result(result: &Path, messages: &Path) -> (Status, String) {
    let text = fs::read(result).unwrap_or_default();
    let value: Value = serde_json::from_slice(&text).unwrap_or_default();
    let detail = String::from(value["detail"].as_str().unwrap_or_default());
    match value["status"].as_str() {
        Some("passed") => (Status::Passed, detail),
        Some("skipped") => (Status::Skipped, detail),
        Some(_) => (Status::Failed, detail),
        None => {
            let said = fs::read(messages).unwrap_or_default();
            (
                Status::Failed,
                format!("the worker ended without a result: {}", String::from_utf8_lossy(&said)),
            )
        }
    }
}

/// Enters a mount namespace of its own, from which nothing propagates.
///
/// # Errors
/// If the caller is not privileged.
pub fn own_mount_namespace() -> anyhow::Result<()> {
    let flags = rustix::thread::UnshareFlags::NEWNS;
    #[expect(
        unsafe_code,
        reason = "rustix marks unshare as unsafe, since fds may be unshared with it"
    )]
    // SAFETY: only the mount namespace is unshared; no fd table is.
    unsafe { rustix::thread::unshare_unsafe(flags) }.context("unshare the mount namespace")?;
    let propagation = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", propagation).context("make mounts private")
}

/// Inherited fds are none of the runtime's business.
fn close_on_exec() -> anyhow::Result<()> {
    for entry in fs::read_dir("/proc/self/fd")?.flatten() {
        let number: i32 = entry.file_name().to_string_lossy().parse().unwrap_or(0);
        if number > 2 {
            #[expect(unsafe_code, reason = "the fds are inherited, nobody owns them here")]
            // SAFETY: an fd that was just listed; only its flag is changed.
            let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
            let _closed_already = rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC);
        }
    }
    Ok(())
}

/// Debian's crun refuses hybrid cgroups while no v1 hierarchy has hugetlb.
fn mount_hugetlb() -> anyhow::Result<()> {
    let path = Path::new("/sys/fs/cgroup/hugetlb");
    let unified =
        fs::read_to_string("/sys/fs/cgroup/unified/cgroup.controllers").unwrap_or_default();
    if !unified.split_whitespace().any(|controller| controller == "hugetlb") {
        return Ok(());
    }
    fs::create_dir_all(path)?;
    rustix::mount::mount("cgroup", path, "cgroup", MountFlags::empty(), Some(c"hugetlb"))
        .context("mount a hugetlb hierarchy")
}

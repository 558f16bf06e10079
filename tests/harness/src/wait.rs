//! Waiting for events, each with a limit.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};

/// The longest time that anything which a test waits for may take, on a machine that does twenty other things.
pub const LIMIT: Duration = Duration::from_secs(60);

/// How many times slower than usual this machine is, by the environment variable `TEST_PACE`.
pub const PACE: &str = "TEST_PACE";

/// A time limit, as long as this machine needs it: every limit of this module's functions is so already.
#[must_use]
pub fn paced(limit: Duration) -> Duration {
    static FACTOR: OnceLock<u32> = OnceLock::new();
    let read = || std::env::var(PACE).ok()?.parse().ok();
    limit * *FACTOR.get_or_init(|| read().unwrap_or(1).clamp(1, 100))
}

/// Whether the fd becomes readable (or reports its end) before the limit.
///
/// # Errors
/// What `poll(2)` reports, except EINTR.
pub fn readable(fd: impl AsFd, limit: Duration) -> anyhow::Result<bool> {
    readable_within(fd, paced(limit))
}

fn readable_within(fd: impl AsFd, limit: Duration) -> anyhow::Result<bool> {
    let end = Instant::now() + limit;
    loop {
        let rest = end.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(rest).context("time limit")?;
        let mut fds = [PollFd::new(&fd, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(count) => return Ok(count > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("poll"),
        }
    }
}

/// A pidfd of a process, or `None` if there is no such process any more.
///
/// # Errors
/// What `pidfd_open(2)` reports, except ESRCH.
pub fn pidfd(pid: i32) -> anyhow::Result<Option<OwnedFd>> {
    let pid = Pid::from_raw(pid).with_context(|| format!("{pid} is no process id"))?;
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(fd) => Ok(Some(fd)),
        Err(rustix::io::Errno::SRCH) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("pidfd_open {pid:?}")),
    }
}

/// Waits until a process has ended. It is not reaped.
///
/// # Errors
/// If it runs longer than [`LIMIT`].
pub fn ended(pid: i32) -> anyhow::Result<()> {
    let Some(fd) = pidfd(pid)? else { return Ok(()) };
    if !readable(fd, LIMIT)? {
        bail!("process {pid} still runs after {LIMIT:?}");
    }
    Ok(())
}

/// Programs that were started here and are waited for by who started them.
static OWN: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());
/// Exit codes of adopted processes that were reaped while something else was waited for, and when that was.
static REAPED: Mutex<BTreeMap<i32, (i32, Instant)>> = Mutex::new(BTreeMap::new());
/// A code that is older may be that of an earlier process with the number.
const REMEMBERED: Duration = Duration::from_secs(30);

/// Starts a process that is not reaped as an orphan, by no other thread and however quickly it ends.
pub(crate) fn start_own(command: &mut Command) -> std::io::Result<Child> {
    let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    let child = command.spawn()?;
    own.insert(child.id().cast_signed());
    Ok(child)
}

/// Ends what [`own`] began.
pub(crate) fn disown(pid: i32) {
    OWN.lock().unwrap_or_else(PoisonError::into_inner).remove(&pid);
}

/// Waits for the end of a program of ours, and meanwhile reaps what was adopted from containers: as long as
/// one of their processes is not reaped, the first process of its pid namespace cannot end.
///
/// # Errors
/// As [`readable`].
pub(crate) fn own_program(fd: impl AsFd, limit: Duration) -> anyhow::Result<bool> {
    let end = Instant::now() + paced(limit);
    loop {
        let rest = end.saturating_duration_since(Instant::now());
        if readable_within(&fd, rest.min(Duration::from_millis(100)))? {
            return Ok(true);
        }
        if rest.is_zero() {
            return Ok(false);
        }
        reap_orphans();
    }
}

fn reap_orphans() {
    // Held all the time: a program that is just being started is listed, and is no orphan.
    let own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    for pid in crate::leak::children(std::process::id().cast_signed()) {
        let Some(id) = Pid::from_raw(pid).filter(|_| !own.contains(&pid)) else { continue };
        if let Ok(Some(status)) =
            waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
        {
            let code = status
                .exit_status()
                .or_else(|| status.terminating_signal().map(|signal| 128 + signal));
            let mut reaped = REAPED.lock().unwrap_or_else(PoisonError::into_inner);
            reaped.insert(pid, (code.unwrap_or(-1), Instant::now()));
        }
    }
}

fn reaped(pid: i32) -> Option<i32> {
    let mut reaped = REAPED.lock().unwrap_or_else(PoisonError::into_inner);
    reaped.remove(&pid).filter(|(_, when)| when.elapsed() < REMEMBERED).map(|(code, _)| code)
}

/// How a process ended: its exit code, or 128 and the signal's number. Reaps it.
///
/// # Errors
/// If it is no child of the caller (nor adopted by it), or runs longer than [`LIMIT`].
pub fn exit_code(pid: i32) -> anyhow::Result<i32> {
    if let Some(code) = reaped(pid) {
        return Ok(code);
    }
    ended(pid)?;
    let id = Pid::from_raw(pid).with_context(|| format!("{pid} is no process id"))?;
    let waited = waitid(WaitId::Pid(id), WaitIdOptions::EXITED);
    if waited.is_err() {
        // Another thread was quicker: when it has reaped all, it has told all.
        drop(OWN.lock());
        if let Some(code) = reaped(pid) {
            return Ok(code);
        }
    }
    let status = waited.with_context(|| format!("wait for {pid}"))?;
    let status = status.with_context(|| format!("{pid} has no status"))?;
    let code =
        status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal));
    code.with_context(|| format!("{pid} did not end"))
}

/// Waits until `done` gives a value, asking again whenever something in the directory changes.
///
/// # Errors
/// If it gives none before [`LIMIT`], or fails.
pub fn directory<T>(
    path: &Path,
    done: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    watched(path, None, done)
}

/// The same, but ends without a value once the process has ended.
///
/// # Errors
/// If the process ends first.
pub fn directory_or_end<T>(
    path: &Path,
    process: BorrowedFd<'_>,
    done: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    watched(path, Some(process), done)
}

fn watched<T>(
    path: &Path,
    process: Option<BorrowedFd<'_>>,
    mut done: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
    let name = CString::new(path.as_os_str().as_encoded_bytes())?;
    inotify::add_watch(&watch, &name, inotify::WatchFlags::ALL_EVENTS)
        .with_context(|| path.display().to_string())?;
    let end = Instant::now() + paced(LIMIT);
    loop {
        if let Some(value) = done()? {
            return Ok(value);
        }
        let rest = end.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            bail!("waited {LIMIT:?} for a change in {}", path.display());
        }
        let timeout = Timespec::try_from(rest)?;
        let mut fds = vec![PollFd::new(&watch, PollFlags::IN)];
        fds.extend(process.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
        poll(&mut fds, Some(&timeout))?;
        let over = fds.get(1).is_some_and(|fd| !fd.revents().is_empty());
        let mut events = [0_u8; 4096];
        while rustix::io::read(&watch, &mut events).is_ok_and(|length| length > 0) {}
        if over {
            return done()?.with_context(|| {
                format!("the process ended before the change in {}", path.display())
            });
        }
    }
}

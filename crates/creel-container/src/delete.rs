//! Deleting: processes, cgroup, poststop hooks, directory, in this order.

use std::time::Instant;

use creel_cgroups::Cgroup;
use rustix::process::{Signal, pidfd_send_signal};

use crate::cgroup::{self, Strangers};
use crate::container::PATIENCE;
use crate::error::{Error, Result, StepError};
use crate::process;
use crate::state::{Directory, Liveness, Lock, Record, Status, open_process, status_of};
use crate::step::Op;

/// Deletes a container that has stopped; one that was created and never started is stopped first, as with every
/// runtime.
pub(crate) fn stopped(directory: &Directory) -> Result<()> {
    let _lock = Lock::exclusive(directory)?;
    let record = directory.read()?;
    match status_of(directory, &record, || cgroup::is_frozen(&record)) {
        Status::Stopped => {}
        Status::Created => end_init(&record)?,
        status @ (Status::Creating | Status::Running | Status::Paused) => {
            return Err(Error::State(format!(
                "cannot delete container {} that is not stopped: {status}",
                directory.id()
            )));
        }
    }
    destroy(directory, &record, None, Strangers::Kept)
}

/// Deletes the container of its creator, who knows what there is, whatever it does.
pub(crate) fn own(directory: &Directory, record: &Record, cgroup: Option<&Cgroup>) -> Result<()> {
    let _lock = match Lock::exclusive(directory) {
        Err(Error::NotFound { .. }) => return Ok(()),
        other => other?,
    };
    end_init(record)?;
    destroy(directory, record, cgroup, Strangers::Kept)
}

/// Deletes whatever there is of a container.
pub(crate) fn force(directory: &Directory) -> Result<()> {
    // A creator holds the lock: it is ended first, and its child dies with it.
    if let Ok(record) = directory.read()
        && !record.committed
        && let Some(creator) = &record.creator
        && let Liveness::Alive(pidfd) = open_process(creator)
    {
        let _ = pidfd_send_signal(&pidfd, Signal::KILL);
        process::ends_before(&pidfd, Some(Instant::now() + PATIENCE));
    }
    let _lock = match Lock::exclusive(directory) {
        Err(Error::NotFound { .. }) => return Ok(()),
        other => other?,
    };
    // What a damaged record says is lost, but its directory can go.
    let record = match directory.read() {
        Ok(record) => record,
        Err(error) => {
            tracing::warn!("{error}");
            return directory.remove();
        }
    };
    process::kill_point::creator();
    end_init(&record)?;
    destroy(directory, &record, None, Strangers::Killed)
}

fn destroy(
    directory: &Directory,
    record: &Record,
    cgroup: Option<&Cgroup>,
    strangers: Strangers,
) -> Result<()> {
    process::kill_point::creator();
    cgroup::remove(directory, record, cgroup, strangers)?;
    tracing::debug!("removed the cgroup of {}", directory.id());
    process::kill_point::creator();
    let hooks = record.hooks.poststop();
    if !hooks.is_empty() {
        let state = process::StateJson::new(record).text("stopped", 0);
        // runtime.md#lifecycle, step 13: a failure is a warning, and the hooks after it run.
        for error in process::run_all_hooks(&hooks, &state, &record.annotations) {
            tracing::warn!("{error}");
        }
    }
    process::kill_point::creator();
    directory.remove()?;
    process::kill_point::creator();
    Ok(())
}

/// Kills init, if it lives, and waits for its end.
fn end_init(record: &Record) -> Result<()> {
    let Some(Liveness::Alive(pidfd)) = record.init.as_ref().map(open_process) else {
        return Ok(());
    };
    pidfd_send_signal(&pidfd, Signal::KILL)
        .map_err(|errno| StepError::new("kill init", Op::Send, errno))?;
    if cgroup::is_frozen(record) {
        cgroup::thaw(record)?;
    }
    if process::ends_before(&pidfd, Some(Instant::now() + PATIENCE)) {
        return Ok(());
    }
    Err(Error::State(format!(
        "container {}: init has not ended {} seconds after SIGKILL",
        record.id,
        PATIENCE.as_secs()
    )))
}

/// Signals init alone.
pub(crate) fn signal_init(record: &Record, signal: Signal) -> Result<()> {
    if let Some(Liveness::Alive(pidfd)) = record.init.as_ref().map(open_process) {
        pidfd_send_signal(&pidfd, signal)
            .map_err(|errno| StepError::new("signal init", Op::Send, errno))?;
    }
    Ok(())
}

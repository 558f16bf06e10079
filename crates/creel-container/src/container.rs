//! One container: what it does now, and the commands that change that.

use std::time::{Duration, Instant};

use creel_cgroups::Cgroup;
use rustix::process::{Pid, Signal, pidfd_send_signal};
use serde::Serialize;

use crate::cgroup;
use crate::delete;
use crate::error::{Error, Result, StepError};
use crate::notify::Notify;
use crate::process::{self, Created, Launched};
use crate::state::{
    ContainerId, Directory, Liveness, Lock, Record, Status, open_process, status_of, status_of_own,
};
use crate::step::Op;

/// How long a frozen cgroup may take to freeze, a killed process to end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A container, found by its id.
#[derive(Debug)]
pub struct Container {
    directory: Directory,
    record: Record,
    /// Init, for the process that created it: it can wait for it.
    init: Option<Launched>,
    /// What its program tells the service manager, for the process that started it.
    notify: Option<Notify>,
    /// Its cgroup, for the process that created it.
    cgroup: Option<Cgroup>,
}

/// A container's state (runtime.md#state) with what runc adds: rootfs, created and owner.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
#[expect(missing_docs, reason = "the properties of runtime.md#state")]
pub struct State {
    pub oci_version: String,
    pub id: String,
    /// 0 when there is no process.
    pub pid: i32,
    #[serde(serialize_with = "as_text")]
    pub status: Status,
    pub bundle: String,
    pub rootfs: String,
    /// RFC 3339.
    pub created: String,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub annotations: std::collections::BTreeMap<String, String>,
    /// The user's name, or number.
    pub owner: String,
}

fn as_text<S: serde::Serializer>(status: &Status, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(status)
}

impl Container {
    pub(crate) fn open(directory: Directory) -> Result<Self> {
        let record = directory.read()?;
        Ok(Self { directory, record, init: None, notify: None, cgroup: None })
    }

    pub(crate) fn created(directory: Directory, created: Created) -> Self {
        let Created { launched, record, cgroup } = created;
        Self { directory, record, init: Some(launched), notify: None, cgroup }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &ContainerId {
        self.directory.id()
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// Init, for the process that created the container.
    #[must_use]
    pub fn init(&self) -> Option<&Launched> {
        self.init.as_ref()
    }

    /// What it is doing now.
    #[must_use]
    pub fn status(&self) -> Status {
        status_of(&self.directory, &self.record, || cgroup::is_frozen(&self.record))
    }

    /// Its state, as the `state` command prints it.
    #[must_use]
    pub fn state(&self) -> State {
        let status = self.status();
        let pid = self.record.init.as_ref().map_or(0, |init| init.pid);
        State {
            oci_version: self.record.oci_version.clone(),
            id: self.record.id.clone(),
            pid: if status == Status::Stopped { 0 } else { pid },
            status,
            bundle: self.record.bundle.to_string_lossy().into_owned(),
            rootfs: self.record.rootfs.to_string_lossy().into_owned(),
            created: self.record.created.clone(),
            annotations: self.record.annotations.clone(),
            owner: crate::users::name_of(self.record.owner),
        }
    }

    /// Runs the program of a created container; it has begun when this returns.
    ///
    /// # Errors
    /// [`Error::State`] if it is not created or has no process; what failed in startContainer hooks or in the exec;
    /// a poststart hook's failure, after which the container is stopped.
    pub fn start(&mut self) -> Result<()> {
        let _lock = Lock::exclusive(&self.directory)?;
        let status = match &self.init {
            // Whoever created it has written the record, and holds the process itself.
            Some(init) => status_of_own(&self.directory, &init.pidfd),
            None => {
                self.record = self.directory.read()?;
                self.status()
            }
        };
        if status != Status::Created {
            return Err(Error::State(format!(
                "cannot start container {}: it is {status}, not created",
                self.id()
            )));
        }
        if self.record.program.is_none() {
            return Err(Error::State(format!(
                "cannot start container {}: its config has no process",
                self.id()
            )));
        }
        process::kill_point::creator();
        if let (Some(manager), Some(init)) = (&self.record.notify, &self.record.init) {
            self.notify = Some(Notify::open(&self.directory, manager, init.pid)?);
        }
        if let Some(failure) = process::start(&self.directory)? {
            return Err(self.start_failed(&failure));
        }
        process::kill_point::creator();
        self.run_poststart()
    }

    /// Waits until the program of a container that was started here has told its service manager that it is ready, or
    /// has ended. Returns at once without [`CreateOptions::notify_socket`](crate::CreateOptions::notify_socket).
    pub fn await_ready(&mut self) {
        let init = self.record.init.as_ref().map(open_process);
        if let (Some(notify), Some(Liveness::Alive(init))) = (self.notify.take(), init) {
            notify.forward_until_ready(&init);
        }
    }

    /// What the program of a container that was started here tells its service manager, for a caller that passes it
    /// on while the container runs.
    #[must_use]
    pub fn take_notify(&mut self) -> Option<Notify> {
        self.notify.take()
    }

    fn start_failed(&self, (_, failure): &(u32, crate::step::Failure)) -> Error {
        let hooks = self.record.hooks.start_container();
        process::describe_start(self.record.program.as_deref().unwrap_or_default(), &hooks, failure)
    }

    fn run_poststart(&self) -> Result<()> {
        let hooks = self.record.hooks.poststart();
        if hooks.is_empty() {
            return Ok(());
        }
        let text = self.hook_state("running");
        let errors = process::run_hooks_until(&hooks, &text, &self.record.annotations);
        match errors {
            Ok(()) => Ok(()),
            Err(error) => {
                // runtime.md#lifecycle, step 9: a failure stops the container.
                let _ = self.signal(Signal::KILL);
                self.await_end();
                Err(error)
            }
        }
    }

    pub(crate) fn hook_state(&self, status: &str) -> String {
        let pid = self.record.init.as_ref().map_or(0, |init| init.pid);
        process::StateJson::new(&self.record).text(status, pid)
    }

    /// Sends `signal` to init, by its pidfd; SIGKILL goes to every process if init's end would not end them.
    ///
    /// # Errors
    /// [`Error::State`] with `container not running` when it has stopped.
    pub fn kill(&self, signal: Signal) -> Result<()> {
        if !matches!(self.status(), Status::Created | Status::Running | Status::Paused) {
            return Err(Error::State("container not running".to_owned()));
        }
        self.signal(signal)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let kills = signal == Signal::KILL;
        if kills && !self.record.own_pid_namespace {
            return self.kill_all(signal);
        }
        let alive = self.record.init.as_ref().map(open_process);
        let Some(Liveness::Alive(pidfd)) = alive else {
            return Err(Error::State("container not running".to_owned()));
        };
        pidfd_send_signal(&pidfd, signal)
            .map_err(|errno| StepError::new("signal init", Op::Send, errno))?;
        if kills && cgroup::is_frozen(&self.record) {
            // On v1 a frozen process dies when it is thawed.
            cgroup::thaw(&self.record)?;
        }
        Ok(())
    }

    /// Sends `signal` to every process of the container; one that has stopped is no error.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn kill_all(&self, signal: Signal) -> Result<()> {
        cgroup::kill_all(&self.record, signal)
    }

    /// Freezes every process of a running container.
    ///
    /// # Errors
    /// [`Error::State`] if it does not run; what the freezer refuses.
    pub fn pause(&self) -> Result<()> {
        match self.status() {
            Status::Running | Status::Created => cgroup::freeze(&self.record),
            status @ (Status::Creating | Status::Paused | Status::Stopped) => Err(Error::State(
                format!("cannot pause container {}: it is {status}, not running", self.id()),
            )),
        }
    }

    /// Thaws every process of a paused container.
    ///
    /// # Errors
    /// [`Error::State`] if it is not paused.
    pub fn resume(&self) -> Result<()> {
        match self.status() {
            Status::Paused => cgroup::thaw(&self.record),
            status @ (Status::Creating | Status::Created | Status::Running | Status::Stopped) => {
                Err(Error::State(format!(
                    "cannot resume container {}: it is {status}, not paused",
                    self.id()
                )))
            }
        }
    }

    /// The pids of its processes, as the caller's pid namespace numbers them.
    ///
    /// # Errors
    /// If the cgroup cannot be read.
    pub fn processes(&self) -> Result<Vec<Pid>> {
        cgroup::processes(&self.record)
    }

    /// Waits until init has ended; its exit code, or 128 and the signal. Only for the process that created it.
    ///
    /// # Errors
    /// [`Error::State`] for any other.
    pub fn wait(&self) -> Result<i32> {
        let ended = self.init.as_ref().and_then(|init| process::ended(&init.pidfd));
        ended.map(process::Ended::exit_code).ok_or_else(|| {
            Error::State("only the process that created a container can wait for it".to_owned())
        })
    }

    fn await_end(&self) {
        if let Some(Liveness::Alive(pidfd)) = self.record.init.as_ref().map(open_process) {
            process::ends_before(&pidfd, Some(Instant::now() + PATIENCE));
        }
    }

    /// Deletes a container whatever it is doing, for the process that created it. One that is deleted already is no error.
    ///
    /// # Errors
    /// What could not be removed.
    pub fn delete_own(&self) -> Result<()> {
        delete::own(&self.directory, &self.record, self.cgroup.as_ref())
    }

    /// Deletes a stopped container, or one that was created and never started.
    ///
    /// # Errors
    /// [`Error::State`] if it runs; what could not be removed.
    pub fn delete(&self) -> Result<()> {
        delete::stopped(&self.directory)
    }
}

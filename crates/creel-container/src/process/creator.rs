//! Create, as the creator goes through it: claim, record, clone, go, hooks, ready, commit. What fails is undone.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use creel_cgroups::{Cgroup, Layout};
use rustix::fs::{FileType, Mode, OFlags, mknodat, openat};
use rustix::io::Errno;

use super::channel::Message;
use super::clone::Relation;
use super::hook::{self, Output};
use super::init::Init;
use super::join::PidFile;
use super::launch::{Launched, launch};
use super::state_json::StateJson;
use super::{cgroup_error, describe, kill_point};
use crate::cgroup::Strangers;
use crate::error::{Error, Result, StepError};
use crate::plan::{Hook, Plan};
use crate::state::{
    ANSWER_FIFO, CgroupRecord, Directory, Lock, ProcessRecord, Record, START_FIFO, boot_id,
};
use crate::step::{Child, Op, Step, procfs};

/// How long processes of a container that failed may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// What create works on.
#[derive(Debug)]
pub(crate) struct Creator<'a> {
    /// The plan.
    pub(crate) plan: &'a Plan,
    /// The container's directory, claimed.
    pub(crate) directory: &'a Directory,
    /// What is recorded of it.
    pub(crate) record: Record,
    /// The config's text, kept for exec and for the hooks of later.
    pub(crate) config: &'a [u8],
    /// The terminal's socket.
    pub(crate) console: Option<OwnedFd>,
    /// Descriptors after the standard streams that the program keeps.
    pub(crate) preserved: u32,
    /// Whose child init is.
    pub(crate) relation: Relation<'a>,
    /// Where init's pid is written.
    pub(crate) pid_file: Option<&'a Path>,
    /// The socket that gets init's pidfd.
    pub(crate) pidfd_socket: Option<&'a Path>,
}

/// A container that is created and handed over.
#[derive(Debug)]
pub(crate) struct Created {
    /// Its init.
    pub(crate) launched: Launched,
    /// What is recorded.
    pub(crate) record: Record,
    /// Its cgroup.
    pub(crate) cgroup: Option<Cgroup>,
}

impl Creator<'_> {
    /// Goes all the way; when it fails, nothing is left.
    pub(crate) fn create(mut self) -> Result<Created> {
        let _lock = Lock::exclusive(self.directory)?;
        kill_point::creator();
        let mut cgroup = None;
        let mut launched = None;
        match self.build(&mut cgroup, &mut launched) {
            Ok(()) => {}
            Err(error) => {
                self.undo(launched.as_ref(), cgroup.as_ref());
                return Err(error);
            }
        }
        let Some(launched) = launched else {
            return Err(Error::State("init was not launched".to_owned()));
        };
        Ok(Created { launched, record: self.record, cgroup })
    }

    fn build(
        &mut self,
        cgroup: &mut Option<Cgroup>,
        launched: &mut Option<Launched>,
    ) -> Result<()> {
        let boot_id = boot_id();
        let own_pid = rustix::process::getpid().as_raw_pid();
        self.record.creator = ProcessRecord::of(own_pid, &boot_id);
        self.directory.write(&self.record)?;
        self.directory
            .write_file("config.json", self.config)
            .map_err(|errno| StepError::new("keep a copy of config.json", Op::Write, errno))?;
        kill_point::creator();
        if self.plan.notify.is_some() {
            crate::notify::make_directory(self.directory)?;
        }
        // The clone goes into the cgroup of v2; those of v1 are made while the child mounts.
        *cgroup = self.make_v2_cgroup()?;
        let state = StateJson::new(&self.record);
        let output = self.hook_output()?;
        let init = self.launch(cgroup.as_ref(), &state, output.borrowed())?;
        let init = launched.insert(init);
        tracing::debug!("cloned init, pid {}", init.pid);
        kill_point::creator();
        self.record.init = ProcessRecord::of(init.pid, &boot_id);
        let tasks = self.make_v1_cgroups(cgroup.as_ref())?;
        kill_point::creator();
        init.go(&tasks).map_err(|error| init.why(self.plan, error))?;
        drop(tasks);
        kill_point::creator();
        self.accompany(init, &state, output.borrowed())?;
        kill_point::creator();
        self.tell_callers(init)?;
        kill_point::creator();
        self.commit(init)
    }

    /// What callers asked to be told, before the container is theirs.
    fn tell_callers(&self, init: &Launched) -> Result<()> {
        if let Some(path) = self.pidfd_socket {
            super::listener::send_pidfd(&super::listener::connect_pidfd_socket(path)?, init)?;
        }
        super::listener::send_pidfd_to_receiver(&self.record.annotations, init)?;
        self.pid_file.map_or(Ok(()), |path| PidFile::open(path)?.write(init.pid))
    }

    /// Hands the container over: from the child's answer on it outlives its creator.
    fn commit(&mut self, init: &Launched) -> Result<()> {
        self.record.committed = true;
        self.record.creator = None;
        self.directory.write(&self.record)?;
        kill_point::creator();
        init.tell(&Message::Commit)?;
        kill_point::creator();
        match init.hear()? {
            Message::Committed => Ok(()),
            Message::Continue
            | Message::Commit
            | Message::Hooks
            | Message::Joined
            | Message::Ready { .. }
            | Message::Failed { .. } => {
                Err(StepError::new("hear init", Op::Receive, Errno::PROTO).into())
            }
        }
    }

    /// An annotation may come from an image: it makes no file unless there is a hook that writes to it.
    fn hook_output(&self) -> Result<super::hook_output::Files> {
        let hooks = &self.plan.hooks;
        let kinds = [
            &hooks.prestart,
            &hooks.create_runtime,
            &hooks.create_container,
            &hooks.start_container,
        ];
        if kinds.iter().all(|hooks| hooks.is_empty()) {
            return Ok(super::hook_output::Files::default());
        }
        super::hook_output::Files::open(&self.record.annotations)
    }

    /// With its limits if there is no other.
    fn make_v2_cgroup(&self) -> Result<Option<Cgroup>> {
        let Some(planned) = &self.plan.cgroup else { return Ok(None) };
        let (hierarchies, path) = (planned.hierarchies.clone(), planned.path.clone());
        let cgroup = Cgroup::create_v2(hierarchies, path, &planned.settings)
            .map_err(|error| cgroup_error(&error))?;
        if planned.hierarchies.layout() == Layout::V2
            && let Err(error) = cgroup.apply(&planned.settings)
        {
            let _ = cgroup.undo_create(PATIENCE);
            return Err(cgroup_error(&error));
        }
        Ok(Some(cgroup))
    }

    /// With all limits. What the child needs to enter them.
    fn make_v1_cgroups(&self, cgroup: Option<&Cgroup>) -> Result<Vec<OwnedFd>> {
        let (Some(cgroup), Some(planned)) = (cgroup, &self.plan.cgroup) else {
            return Ok(Vec::new());
        };
        let make = || {
            if planned.hierarchies.layout() != Layout::V2 {
                cgroup.create_v1()?;
                cgroup.apply(&planned.settings)?;
            }
            cgroup.tasks()
        };
        make().map_err(|error| cgroup_error(&error))
    }

    fn launch(
        &mut self,
        cgroup: Option<&Cgroup>,
        state: &StateJson,
        output: Output<'_>,
    ) -> Result<Launched> {
        let (start, answer) = start_channel(self.directory)?;
        let proc = open_proc()?;
        let console_socket = self.console.take();
        let plan = self.plan;
        let (preserved, relation) = (self.preserved, self.relation);
        launch(plan, cgroup, relation, |creator, namespaces| Init {
            plan,
            child: child(proc, namespaces, console_socket),
            creator,
            start,
            answer,
            state,
            preserved,
            output,
            relation,
            let_go: false,
        })
    }

    /// Does for the child what it asks, until it is ready.
    fn accompany(&mut self, init: &Launched, state: &StateJson, output: Output<'_>) -> Result<()> {
        loop {
            match init.hear()? {
                Message::Hooks => {
                    tracing::debug!("running prestart and createRuntime hooks");
                    // Hooks may ask for the state.
                    self.directory.write(&self.record)?;
                    let text = state.text("creating", init.pid);
                    let hooks = &self.plan.hooks;
                    run_runtime_hooks(&hooks.prestart, &text, output)?;
                    run_runtime_hooks(&hooks.create_runtime, &text, output)?;
                    init.tell(&Message::Continue)?;
                }
                Message::Ready { listener } => {
                    tracing::debug!("init is ready");
                    return super::listener::hand_over(self.plan, init, listener, state);
                }
                Message::Failed { step, failure } => {
                    return Err(describe::failure(self.plan, step, &failure));
                }
                Message::Continue | Message::Commit | Message::Committed | Message::Joined => {
                    return Err(StepError::new("hear init", Op::Receive, Errno::PROTO).into());
                }
            }
        }
    }

    /// Leaves nothing: the process, then its cgroup, the poststop hooks, the directory.
    fn undo(&self, launched: Option<&Launched>, cgroup: Option<&Cgroup>) {
        if let Some(launched) = launched {
            launched.kill();
        }
        if let Some(cgroup) = cgroup {
            // Another container may have come into it meanwhile.
            if crate::cgroup::clear(self.directory, &self.record, cgroup, Strangers::Kept)
                .unwrap_or(false)
            {
                let _ = cgroup.undo_create(PATIENCE);
            }
        }
        if launched.is_some() {
            let text = StateJson::new(&self.record).text("stopped", 0);
            super::poststop(&self.plan.hooks.poststop, &text, &self.record.annotations);
        }
        let _ = self.directory.remove();
    }
}

fn run_runtime_hooks(hooks: &[Hook], state: &str, output: Output<'_>) -> Result<()> {
    hook::run_all(hooks, state.as_bytes(), output)
        .map_err(|(index, failure)| super::hook_error(hooks.get(index), failure))
}

fn child(proc: OwnedFd, namespaces: Vec<OwnedFd>, console: Option<OwnedFd>) -> Child {
    let mut child = Child::new(proc);
    child.namespaces = namespaces;
    child.console_socket = console;
    child
}

/// The FIFOs of the start channel: init reads one as long as it waits, and holds the other's writing end.
fn start_channel(directory: &Directory) -> Result<(OwnedFd, OwnedFd)> {
    let failed = |op| move |errno| Error::from(StepError::new("make the start channel", op, errno));
    for name in [START_FIFO, ANSWER_FIFO] {
        mknodat(directory.fd(), name, FileType::Fifo, Mode::from(0o600), 0)
            .map_err(failed(Op::Mknod))?;
    }
    let open = |name: &str, how: OFlags| {
        openat(directory.fd(), name, how | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())
            .map_err(failed(Op::Open))
    };
    // Read and write: with a writer of its own init waits instead of reading an end.
    let start = open(START_FIFO, OFlags::RDWR)?;
    // The reader is only there to let the writing end be opened.
    let reader = open(ANSWER_FIFO, OFlags::RDONLY | OFlags::NONBLOCK)?;
    let answer = open(ANSWER_FIFO, OFlags::WRONLY)?;
    drop(reader);
    Ok((start, answer))
}

/// The host's `/proc`, verified.
pub(crate) fn open_proc() -> Result<OwnedFd> {
    procfs::open().map_err(|failure| {
        let mut error = StepError::new("open /proc", failure.op, failure.errno);
        error.detail = failure.detail;
        error.into()
    })
}

/// Where the cgroup is, for the commands that come later.
pub(crate) fn cgroup_record(plan: &Plan) -> Option<CgroupRecord> {
    plan.cgroup.as_ref().map(|it| CgroupRecord {
        mount: it.hierarchies.root().to_path_buf(),
        path: it.path.as_str().to_owned(),
    })
}

/// Whether the plan's process is given a terminal.
pub(crate) fn has_console(plan: &Plan) -> bool {
    plan.steps.iter().any(|it| matches!(it.step, Step::Console(_)))
}

/// Connects to the socket that gets the terminal.
pub(crate) fn connect_console(path: &Path) -> Result<OwnedFd> {
    super::listener::connect(path).map_err(|errno| {
        let doing = format!("connect to console socket {}", path.display());
        StepError::new(doing, Op::Connect, errno).into()
    })
}

/// A descriptor that a caller passed by number must be open.
pub(crate) fn check_preserved(count: u32) -> Result<()> {
    for number in 3..3 + count {
        let path = format!("/proc/self/fd/{number}");
        if rustix::fs::lstat(path.as_str()).is_err() {
            return Err(Error::State(format!(
                "--preserve-fds {count}: file descriptor {number} is not open"
            )));
        }
    }
    Ok(())
}

//! exec: a process that enters a running container.
//!
//! The command itself enters the namespaces and then clones once: the child is born inside, with the container's root
//! and the container's view, and never holds more than that. What is needed of the host is opened before.

use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use creel_cgroups::Cgroup;
use creel_seccomp::Agent;
use rustix::fs::{CWD, Mode, OFlags, openat, renameat, unlinkat};
use rustix::io::Errno;
use rustix::process::Pid;

use super::channel::{self, Message};
use super::clone::{self, Pointers, Relation, Side};
use super::init::{NO_STEP, close_others, tie_to_creator, untie_from_creator};
use super::launch::Launched;
use super::namespaces::setns;
use super::state_json::StateJson;
use super::{cgroup_error, describe};
use super::{descriptors, enter, kill_point};
use crate::cgroup::OfInit;
use crate::error::{Result, StepError};
use crate::plan::Plan;
use crate::root::Root;
use crate::state::Lock;
use crate::step::{Child, Failure, Kind, Op, Step, Text, exec_failure};
use crate::sys::hiding::hide;

/// How long a process may take to enter its cgroups by itself.
const JOINED: Duration = Duration::from_millis(100);

/// What an exec starts with: everything of the host's is open.
#[derive(Debug)]
pub(crate) struct Joiner<'a> {
    /// What the process does before it becomes the program.
    pub(crate) plan: &'a Plan,
    /// The container's init.
    pub(crate) init: OwnedFd,
    /// Types of namespaces to join.
    pub(crate) namespaces: Vec<Kind>,
    /// The root of init, for a container without a mount namespace.
    pub(crate) root: Option<OwnedFd>,
    /// The cgroup to be in.
    pub(crate) cgroup: Option<Cgroup>,
    /// Where init has moved itself, if that cgroup takes no process because it gives controllers to those below it.
    pub(crate) of_init: Option<OfInit>,
    /// Who answers for the process' seccomp filter.
    pub(crate) agent: Option<Agent>,
    /// What the agent is told of the container.
    pub(crate) state: StateJson,
    /// The terminal's socket.
    pub(crate) console: Option<OwnedFd>,
    /// Descriptors after the standard streams that the program keeps.
    pub(crate) preserved: u32,
    /// Whose child the process is.
    pub(crate) relation: Relation<'a>,
}

impl Joiner<'_> {
    /// Clones into the container and accompanies the process until all that can fail but its exec is done.
    ///
    /// `lock` keeps the container from being deleted until the process is in its cgroup, where a delete finds it.
    pub(crate) fn join(self, lock: Lock) -> Result<Launched> {
        let failed = |doing: &str, op| {
            let doing = doing.to_owned();
            move |errno| StepError::new(doing, op, errno)
        };
        let tasks = self.cgroup.as_ref().map_or(Ok(Vec::new()), Cgroup::tasks);
        let tasks = tasks.map_err(|error| cgroup_error(&error))?;
        let (socket, childs) =
            channel::pair().map_err(failed("make the channel to the process", Op::Socket))?;
        // The child is a copy of this process: from its first moment nobody inside may look into it.
        hide().map_err(failed("become undumpable", Op::Prctl))?;
        kill_point::creator();
        self.enter()?;
        kill_point::creator();
        match self.clone_inside()? {
            Ok(Side::Child) => {
                let mut kept = vec![childs.as_raw_fd(), self.init.as_raw_fd()];
                kept.extend(self.console.iter().chain(&tasks).map(AsRawFd::as_raw_fd));
                kept.extend(kill_point::descriptor());
                descriptors::close_all_but(3 + self.preserved, kept);
                self.run(&childs, tasks)
            }
            Ok(Side::Parent { pid, pidfd }) => {
                let launched = Launched { pid, pidfd, socket };
                launched.announce(self.relation)?;
                self.accompany(launched, tasks, lock)
            }
            Err(errno) => Err(failed("clone into the container", Op::Clone)(errno).into()),
        }
    }

    fn clone_inside(&self) -> Result<Result<Side, Errno>> {
        let v2 = super::launch::v2_directory(self.cgroup.as_ref())?;
        match (clone::clone3(0, v2, self.relation), &self.cgroup, &self.of_init) {
            (Err(Errno::BUSY), Some(cgroup), Some(of_init)) => Ok(match of_init.below(cgroup)? {
                Some(below) => clone::clone3(0, Some(below.as_fd()), self.relation),
                None => Err(Errno::BUSY),
            }),
            (cloned, ..) => Ok(cloned),
        }
    }

    /// Enters the namespaces, but for the cgroup namespace: a clone into a cgroup is refused to a caller whose own
    /// cgroup is outside of its namespace (`nsdelegate`).
    fn enter(&self) -> Result<()> {
        let failed = |op| {
            let kinds: Vec<_> = self.namespaces.iter().map(|kind| kind.word()).collect();
            move |errno| {
                StepError::new(format!("join namespaces ({})", kinds.join(", ")), op, errno)
            }
        };
        let flags = self
            .namespaces
            .iter()
            .filter(|kind| **kind != Kind::Cgroup)
            .fold(0, |flags, kind| flags | kind.flag());
        if flags != 0 {
            setns(self.init.as_fd(), flags).map_err(failed(Op::Setns))?;
        }
        if let Some(root) = &self.root {
            rustix::process::fchdir(root).map_err(failed(Op::Chdir))?;
            rustix::process::chroot(".").map_err(failed(Op::Chroot))?;
        }
        Ok(())
    }

    fn accompany(&self, launched: Launched, tasks: Vec<OwnedFd>, lock: Lock) -> Result<Launched> {
        match self.accompany_until_ready(&launched, tasks, lock) {
            Ok(()) => Ok(launched),
            Err(error) => {
                launched.kill();
                Err(error)
            }
        }
    }

    fn accompany_until_ready(
        &self,
        launched: &Launched,
        tasks: Vec<OwnedFd>,
        lock: Lock,
    ) -> Result<()> {
        let mut lock = Some(lock);
        if tasks.is_empty() {
            lock = None;
        } else if !launched.speaks_within(JOINED) {
            // One that has entered a frozen cgroup says nothing before the thaw, and a delete must not wait for that.
            self.move_process(launched.pid)?;
            lock = None;
        }
        drop(tasks);
        kill_point::creator();
        loop {
            match launched.hear()? {
                Message::Joined => drop(lock.take()),
                Message::Ready { listener } => return self.hand_over(launched, listener),
                Message::Failed { step, failure } => {
                    return Err(describe::failure(self.plan, step, &failure));
                }
                Message::Continue | Message::Commit | Message::Hooks | Message::Committed => {
                    return Err(
                        StepError::new("hear the process", Op::Receive, Errno::PROTO).into()
                    );
                }
            }
        }
    }

    /// Into the cgroups that it should have entered by itself.
    fn move_process(&self, pid: i32) -> Result<()> {
        let (Some(cgroup), Some(pid)) = (&self.cgroup, Pid::from_raw(pid)) else { return Ok(()) };
        cgroup.join(pid, true).map_err(|error| cgroup_error(&error))
    }

    /// Gives the filter's notification descriptor to the agent.
    fn hand_over(&self, launched: &Launched, listener: i32) -> Result<()> {
        match (&self.agent, &self.plan.seccomp_listener) {
            (Some(agent), Some(wanted)) if listener >= 0 => {
                let state = (&self.state, "running");
                super::listener::send(agent, wanted, launched, listener, state)
            }
            _ => Ok(()),
        }
    }

    /// The child: never returns.
    fn run(mut self, creator: &OwnedFd, tasks: Vec<OwnedFd>) -> ! {
        let Err((step, failure)) = self.become_program(creator, tasks);
        let _ = channel::write(creator, &Message::Failed { step, failure });
        clone::exit(255)
    }

    fn become_program(
        &mut self,
        creator: &OwnedFd,
        mut tasks: Vec<OwnedFd>,
    ) -> Result<std::convert::Infallible, (u32, Failure)> {
        let here = |failure| (NO_STEP, failure);
        let expect = |expected| match channel::read(creator) {
            Ok(Some(message)) if message == expected => Ok(()),
            Ok(None) => clone::exit(255),
            Ok(Some(_)) => Err(here(Failure::new(Op::Receive, Errno::PROTO))),
            Err(errno) => Err(here(Failure::new(Op::Receive, errno))),
        };
        clone::reset_signals();
        tie_to_creator(self.relation).map_err(here)?;
        let mut child = self.child().map_err(here)?;
        let mut let_go = false;
        for (index, planned) in self.plan.steps.iter().enumerate() {
            if matches!(planned.step, Step::LoadSeccomp(_)) {
                let_go = true;
                self.let_go().map_err(here)?;
            }
            kill_point::child("child", index);
            let number = u32::try_from(index).unwrap_or(NO_STEP);
            if matches!(planned.step, Step::AwaitGo) {
                self.enter_cgroups(creator, std::mem::take(&mut tasks))
                    .map_err(|failure| (number, failure))?;
                continue;
            }
            planned.step.execute(&mut child).map_err(|failure| (number, failure))?;
        }
        if !let_go {
            self.let_go().map_err(here)?;
        }
        let listener = child.seccomp_listener.as_ref().map_or(-1, AsRawFd::as_raw_fd);
        channel::write(creator, &Message::Ready { listener })
            .map_err(|errno| here(Failure::new(Op::Send, errno)))?;
        expect(Message::Commit)?;
        Err(here(self.execute(&child)))
    }

    fn let_go(&self) -> Result<(), Failure> {
        close_others(self.preserved)?;
        untie_from_creator()
    }

    /// The namespace last: its root is above the process' cgroup, or it.
    fn enter_cgroups(&self, creator: &OwnedFd, tasks: Vec<OwnedFd>) -> Result<(), Failure> {
        if !tasks.is_empty() {
            enter::enter(tasks, self.cgroup.as_ref().map(Cgroup::hierarchies))?;
            channel::write(creator, &Message::Joined).map_err(Failure::at(Op::Send))?;
        }
        if !self.namespaces.contains(&Kind::Cgroup) {
            return Ok(());
        }
        setns(self.init.as_fd(), Kind::Cgroup.flag()).map_err(Failure::at(Op::Setns))
    }

    /// What steps work on: the root is the namespace's, and the procfs a private one of the pid namespace.
    fn child(&mut self) -> Result<Child, Failure> {
        let proc = crate::sys::mount::private_proc().map_err(Failure::at(Op::Fsopen))?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, "/", flags, Mode::empty()).map_err(Failure::at(Op::Open))?;
        let mut child = Child::new(proc);
        child.root = Some(Root::new(root));
        child.console_socket = self.console.take();
        Ok(child)
    }

    fn execute(&self, child: &Child) -> Failure {
        let (Some(program), Some(path)) = (&self.plan.program, &child.program) else {
            return Failure::new(Op::Execve, Errno::NOENT);
        };
        let args = Pointers::new(program.args.iter().map(Text::as_c_str));
        let home = child.home.as_deref();
        let env = program.env.iter().map(Text::as_c_str).chain(home);
        let env = Pointers::new(env);
        exec_failure(child, path, clone::execve(path, &args, &env))
    }
}

impl Launched {
    /// Lets the process of an exec become its program; the channel's end is the proof that it has.
    pub(crate) fn commit(&self, plan: &Plan) -> Result<()> {
        kill_point::creator();
        self.tell(&Message::Commit)?;
        kill_point::creator();
        match channel::read(self.socket.as_fd()) {
            Ok(None) => Ok(()),
            Ok(Some(Message::Failed { step, failure })) => {
                super::wait::ended(&self.pidfd);
                Err(describe::failure(plan, step, &failure))
            }
            Ok(Some(_)) => {
                Err(StepError::new("hear the process", Op::Receive, Errno::PROTO).into())
            }
            Err(errno) => Err(StepError::new("hear the process", Op::Receive, errno).into()),
        }
    }
}

/// A pid file whose directory is open: it can be written after the caller has entered another mount namespace.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
    directory: OwnedFd,
    name: OsString,
}

impl PidFile {
    /// Opens the directory.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(CWD, parent, flags, Mode::empty()).map_err(|errno| {
            StepError::new(format!("write pid file {}", path.display()), Op::Open, errno)
        })?;
        let name = path.file_name().unwrap_or_default().to_os_string();
        Ok(Self { path: path.to_owned(), directory, name })
    }

    /// Writes the number, complete or not at all.
    pub(crate) fn write(&self, pid: i32) -> Result<()> {
        let mut new = OsString::from(".");
        new.push(&self.name);
        new.push(format!(".{pid}~"));
        // The directory may be another user's: what is there under the new name, a link above all, is not written to.
        let _ = unlinkat(&self.directory, &new, rustix::fs::AtFlags::empty());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let written = openat(&self.directory, &new, flags, Mode::from(0o644))
            .and_then(|file| rustix::io::write(&file, pid.to_string().as_bytes()))
            .and_then(|_| renameat(&self.directory, &new, &self.directory, &self.name));
        written.map_err(|errno| {
            let _ = unlinkat(&self.directory, &new, rustix::fs::AtFlags::empty());
            let doing = format!("write pid file {}", self.path.display());
            StepError::new(doing, Op::Write, errno).into()
        })
    }
}

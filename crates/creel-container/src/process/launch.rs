//! The clone: from a plan to a child that executes it, in the right namespaces and cgroups.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::channel::{self, Message};
use super::clone::{self, Relation, Side};
use super::init::Init;
use super::namespaces::{Entered, open_joined};
use crate::error::{Error, Result, StepError};
use crate::plan::Plan;
use crate::step::{Kind, Op, Step};

/// The creator's hold on its child.
#[derive(Debug)]
pub struct Launched {
    /// Its number here.
    pub(crate) pid: i32,
    /// The process.
    pub(crate) pidfd: OwnedFd,
    /// The channel to it.
    pub(crate) socket: OwnedFd,
}

/// Clones; the child runs what `init` makes of the channel's other end and the namespaces to join.
pub(crate) fn launch<'a>(
    plan: &'a Plan,
    cgroup: Option<&creel_cgroups::Cgroup>,
    relation: Relation<'_>,
    init: impl FnOnce(OwnedFd, Vec<OwnedFd>) -> Init<'a>,
) -> Result<Launched> {
    let joined = open_joined(plan)?;
    let (socket, childs) = channel::pair()
        .map_err(|errno| StepError::new("make the channel to init", Op::Socket, errno))?;
    let mut entered = Entered::enter(plan, &joined)?;
    let v2 = v2_directory(cgroup)?;
    match clone::clone3(clone_flags(plan), v2, relation) {
        Ok(Side::Child) => {
            // The time namespace of the child is the new one already; of the pid namespace it is a member.
            std::mem::take(&mut entered).forget();
            let init = init(childs, joined);
            init.close_others();
            init.run()
        }
        Ok(Side::Parent { pid, pidfd }) => {
            let launched = Launched { pid, pidfd, socket };
            launched.announce(relation)?;
            entered.leave()?;
            Ok(launched)
        }
        Err(errno) => Err(clone_error(plan, errno)),
    }
}

/// The v2 directory that a clone goes into.
pub(crate) fn v2_directory(
    cgroup: Option<&creel_cgroups::Cgroup>,
) -> Result<Option<BorrowedFd<'_>>> {
    cgroup.map_or(Ok(None), |cgroup| cgroup.v2().map_err(|error| super::cgroup_error(&error)))
}

/// What the clone itself makes. A cgroup namespace is made by a step where the child is moved after the clone, since
/// its root is where its maker is; a time namespace by the creator, for its offsets.
fn clone_flags(plan: &Plan) -> u32 {
    let later = plan.steps.iter().any(|it| matches!(it.step, Step::CgroupNamespace(_)));
    plan.new
        .iter()
        .map(|(kind, _)| *kind)
        .filter(|kind| *kind != Kind::Time && !(later && *kind == Kind::Cgroup))
        .fold(0, |flags, kind| flags | kind.flag())
}

/// The limit that was hit, by the errno's meaning in clone(2).
fn clone_error(plan: &Plan, errno: Errno) -> Error {
    let kinds: Vec<&str> = plan.new.iter().map(|(kind, _)| kind.word()).collect();
    let mut error = StepError::new(
        format!("clone init with new namespaces ({})", kinds.join(", ")),
        Op::Clone,
        errno,
    );
    error.at = plan.new.first().map(|(_, at)| at.clone());
    let hint: &[u8] = match errno {
        Errno::NOSPC => b"a limit is reached: see /proc/sys/user/max_*_namespaces",
        Errno::AGAIN => {
            b"a limit is reached: RLIMIT_NPROC, kernel.pid_max or the cgroup's pids.max"
        }
        Errno::NOMEM => b"no memory, or the pid namespace's init is gone",
        _ => b"",
    };
    error.detail = crate::step::Detail::new(hint);
    error.into()
}

impl Launched {
    /// Tells the caller of a worker of its new child: if that cannot be, there is none.
    pub(crate) fn announce(&self, relation: Relation<'_>) -> Result<()> {
        let Relation::Sibling(channel) = relation else { return Ok(()) };
        crate::worker::announce(channel, self).map_err(|errno| {
            self.kill();
            StepError::new("tell the caller of its child", Op::Send, errno).into()
        })
    }

    /// Waits until the process has ended; its exit code, or 128 and the signal. None if it was waited for before, or
    /// is no child of this process.
    #[must_use]
    pub fn wait(&self) -> Option<i32> {
        super::wait::ended(&self.pidfd).map(super::wait::Ended::exit_code)
    }

    /// Lets the child enter the cgroups that the clone did not.
    pub(crate) fn go(&self, tasks: &[OwnedFd]) -> Result<()> {
        super::enter::send_go(&self.socket, tasks)
            .map_err(|errno| StepError::new("tell init", Op::Send, errno).into())
    }

    /// Tells the child.
    pub(crate) fn tell(&self, message: &Message) -> Result<()> {
        channel::write(self.socket.as_fd(), message)
            .map_err(|errno| StepError::new("tell init", Op::Send, errno).into())
    }

    /// What the child says; its death is an error that names how it died.
    pub(crate) fn hear(&self) -> Result<Message> {
        match channel::read(self.socket.as_fd()) {
            Ok(Some(message)) => Ok(message),
            Ok(None) => Err(self.death()),
            Err(errno) => Err(StepError::new("hear init", Op::Receive, errno).into()),
        }
    }

    /// Whether the child says something, or ends, within this time.
    pub(crate) fn speaks_within(&self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).ok();
            match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], left.as_ref()) {
                Err(Errno::INTR) => {}
                count => return count.is_ok_and(|count| count > 0),
            }
        }
    }

    fn death(&self) -> Error {
        let how = match super::wait::ended(&self.pidfd) {
            Some(super::wait::Ended::Signal(9)) => {
                "init was killed (SIGKILL): is linux.resources.memory.limit too low?".to_owned()
            }
            Some(super::wait::Ended::Signal(31)) => {
                "init was killed by its seccomp filter (SIGSYS): linux.seccomp must allow read, write, capset, prctl and execve"
                    .to_owned()
            }
            Some(super::wait::Ended::Signal(signal)) => format!("init was ended by signal {signal}"),
            Some(super::wait::Ended::Code(code)) => format!("init ended with code {code}"),
            None => "init is gone".to_owned(),
        };
        Error::State(how)
    }

    /// Why the child does not go on: what it has said itself, else `error`, of what could not be done with it.
    pub(crate) fn why(&self, plan: &Plan, error: Error) -> Error {
        // Nothing is said after its end, so there is nothing to wait for.
        self.kill();
        if let Ok(Some(Message::Failed { step, failure })) = channel::read(self.socket.as_fd()) {
            return super::describe::failure(plan, step, &failure);
        }
        error
    }

    /// Ends the child and takes it from the process table.
    pub(crate) fn kill(&self) {
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, rustix::process::Signal::KILL);
        let _ = super::wait::ended(&self.pidfd);
    }
}

//! The child: executes the plan's steps, waits for start, becomes the program.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::io::Errno;
use rustix::process::{Signal, set_parent_process_death_signal};

use super::channel::{self, Message};
use super::clone::{self, Pointers, Relation};
use super::hook::{self, HookFailure, Output};
use super::state_json::StateJson;
use super::{descriptors, enter, kill_point};
use crate::plan::{Hook, Plan};
use crate::step::{Child, Failure, Op, Step, Text, exec_failure};
use crate::sys::hiding::hide;

/// A failure that is of no step: of the protocol itself.
pub(crate) const NO_STEP: u32 = u32::MAX;

/// All that the child of a create starts with; made before the clone.
#[derive(Debug)]
pub(crate) struct Init<'a> {
    /// What to do.
    pub(crate) plan: &'a Plan,
    /// What it holds.
    pub(crate) child: Child,
    /// The creator.
    pub(crate) creator: OwnedFd,
    /// Read until `start` writes.
    pub(crate) start: OwnedFd,
    /// Where a failure after that goes.
    pub(crate) answer: OwnedFd,
    /// What hooks read.
    pub(crate) state: &'a StateJson,
    /// Descriptors after the standard streams that the program keeps.
    pub(crate) preserved: u32,
    /// Where the output of hooks goes.
    pub(crate) output: Output<'a>,
    /// Whether what is not the program's has been let go.
    pub(crate) let_go: bool,
    /// Whose child this is.
    pub(crate) relation: Relation<'a>,
}

impl Init<'_> {
    /// Closes what the creator has open and the child does not need: none of it is near a container, however short.
    /// Values of the creator that own these are never dropped in the child, which ends by exec or `_exit`.
    pub(crate) fn close_others(&self) {
        let mut kept: Vec<RawFd> = [&self.creator, &self.start, &self.answer, &self.child.proc]
            .into_iter()
            .chain(&self.child.namespaces)
            .chain(&self.child.console_socket)
            .map(AsRawFd::as_raw_fd)
            .collect();
        let output = [self.output.stdout, self.output.stderr];
        kept.extend(output.iter().flatten().map(AsRawFd::as_raw_fd));
        kept.extend(kill_point::descriptor());
        descriptors::close_all_but(3 + self.preserved, kept);
    }

    /// Runs in the child and never returns.
    pub(crate) fn run(mut self) -> ! {
        if let Err((step, failure)) = self.set_up() {
            let _ = channel::write(&self.creator, &Message::Failed { step, failure });
            clone::exit(1);
        }
        let Err((step, failure)) = self.wait_for_start();
        let _ = rustix::io::write(&self.answer, &channel::answer(step, failure));
        clone::exit(1)
    }

    fn set_up(&mut self) -> Result<(), (u32, Failure)> {
        let here = |failure| (NO_STEP, failure);
        clone::reset_signals();
        tie_to_creator(self.relation).map_err(here)?;
        for (index, planned) in self.plan.steps.iter().enumerate() {
            let number = u32::try_from(index).unwrap_or(NO_STEP);
            kill_point::child("child", index);
            self.execute(&planned.step).map_err(|failure| (number, failure))?;
            kill_point::child("child-after", index);
        }
        if !self.let_go {
            self.let_go().map_err(here)?;
        }
        let listener = self.child.seccomp_listener.as_ref().map_or(-1, AsRawFd::as_raw_fd);
        self.tell(&Message::Ready { listener }).map_err(here)?;
        self.expect(Message::Commit).map_err(here)?;
        self.tell(&Message::Committed).map_err(here)?;
        // The listener is the creator's now: the program must not answer for itself.
        self.child.seccomp_listener = None;
        Ok(())
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "every other step executes by itself")]
    fn execute(&mut self, step: &Step) -> Result<(), Failure> {
        match step {
            Step::AwaitGo => self.enter_cgroups(),
            Step::RequestHooks => {
                self.tell(&Message::Hooks)?;
                self.expect(Message::Continue)
            }
            Step::CreateContainerHooks => {
                self.run_hooks(&self.plan.hooks.create_container, "creating")
            }
            Step::LoadSeccomp(_) => {
                self.let_go()?;
                step.execute(&mut self.child)
            }
            other => other.execute(&mut self.child),
        }
    }

    /// What needs calls that a filter may refuse: done before one is loaded.
    fn let_go(&mut self) -> Result<(), Failure> {
        self.let_go = true;
        close_others(self.preserved)?;
        untie_from_creator()
    }

    fn enter_cgroups(&self) -> Result<(), Failure> {
        let tasks = enter::await_go(&self.creator).map_err(Failure::at(Op::Receive))?;
        let Some(tasks) = tasks else { clone::exit(1) };
        enter::enter(tasks, self.plan.cgroup.as_ref().map(|cgroup| &cgroup.hierarchies))
    }

    fn tell(&self, message: &Message) -> Result<(), Failure> {
        channel::write(&self.creator, message).map_err(Failure::at(Op::Send))
    }

    /// Waits for the creator; one that is gone takes this process with it.
    fn expect(&self, expected: Message) -> Result<(), Failure> {
        match channel::read(&self.creator) {
            Ok(Some(message)) if message == expected => Ok(()),
            Ok(None) => clone::exit(1),
            Ok(Some(_)) => Err(Failure::new(Op::Receive, Errno::PROTO)),
            Err(errno) => Err(Failure::new(Op::Receive, errno)),
        }
    }

    fn run_hooks(&self, hooks: &[Hook], status: &str) -> Result<(), Failure> {
        // The pid as this namespace numbers it: that is where the hook looks.
        let pid = rustix::process::getpid().as_raw_pid();
        let state = self.state.text(status, pid);
        hook::run_all(hooks, state.as_bytes(), self.output).map_err(hook_failure)
    }

    /// The part after create: nothing here may fail but the hooks and the exec.
    fn wait_for_start(&mut self) -> Result<std::convert::Infallible, (u32, Failure)> {
        let here = |failure| (NO_STEP, failure);
        self.await_start().map_err(here)?;
        let hooks = &self.plan.hooks.start_container;
        if !hooks.is_empty() {
            self.run_hooks(hooks, "created").map_err(here)?;
        }
        let (Some(program), Some(path)) = (&self.plan.program, &self.child.program) else {
            return Err(here(Failure::new(Op::Execve, Errno::NOENT)));
        };
        let args = Pointers::new(program.args.iter().map(Text::as_c_str));
        let home = self.child.home.as_deref();
        let env = program.env.iter().map(Text::as_c_str).chain(home);
        let env = Pointers::new(env);
        let errno = clone::execve(path, &args, &env);
        Err(here(exec_failure(&self.child, path, errno)))
    }

    fn await_start(&self) -> Result<(), Failure> {
        let mut byte = [0];
        loop {
            match rustix::io::read(&self.start, &mut byte[..]) {
                Ok(1) => return Ok(()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(Failure::new(Op::Read, errno)),
            }
        }
    }
}

/// A failed hook in a failure's fixed size: its place and its words are in the detail.
fn hook_failure((index, failure): (usize, HookFailure)) -> Failure {
    let errno = match failure {
        HookFailure::NotStarted(errno) => errno,
        HookFailure::TimedOut => Errno::TIMEDOUT,
        HookFailure::Code(_) | HookFailure::Signal(_) => Errno::CANCELED,
    };
    let words = match failure {
        HookFailure::NotStarted(_) => format!("{index}: "),
        HookFailure::TimedOut => format!("{index}: killed after its timeout"),
        HookFailure::Code(code) => format!("{index}: exit code {code}"),
        HookFailure::Signal(signal) => format!("{index}: ended by signal {signal}"),
    };
    Failure::new(Op::Hook, errno).with(words.as_bytes())
}

/// The child dies with its creator until it is committed, and nobody may look into it: it is a copy of the creator.
///
/// The parent of a worker's sibling is a thread that may end at any time: there the channel's end is the only tie.
pub(crate) fn tie_to_creator(relation: Relation<'_>) -> Result<(), Failure> {
    if matches!(relation, Relation::Child) {
        set_parent_process_death_signal(Some(Signal::KILL)).map_err(Failure::at(Op::Prctl))?;
    }
    hide().map_err(Failure::at(Op::Prctl))?;
    // What is made in the container has the mode that the plan says, whatever the caller's mask.
    rustix::process::umask(rustix::fs::Mode::empty());
    // A session of its own: a signal to the caller's terminal is not for the container.
    rustix::process::setsid().map(drop).map_err(Failure::at(Op::Setsid))
}

/// From here on only the channel's end tells that the creator is gone: a filter may not let `prctl` pass later.
pub(crate) fn untie_from_creator() -> Result<(), Failure> {
    set_parent_process_death_signal(None).map_err(Failure::at(Op::Prctl))
}

/// Marks every descriptor but the standard streams and the preserved ones to be closed by the exec.
pub(crate) fn close_others(preserved: u32) -> Result<(), Failure> {
    descriptors::close_on_exec_from(3 + preserved).map_err(Failure::at(Op::CloseRange))
}

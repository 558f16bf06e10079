//! exec: another process in a container that exists.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use creel_cgroups::{Cgroup, SubCgroup};
use rustix::fs::{CWD, Mode, OFlags, openat};
use serde::{Deserialize, Serialize};

use crate::bundle::{Bundle, Process};
use crate::cgroup;
use crate::container::Container;
use crate::error::{Error, Result, StepError};
use crate::host::Host;
use crate::plan::{Plan, PlanOptions, compile_exec};
use crate::process::{
    self, Joiner, Launched, PidFile, Relation, StateJson, cgroup_error, connect_console,
};
use crate::runtime::Runtime;
use crate::state::{Lock, Status, status_and_init};
use crate::step::{Kind, Op};
use crate::worker;

/// What the caller of exec decides besides the process itself.
#[derive(Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExecOptions {
    /// A listening unix socket that gets the terminal's master.
    pub console_socket: Option<PathBuf>,
    /// A connected socket that gets the terminal's master; instead of `console_socket`.
    #[serde(skip)]
    pub console: Option<OwnedFd>,
    /// A listening unix socket that gets the process' pidfd.
    pub pidfd_socket: Option<PathBuf>,
    /// Where the process' pid is written, before exec returns.
    pub pid_file: Option<PathBuf>,
    /// What [`Container::config`] has given, for a caller who has asked: else it is read again.
    #[serde(skip)]
    pub config: Option<Bundle>,
    /// Cgroups below the container's, each as `[CONTROLLER[,CONTROLLER…]:]PATH`.
    pub cgroups: Vec<String>,
    /// A paused container is no error: the process waits for its resume.
    pub ignore_paused: bool,
    /// How many descriptors from 3 on the program keeps.
    pub preserve_fds: u32,
    /// How many of them are sockets by `LISTEN_FDS`; they come first.
    pub listen_fds: u32,
    /// Their names (`LISTEN_FDNAMES`), with colons between them.
    pub listen_fd_names: Option<String>,
}

impl Container {
    /// The config as it was when the container was created.
    ///
    /// # Errors
    /// If the copy in the state directory cannot be read.
    pub fn config(&self) -> Result<Bundle> {
        let file = Path::new("config.json");
        let text = self.directory().read_file("config.json").map_err(|errno| {
            StepError::new(format!("read the config of container {}", self.id()), Op::Read, errno)
        })?;
        Bundle::parse(self.record().bundle.clone(), file.to_owned(), text)
    }

    /// Runs another process in the container: it has begun when this returns.
    ///
    /// The process gets nothing from the container's config but its seccomp filter: `process` is complete. See
    /// [`Container::config`] for the one of init. A process with one thread enters the container's namespaces and
    /// stays there, so it can do little afterwards but wait; one with more needs a worker, which does that in its place:
    /// see [`worker_entry`](crate::worker_entry).
    ///
    /// # Errors
    /// [`Error::State`] if the container has stopped or is paused; what the kernel refuses; the words of
    /// [`Error::Program`] when the program cannot be executed.
    pub fn exec(&self, process: &Process, options: ExecOptions) -> Result<Launched> {
        if worker::threads() <= 1 {
            return self.exec_as(process, options, Relation::Child);
        }
        let runtime = Runtime::of(self.directory().store().clone());
        worker::exec(&runtime, self.id(), process, options)
    }

    pub(crate) fn exec_as(
        &self,
        process: &Process,
        mut options: ExecOptions,
        relation: Relation<'_>,
    ) -> Result<Launched> {
        let lock = Lock::shared(self.directory())?;
        let cgroup = cgroup::open(self.record());
        let frozen = || matches!(&cgroup, Ok(Some(it)) if it.is_frozen().unwrap_or(false));
        let (status, init) = status_and_init(self.directory(), self.record(), frozen);
        let init = self.check_status(status, options.ignore_paused, init)?;
        let mut bundle = options.config.take().map_or_else(|| self.config(), Ok)?;
        bundle.spec.process = Some(process.clone());
        let mut wanted = PlanOptions::new(self.id().as_str());
        wanted.no_new_keyring = self.record().no_new_keyring;
        let host = Host::ask_for_exec(&bundle.spec).with_filters(&bundle.spec);
        let mut plan = compile_exec(process, &bundle, &host, &wanted).map_err(Error::Config)?;
        plan.pass_listen_fds(options.listen_fds, options.listen_fd_names.as_deref());
        process::check_preserved(options.preserve_fds + options.listen_fds)?;
        let pid_file = options.pid_file.as_deref().map(PidFile::open).transpose()?;
        let pidfd_socket =
            options.pidfd_socket.as_deref().map(process::connect_pidfd_socket).transpose()?;
        let cgroup = self.sub_cgroup(cgroup?, &options.cgroups)?;
        let joiner = Joiner { relation, ..self.joiner(&plan, &mut options, init, cgroup)? };
        let launched = joiner.join(lock)?;
        let told = pid_file.map_or(Ok(()), |file| file.write(launched.pid())).and_then(|()| {
            pidfd_socket.map_or(Ok(()), |socket| process::send_pidfd(&socket, &launched))
        });
        if let Err(error) = told {
            launched.kill();
            return Err(error);
        }
        launched.commit(&plan)?;
        Ok(launched)
    }

    /// Init, of a container that can be joined.
    fn check_status(
        &self,
        status: Status,
        ignore_paused: bool,
        init: Option<OwnedFd>,
    ) -> Result<OwnedFd> {
        match status {
            Status::Paused if !ignore_paused => Err(Error::State(
                "cannot exec in a paused container (use --ignore-paused to override)".to_owned(),
            )),
            Status::Creating => Err(Error::State(format!(
                "cannot exec in container {}: it is being created",
                self.id()
            ))),
            Status::Stopped | Status::Created | Status::Running | Status::Paused => {
                init.ok_or_else(stopped)
            }
        }
    }

    /// Opens everything of the host's that the process needs.
    fn joiner<'a>(
        &self,
        plan: &'a Plan,
        options: &mut ExecOptions,
        init: OwnedFd,
        cgroup: Option<Cgroup>,
    ) -> Result<Joiner<'a>> {
        let record = self.record();
        let namespaces: Vec<Kind> = Kind::ALL
            .into_iter()
            .filter(|kind| record.namespaces.iter().any(|word| word == kind.word()))
            .collect();
        let root = if namespaces.contains(&Kind::Mount) { None } else { Some(self.init_root()?) };
        // Who is alive after it was asked by its number is who was asked.
        if process::ends_before(&init, Some(std::time::Instant::now())) {
            return Err(stopped());
        }
        let agent = plan.seccomp_listener.as_ref().map(process::connect_agent);
        Ok(Joiner {
            plan,
            init,
            namespaces,
            root,
            cgroup,
            of_init: if options.cgroups.is_empty() { self.of_init()? } else { None },
            console: console(plan, options)?,
            agent: agent.transpose()?,
            state: StateJson::new(record),
            preserved: options.preserve_fds + options.listen_fds,
            relation: Relation::Child,
        })
    }

    fn init_root(&self) -> Result<OwnedFd> {
        let pid = self.record().init.as_ref().map_or(0, |init| init.pid);
        let path = format!("/proc/{pid}/root");
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(CWD, path.as_str(), flags, Mode::empty())
            .map_err(|errno| StepError::new(format!("open {path}"), Op::Open, errno).into())
    }

    fn of_init(&self) -> Result<Option<cgroup::OfInit>> {
        self.record().init.as_ref().map(|init| cgroup::OfInit::open(init.pid)).transpose()
    }

    fn sub_cgroup(&self, own: Option<Cgroup>, names: &[String]) -> Result<Option<Cgroup>> {
        let Some(cgroup) = own else {
            if names.is_empty() {
                return Ok(None);
            }
            return Err(Error::State(format!(
                "--cgroup: container {} has no cgroup of its own",
                self.id()
            )));
        };
        let parse = |name: &String| SubCgroup::parse(name);
        let subs: Vec<SubCgroup> = names
            .iter()
            .map(parse)
            .collect::<creel_cgroups::Result<_>>()
            .map_err(|error| cgroup_error(&error))?;
        cgroup.below(&subs).map(Some).map_err(|error| cgroup_error(&error))
    }
}

fn stopped() -> Error {
    Error::State("cannot exec in a stopped container".to_owned())
}

fn console(plan: &Plan, options: &mut ExecOptions) -> Result<Option<OwnedFd>> {
    match (plan.terminal, options.console.take(), &options.console_socket) {
        (true, Some(fd), None) => Ok(Some(fd)),
        (true, None, Some(path)) => connect_console(path).map(Some),
        (false, None, None) => Ok(None),
        (true, ..) => Err(Error::State(
            "the process wants a terminal: a console socket is needed (--console-socket)"
                .to_owned(),
        )),
        (false, ..) => Err(Error::State(
            "a console socket is given, but the process wants no terminal".to_owned(),
        )),
    }
}

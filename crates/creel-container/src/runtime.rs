//! The door: all containers below one state directory.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::bundle::Bundle;
use crate::container::Container;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::plan::{Plan, PlanOptions, compile};
use crate::process::{self, Created, Creator, Relation};
use crate::state::{ContainerId, HooksRecord, Record, Store};
use crate::step::{Kind, Step};
use crate::worker;

/// Containers, each in its own directory below one root.
///
/// ```no_run
/// use creel_container::{Bundle, ContainerId, CreateOptions, Runtime};
///
/// # fn main() -> creel_container::Result<()> {
/// let runtime = Runtime::new("/run/creel");
/// let bundle = Bundle::open("/tmp/bundle".as_ref(), None)?;
/// let id = ContainerId::parse("web")?;
/// let mut container = runtime.create(&id, &bundle, CreateOptions::default())?;
/// container.start()?;
/// let code = container.wait()?;
/// container.delete()?;
/// println!("it ended with {code}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Runtime {
    store: Store,
}

/// What the caller of create decides besides the config.
#[derive(Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CreateOptions {
    /// Where init's pid is written, before create returns.
    pub pid_file: Option<PathBuf>,
    /// A listening unix socket that gets the terminal's master.
    pub console_socket: Option<PathBuf>,
    /// A connected socket that gets the terminal's master; instead of `console_socket`.
    #[serde(skip)]
    pub console: Option<std::os::fd::OwnedFd>,
    /// A listening unix socket that gets init's pidfd.
    pub pidfd_socket: Option<PathBuf>,
    /// The root is moved over `/` instead of pivoted into, for a root on a ramfs.
    pub no_pivot: bool,
    /// The container keeps the caller's session keyring.
    pub no_new_keyring: bool,
    /// The process stays in the caller's cgroup.
    pub no_cgroup: bool,
    /// How many descriptors from 3 on the program keeps.
    pub preserve_fds: u32,
    /// How many of them are sockets by `LISTEN_FDS`; they come first.
    pub listen_fds: u32,
    /// Their names (`LISTEN_FDNAMES`), with colons between them.
    pub listen_fd_names: Option<String>,
    /// The service manager's socket (`NOTIFY_SOCKET`; a name that starts with `@` is abstract): what the program tells
    /// a socket of its own reaches it, once [`Container::start`] has been called and somebody forwards.
    pub notify_socket: Option<PathBuf>,
}

impl Runtime {
    /// The containers below `root`, which is made when the first container is.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { store: Store::new(root.into()) }
    }

    /// Names the program that clones for a process with threads which does not call
    /// [`worker_entry`](crate::worker_entry): the installed `creel`.
    #[must_use]
    pub fn with_worker(self, program: impl Into<PathBuf>) -> Self {
        Self { store: self.store.with_worker(program.into()) }
    }

    pub(crate) fn of(store: Store) -> Self {
        Self { store }
    }

    pub(crate) fn root(&self) -> &Path {
        self.store.root()
    }

    pub(crate) fn worker(&self) -> Option<&Path> {
        self.store.worker()
    }

    /// What the bundle's config means on this host.
    ///
    /// # Errors
    /// [`Error::Config`] with every fault.
    pub fn plan(&self, bundle: &Bundle, id: &ContainerId, options: &CreateOptions) -> Result<Plan> {
        let mut wanted = PlanOptions::new(id.as_str());
        wanted.no_pivot = options.no_pivot;
        wanted.no_new_keyring = options.no_new_keyring;
        wanted.no_cgroup = options.no_cgroup;
        if options.notify_socket.is_some() {
            wanted.notify = Some(self.store.notify_directory(id)?);
        }
        let host = Host::ask(&bundle.spec).with_filters(&bundle.spec);
        let mut plan = compile(bundle, &host, &wanted).map_err(Error::Config)?;
        plan.pass_listen_fds(options.listen_fds, options.listen_fd_names.as_deref());
        Ok(plan)
    }

    /// Creates a container: everything but its program runs when this returns. What fails leaves nothing.
    ///
    /// A process with threads needs a worker: see [`worker_entry`](crate::worker_entry).
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Exists`], and what the kernel refuses, with the config's place and line.
    pub fn create(
        &self,
        id: &ContainerId,
        bundle: &Bundle,
        options: CreateOptions,
    ) -> Result<Container> {
        let created = match worker::threads() {
            0 | 1 => self.create_from(id, bundle, options, Relation::Child),
            _ => self.create_by_worker(id, bundle, options),
        };
        created.map_err(|error| error.locate(|pointer| Some(bundle.line(pointer))))
    }

    fn create_by_worker(
        &self,
        id: &ContainerId,
        bundle: &Bundle,
        options: CreateOptions,
    ) -> Result<Container> {
        // Faults of the config, and warnings, are told here.
        for warning in self.plan(bundle, id, &options)?.warnings {
            tracing::warn!("{warning}");
        }
        let launched = worker::create(self, id, bundle, options)?;
        let opened = || -> Result<_> {
            let directory = self.store.open(id)?;
            let record = directory.read()?;
            let cgroup = crate::cgroup::open(&record)?;
            Ok((directory, record, cgroup))
        };
        match opened() {
            Ok((directory, record, cgroup)) => {
                Ok(Container::created(directory, Created { launched, record, cgroup }))
            }
            Err(error) => {
                launched.kill();
                self.delete_force(id)?;
                Err(error)
            }
        }
    }

    pub(crate) fn create_from(
        &self,
        id: &ContainerId,
        bundle: &Bundle,
        mut options: CreateOptions,
        relation: Relation<'_>,
    ) -> Result<Container> {
        let plan = self.plan(bundle, id, &options)?;
        tracing::debug!("the plan of {id} has {} steps of the child", plan.steps.len());
        let preserved = options.preserve_fds + options.listen_fds;
        process::check_preserved(preserved)?;
        let console = console(&plan, &mut options)?;
        let directory = self.store.claim(id)?;
        process::kill_point::creator();
        let mut record = record(id, bundle, &plan);
        record.notify = plan.notify.as_ref().and_then(|_| options.notify_socket.take());
        let creator = Creator {
            plan: &plan,
            directory: &directory,
            record,
            config: bundle.text(),
            console,
            preserved,
            relation,
            pid_file: options.pid_file.as_deref(),
            pidfd_socket: options.pidfd_socket.as_deref(),
        };
        let created = creator.create()?;
        for warning in &plan.warnings {
            tracing::warn!("{warning}");
        }
        Ok(Container::created(directory, created))
    }

    /// Opens a container that exists.
    ///
    /// # Errors
    /// [`Error::NotFound`]
    pub fn open(&self, id: &ContainerId) -> Result<Container> {
        Container::open(self.store.open(id)?)
    }

    /// Every container, sorted by id. One that is damaged or goes meanwhile is passed over with a warning.
    ///
    /// # Errors
    /// If the root cannot be read. One that does not exist holds no container.
    pub fn list(&self) -> Result<Vec<Container>> {
        let mut containers = Vec::new();
        for id in self.store.ids()? {
            match self.open(&id) {
                Ok(container) => containers.push(container),
                Err(Error::NotFound { .. }) => {}
                Err(error) => tracing::warn!("{error}"),
            }
        }
        Ok(containers)
    }

    /// Deletes a container whatever it is doing; one that does not exist is no error.
    ///
    /// # Errors
    /// What could not be removed.
    pub fn delete_force(&self, id: &ContainerId) -> Result<()> {
        let directory = match self.store.open(id) {
            Err(Error::NotFound { .. }) => return Ok(()),
            other => other?,
        };
        crate::delete::force(&directory)
    }
}

/// Exactly one of the two is needed for a terminal, and none without.
fn console(plan: &Plan, options: &mut CreateOptions) -> Result<Option<std::os::fd::OwnedFd>> {
    let terminal = process::has_console(plan);
    match (terminal, options.console.take(), &options.console_socket) {
        (true, Some(fd), None) => Ok(Some(fd)),
        (true, None, Some(path)) => process::connect_console(path).map(Some),
        (false, None, None) => Ok(None),
        (true, ..) => Err(Error::State(
            "process.terminal is true: a console socket is needed (--console-socket)".to_owned(),
        )),
        (false, ..) => Err(Error::State(
            "a console socket is given, but process.terminal is not true".to_owned(),
        )),
    }
}

fn record(id: &ContainerId, bundle: &Bundle, plan: &Plan) -> Record {
    let spec = &bundle.spec;
    // A cgroup namespace that is made after the clone is a step, no flag of it.
    let unshared = plan.steps.iter().find(|it| matches!(it.step, Step::CgroupNamespace(_)));
    let kinds = plan.new.iter().map(|(kind, _)| *kind);
    let kinds = kinds.chain(plan.joined.iter().map(|it| it.kind));
    let kinds = kinds.chain(unshared.map(|_| Kind::Cgroup));
    Record {
        id: id.to_string(),
        oci_version: spec.oci_version.clone(),
        bundle: bundle.directory.clone(),
        rootfs: rootfs(bundle),
        created: crate::time::now(),
        owner: rustix::process::getuid().as_raw(),
        annotations: spec.annotations.clone().unwrap_or_default().into_iter().collect(),
        cgroup: process::cgroup_record(plan),
        namespaces: kinds.map(|kind| kind.word().to_owned()).collect(),
        own_pid_namespace: plan.new.iter().any(|(kind, _)| *kind == Kind::Pid),
        no_new_keyring: !plan.steps.iter().any(|it| matches!(it.step, Step::SessionKeyring(_))),
        hooks: HooksRecord::of(&plan.hooks),
        program: plan.program.as_ref().and_then(|it| it.args.first()).map(ToString::to_string),
        ..Record::default()
    }
}

fn rootfs(bundle: &Bundle) -> PathBuf {
    let path = bundle.spec.root.as_ref().map_or(Path::new("rootfs"), |root| root.path().as_path());
    bundle.directory.join(path)
}

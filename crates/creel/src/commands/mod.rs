//! The commands: arguments in, one call to the library, the answer out.

mod create;
mod delete;
mod exec;
mod features;
mod kill;
mod list;
pub(crate) mod output;
mod pause;
mod plan;
mod ps;
mod run;
mod spec;
mod start;
mod state;
mod update;

use creel_cli::{CgroupManager, Cli, Command, Rootless};
use creel_container::{Container, ContainerId, Runtime};
use regex_lite::Regex;

use crate::Context;
use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::log::Log;
use crate::root;

type Done = Result<ExitCode, Failure>;

/// Runs the command of `cli`.
pub(crate) fn run(mut cli: Cli, log: &Log) -> Done {
    let Some(command) = cli.command.take() else {
        return Err(Failure::new("no command given"));
    };
    refuse_unsupported(&cli)?;
    let context = Context { cli: &cli, log };
    match command {
        Command::Create(args) => create::run(&context, args),
        Command::Start(args) => start::run(&context, &args),
        Command::Run(args) => run::run(&context, args),
        Command::State(args) => state::run(&context, &args),
        Command::Kill(args) => kill::run(&context, &args),
        Command::Delete(args) => delete::run(&context, &args),
        Command::List(args) => list::run(&context, &args),
        Command::Ps(args) => ps::run(&context, &args),
        Command::Pause(args) => pause::pause(&context, &args),
        Command::Resume(args) => pause::resume(&context, &args),
        Command::Plan(args) => plan::run(&context, &args),
        Command::Exec(args) => exec::run(&context, &args),
        Command::Update(args) => update::run(&context, &args),
        Command::Spec(args) => spec::run(&args),
        Command::Features(_) => features::run(),
    }
}

/// What the global options can ask for and this version cannot do.
fn refuse_unsupported(cli: &Cli) -> Result<(), Failure> {
    if cli.systemd_cgroup || cli.cgroup_manager == Some(CgroupManager::Systemd) {
        return Err(Failure::new(
            "cgroups by systemd are not supported yet: use --cgroup-manager cgroupfs",
        ));
    }
    // It decides what missing permissions on cgroups mean, and root misses none.
    if cli.rootless == Rootless::True && !rustix::process::geteuid().is_root() {
        return Err(Failure::new("--rootless true: rootless containers are not supported yet"));
    }
    Ok(())
}

impl Context<'_> {
    /// The containers of `--root`.
    fn runtime(&self) -> Result<Runtime, Failure> {
        root::directory(self.cli.root.as_deref()).map(Runtime::new)
    }

    /// The container named `id`.
    fn open(&self, id: &str) -> Result<Container, Failure> {
        Ok(self.runtime()?.open(&ContainerId::parse(id)?)?)
    }

    /// The containers whose ids match, anywhere unless the expression says where.
    fn matching(&self, expression: &str) -> Result<Vec<Container>, Failure> {
        let regex = Regex::new(expression)
            .map_err(|error| Failure::new(format!("--regex {expression:?}: {error}")))?;
        let mut containers = self.runtime()?.list()?;
        containers.retain(|container| regex.is_match(container.id().as_str()));
        Ok(containers)
    }
}

/// Does the same to each; one that fails does not keep the others from it.
fn each(
    containers: &[Container],
    act: impl Fn(&Container) -> creel_container::Result<()>,
) -> Result<(), Failure> {
    let failed = |container: &Container| {
        act(container).err().map(|error| format!("{}: {error}", container.id()))
    };
    let mut messages = containers.iter().filter_map(failed).collect::<Vec<_>>().into_iter();
    let Some(first) = messages.next() else { return Ok(()) };
    Err(Failure { more: messages.collect(), ..Failure::new(first) })
}

//! The commands, one file each.

mod create;
mod delete;
mod exec;
mod features;
mod kill;
mod list;
mod pause;
mod plan;
mod ps;
mod resume;
mod run;
mod spec;
mod start;
mod state;
mod update;

pub use create::{Create, Launch};
pub use delete::Delete;
pub use exec::Exec;
pub use features::Features;
pub use kill::Kill;
pub use list::List;
pub use pause::Pause;
pub use plan::Plan;
pub use ps::Ps;
pub use resume::Resume;
pub use run::Run;
pub use spec::Spec;
pub use start::Start;
pub use state::State;
pub use update::{Limits, Update};

use clap::Subcommand;

/// What the program is asked to do.
///
/// Only the command that is used gets its arguments defined: the definitions of all would be the
/// largest use of time and memory of a short command.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
#[command(defer = true)]
pub enum Command {
    /// Writes a config.json to start from.
    Spec(Spec),
    /// Makes a container from a bundle, without running its process yet.
    Create(Create),
    /// Runs the process of a created container.
    Start(Start),
    /// Makes a container from a bundle and runs its process.
    Run(Run),
    /// Prints the state of a container as JSON.
    State(State),
    /// Sends a signal to the process of a container.
    Kill(Kill),
    /// Removes a stopped container.
    Delete(Delete),
    /// Lists the containers.
    List(List),
    /// Shows the processes of a container.
    Ps(Ps),
    /// Runs another process in a container.
    Exec(Exec),
    /// Suspends all processes of a container.
    Pause(Pause),
    /// Lets the processes of a paused container go on.
    Resume(Resume),
    /// Changes the limits of a container.
    Update(Update),
    /// Prints what the runtime supports as JSON.
    Features(Features),
    /// Prints what would be done for a bundle, without doing it.
    Plan(Plan),
}

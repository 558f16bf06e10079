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

use clap::Subcommand;

/// What the program is asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// The command `spec`.
    Spec(Spec),
    /// The command `create`.
    Create(Create),
    /// The command `start`.
    Start(Start),
    /// The command `run`.
    Run(Run),
    /// The command `state`.
    State(State),
    /// The command `kill`.
    Kill(Kill),
    /// The command `delete`.
    Delete(Delete),
    /// The command `list`.
    List(List),
    /// The command `ps`.
    Ps(Ps),
    /// The command `exec`.
    Exec(Exec),
    /// The command `pause`.
    Pause(Pause),
    /// The command `resume`.
    Resume(Resume),
    /// The command `features`.
    Features(Features),
    /// The command `plan`.
    Plan(Plan),
}

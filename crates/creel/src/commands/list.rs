//! `creel list`.

use creel_cli::{List, ListFormat};
use creel_container::State;

use super::{Done, output};
use crate::Context;
use crate::exit::ExitCode;

pub(super) fn run(context: &Context<'_>, args: &List) -> Done {
    let containers = context.runtime()?.list()?;
    if args.quiet {
        let ids: String = containers.iter().map(|it| format!("{}\n", it.id())).collect();
        return output::text(&ids);
    }
    let states: Vec<State> = containers.iter().map(creel_container::Container::state).collect();
    match args.format {
        // go-runc reads null as no container, as runc writes it.
        ListFormat::Json if states.is_empty() => output::text("null"),
        ListFormat::Json => output::json_line(&states),
        ListFormat::Table => table(&states),
    }
    .map(|_| ExitCode::SUCCESS)
}

fn table(states: &[State]) -> Done {
    let head = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(str::to_owned);
    let row = |state: &State| {
        [
            state.id.clone(),
            state.pid.to_string(),
            state.status.to_string(),
            state.bundle.clone(),
            state.created.clone(),
            state.owner.clone(),
        ]
    };
    let rows: Vec<_> = std::iter::once(head).chain(states.iter().map(row)).collect();
    output::table(&rows)
}

//! `creel ps`.

use std::process::Command;

use creel_cli::{ListFormat, Ps};

use super::{Done, output};
use crate::Context;
use crate::failure::Failure;

pub(super) fn run(context: &Context<'_>, args: &Ps) -> Done {
    let container = context.open(&args.id)?;
    let pids: Vec<i32> = container.processes()?.iter().map(|pid| pid.as_raw_pid()).collect();
    match args.format {
        ListFormat::Json => output::json_line(&pids),
        ListFormat::Table => table(&pids, &args.options),
    }
}

/// The lines of ps(1) that are about one of `pids`, found by the column that ps calls PID.
fn table(pids: &[i32], options: &[String]) -> Done {
    let default = ["-ef".to_owned()];
    let options = if options.is_empty() { &default[..] } else { options };
    let failed = |error: String| Failure::new(format!("ps {}: {error}", options.join(" ")));
    let answer =
        Command::new("ps").args(options).output().map_err(|error| failed(error.to_string()))?;
    if !answer.status.success() {
        let words = String::from_utf8_lossy(&answer.stderr);
        return Err(failed(words.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    let text = String::from_utf8_lossy(&answer.stdout);
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default();
    let column = head.split_whitespace().position(|title| title == "PID");
    let column = column.ok_or_else(|| failed("its table has no column PID".to_owned()))?;
    let is_ours = |line: &&str| {
        let pid = line.split_whitespace().nth(column).and_then(|cell| cell.parse().ok());
        pid.is_some_and(|pid| pids.contains(&pid))
    };
    let ours: String =
        std::iter::once(head).chain(lines.filter(is_ours)).map(|it| format!("{it}\n")).collect();
    output::text(&ours)
}

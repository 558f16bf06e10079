//! The process in which one case runs.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use anyhow::{Context, anyhow};
use serde_json::json;

use crate::Runtime;
use crate::case::{Case, Skip};
use crate::leak::Watch;
use crate::runner::Status;
use crate::runtime::Setup;

/// Runs a case and writes its result into the file.
///
/// # Errors
/// If the case cannot even be begun.
pub fn run(case: &Case, setup: Setup, result: &Path) -> anyhow::Result<()> {
    // Whatever loses its parent below this process becomes its child.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .context("become a subreaper")?;
    crate::runner::own_mount_namespace()?;
    let runtime = Runtime::new(setup)?;
    let watch = Watch::begin();
    let outcome = catch_unwind(AssertUnwindSafe(|| (case.body)(&runtime)));
    let outcome = outcome.unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref().copied());
        Err(anyhow!("the test panicked: {}", text.unwrap_or("without a message")))
    });
    let cleaned = runtime.clean();
    let leaks = watch.end(&runtime);
    let (status, mut detail) = match outcome {
        Ok(()) => (Status::Passed, String::new()),
        Err(error) => match error.downcast_ref::<Skip>() {
            Some(Skip(reason)) => (Status::Skipped, reason.clone()),
            None => (Status::Failed, format!("{error:#}")),
        },
    };
    let mut status = status;
    if let Err(error) = cleaned {
        status = Status::Failed;
        detail += &format!("\n{error:#}");
    }
    if !leaks.is_empty() {
        status = Status::Failed;
        detail += &format!("\nleft behind:\n  {}", leaks.join("\n  "));
    }
    if status == Status::Failed {
        detail += &format!("\n--- what was done ---\n{}", runtime.transcript());
    }
    fs::write(result, json!({ "status": status.name(), "detail": detail.trim() }).to_string())?;
    Ok(())
}

//! The two processes: the creator, which clones and commits, and the child, which executes the plan's steps.

mod channel;
mod clone;
mod creator;
mod describe;
mod descriptors;
mod enter;
mod hook;
mod hook_output;
mod init;
mod join;
pub(crate) mod kill_point;
mod launch;
mod listener;
mod namespaces;
mod seal;
mod signals;
mod start;
mod state_json;
mod wait;

use std::collections::BTreeMap;

pub(crate) use channel::pair as channel_pair;
pub(crate) use clone::{Relation, exit};
pub(crate) use creator::{
    Created, Creator, cgroup_record, check_preserved, connect_console, has_console,
};
use describe::hook_words;
pub(crate) use describe::start as describe_start;
pub(crate) use hook::ends_before;
pub(crate) use join::{Joiner, PidFile};
pub use launch::Launched;
pub(crate) use listener::{
    connect_agent, connect_as, connect_pidfd_socket, send_descriptor, send_pidfd,
};
pub(crate) use seal::MARK as SEALED;
pub use seal::seal;
pub use signals::{Signals, signal};
pub(crate) use start::start;
pub(crate) use state_json::StateJson;
pub(crate) use wait::{Ended, ended};

use crate::error::Error;
use crate::plan::{Hook, setting_pointer};

/// A cgroup's error, with the config's place when a setting is at fault.
pub(crate) fn cgroup_error(error: &creel_cgroups::Error) -> Error {
    let at = error.setting().map(setting_pointer);
    let message = match at {
        Some(_) => error.without_setting(),
        None => error.to_string(),
    };
    Error::Cgroup { at, line: None, message }
}

pub(crate) fn hook_error(hook: Option<&Hook>, failure: hook::HookFailure) -> Error {
    let words = hook.map(|hook| failure.words(hook)).unwrap_or_default();
    hook_words(hook, &words)
}

/// Runs hooks each of which is tried whatever the others do; the errors of those that failed.
pub(crate) fn run_all_hooks(
    hooks: &[Hook],
    state: &str,
    annotations: &BTreeMap<String, String>,
) -> Vec<Error> {
    if hooks.is_empty() {
        return Vec::new();
    }
    let files = hook_output::Files::open(annotations).unwrap_or_default();
    let run = |hook| hook::run(hook, state.as_bytes(), files.borrowed());
    hooks
        .iter()
        .filter_map(|hook| run(hook).err().map(|failure| hook_error(Some(hook), failure)))
        .collect()
}

/// Runs hooks up to the first that fails.
pub(crate) fn run_hooks_until(
    hooks: &[Hook],
    state: &str,
    annotations: &BTreeMap<String, String>,
) -> Result<(), Error> {
    if hooks.is_empty() {
        return Ok(());
    }
    let files = hook_output::Files::open(annotations)?;
    hook::run_all(hooks, state.as_bytes(), files.borrowed())
        .map_err(|(index, failure)| hook_error(hooks.get(index), failure))
}

/// The poststop hooks of a create that failed: its own error is the one to tell.
fn poststop(hooks: &[Hook], state: &str, annotations: &BTreeMap<String, String>) {
    for error in run_all_hooks(hooks, state, annotations) {
        tracing::warn!("{error}");
    }
}

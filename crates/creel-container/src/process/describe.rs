//! What a failed step means to people and engines: pointer, words, hint.

use super::init::NO_STEP;
use crate::error::{Error, StepError, errno_words};
use crate::plan::{Hook, Plan, Planned};
use crate::pointer::Pointer;
use crate::step::{Failure, NOT_IN_PATH, Op, Step};

/// The error of a child that failed at `step` of `plan`.
pub(crate) fn failure(plan: &Plan, step: u32, failure: &Failure) -> Error {
    let planned = usize::try_from(step).ok().and_then(|index| plan.steps.get(index));
    if failure.op == Op::Hook {
        let hooks = match planned.map(|it| &it.step) {
            Some(Step::CreateContainerHooks) => &plan.hooks.create_container,
            _ => &plan.hooks.start_container,
        };
        return hook(hooks, failure);
    }
    match planned {
        Some(Planned { at, step: Step::LookUpProgram(it) }) => Error::Program {
            at: at.clone(),
            line: None,
            message: program(&it.name.to_string(), failure),
        },
        Some(planned) => {
            let mut error = StepError::new(planned.step.to_string(), failure.op, failure.errno);
            error.at = Some(planned.at.clone());
            error.detail = failure.detail;
            error.into()
        }
        None if step == NO_STEP && failure.op == Op::Execve => exec(plan, failure),
        None => {
            let mut error = StepError::new("start init", failure.op, failure.errno);
            error.detail = failure.detail;
            error.into()
        }
    }
}

/// The exec that was refused although the program was found at create.
fn exec(plan: &Plan, failure: &Failure) -> Error {
    let name = plan.program.as_ref().and_then(|it| it.args.first());
    let name = name.map(ToString::to_string).unwrap_or_default();
    Error::Program {
        at: Pointer::item("process.args", 0),
        line: None,
        message: program(&name, failure),
    }
}

/// The words that engines map to 126 and 127: podman, Docker and containerd search the text for them.
fn program(name: &str, failure: &Failure) -> String {
    let detail = String::from_utf8_lossy(failure.detail.as_bytes());
    let detail = detail.escape_debug();
    if failure.detail.as_bytes().starts_with(NOT_IN_PATH) {
        return format!("exec: {name:?}: {detail}");
    }
    let words = errno_words(failure.errno);
    if failure.detail.as_bytes().is_empty() {
        return format!("exec: {name:?}: {words}");
    }
    format!("exec: {name:?}: {words}: {detail}")
}

/// A failed hook of the child's: its place stands before its words in the detail.
fn hook(hooks: &[Hook], failure: &Failure) -> Error {
    let text = String::from_utf8_lossy(failure.detail.as_bytes()).into_owned();
    let (index, words) = text.split_once(": ").unwrap_or(("0", &text));
    let words = if words.is_empty() { errno_words(failure.errno) } else { words.to_owned() };
    let hook = index.parse().ok().and_then(|index: usize| hooks.get(index));
    hook_words(hook, &words)
}

/// The error of a hook, named by its place and its program.
pub(crate) fn hook_words(hook: Option<&Hook>, words: &str) -> Error {
    Error::Hook {
        at: hook.map_or_else(|| Pointer::new("hooks"), |hook| hook.at.clone()),
        line: None,
        message: format!("{}: {words}", hook.map(|it| it.path.to_string()).unwrap_or_default()),
    }
}

/// The error of an init that failed after `start`: a startContainer hook, or the exec.
pub(crate) fn start(program_name: &str, hooks: &[Hook], failure: &Failure) -> Error {
    if failure.op == Op::Hook {
        return hook(hooks, failure);
    }
    let at = Pointer::item("process.args", 0);
    Error::Program { at, line: None, message: program(program_name, failure) }
}

//! Reads a profile from the text of `config.json`.

use serde::Deserialize;
use serde_json::Value;

use super::{Arg, Operator, Profile, Rule};
use crate::action::EPERM;
use crate::{Action, ActionKind, Arch, Error, FilterFlags, Result};

/// The kernel cuts greater values down to this.
const MAX_ERRNO: u32 = 4095;
/// The kernel gives a tracer 16 bits.
const MAX_TRACE: u32 = 65535;

/// The object as written: names are still text, so that an unknown one gets our error.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    default_action: String,
    default_errno_ret: Option<u64>,
    architectures: Option<Vec<String>>,
    flags: Option<Vec<String>>,
    listener_path: Option<String>,
    listener_metadata: Option<String>,
    syscalls: Option<Vec<RawRule>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRule {
    names: Vec<String>,
    action: String,
    errno_ret: Option<u64>,
    args: Option<Vec<RawArg>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawArg {
    index: u64,
    value: u64,
    #[serde(default)]
    value_two: u64,
    op: String,
}

impl Profile {
    /// Reads the object at `linux.seccomp` of a `config.json`.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the place of the first value that is not the specification's.
    pub fn from_json(seccomp: &Value) -> Result<Self> {
        let raw = Raw::deserialize(seccomp).map_err(|error| {
            Error::invalid("linux.seccomp", "a seccomp profile", error.to_string())
        })?;
        profile(raw)
    }
}

fn profile(raw: Raw) -> Result<Profile> {
    let default_action =
        action("defaultAction", &raw.default_action, "defaultErrnoRet", raw.default_errno_ret)?;
    let architectures = raw
        .architectures
        .unwrap_or_default()
        .iter()
        .enumerate()
        .map(|(i, name)| {
            Arch::from_name(name).ok_or_else(|| {
                Error::invalid(
                    format!("architectures[{i}]"),
                    "the name of an architecture",
                    quoted(name),
                )
            })
        })
        .collect::<Result<_>>()?;
    let flags = raw.flags.map(|names| flags(&names)).transpose()?;
    let rules = raw
        .syscalls
        .unwrap_or_default()
        .into_iter()
        .enumerate()
        .map(rule)
        .collect::<Result<_>>()?;
    Ok(Profile {
        default_action,
        architectures,
        flags,
        rules,
        listener_path: raw.listener_path.filter(|path| !path.is_empty()).map(Into::into),
        listener_metadata: raw.listener_metadata.filter(|data| !data.is_empty()),
    })
}

fn flags(names: &[String]) -> Result<FilterFlags> {
    let mut flags = FilterFlags::EMPTY;
    for (i, name) in names.iter().enumerate() {
        let flag = FilterFlags::from_name(name).ok_or_else(|| {
            let known = FilterFlags::KNOWN.map(|(name, _)| name).join(", ");
            Error::invalid(format!("flags[{i}]"), format!("one of {known}"), quoted(name))
        })?;
        flags = flags.with(flag);
    }
    Ok(flags)
}

fn action(at: &str, name: &str, errno_at: &str, errno: Option<u64>) -> Result<Action> {
    let kind = ActionKind::from_name(name).ok_or_else(|| {
        let known = ActionKind::ALL.map(ActionKind::name).join(", ");
        Error::invalid(at, format!("one of {known}"), quoted(name))
    })?;
    with_errno(kind, errno_at, errno)
}

/// The action with the value that the profile gives it, EPERM if none.
pub(super) fn with_errno(kind: ActionKind, errno_at: &str, errno: Option<u64>) -> Result<Action> {
    let Some(errno) = errno else { return Ok(kind.with_errno(EPERM)) };
    if !kind.takes_errno() {
        let expected = format!("no value, for {} returns none", kind.name());
        return Err(Error::invalid(errno_at, expected, errno.to_string()));
    }
    let max = if kind == ActionKind::Trace { MAX_TRACE } else { MAX_ERRNO };
    match u16::try_from(errno) {
        Ok(value) if u32::from(value) <= max => Ok(kind.with_errno(value)),
        Ok(_) | Err(_) => {
            Err(Error::invalid(errno_at, format!("at most {max}"), errno.to_string()))
        }
    }
}

fn rule((i, raw): (usize, RawRule)) -> Result<Rule> {
    let at = format!("syscalls[{i}]");
    check_names(&at, &raw.names)?;
    let action =
        action(&format!("{at}.action"), &raw.action, &format!("{at}.errnoRet"), raw.errno_ret)?;
    let args = raw
        .args
        .unwrap_or_default()
        .iter()
        .enumerate()
        .map(|(j, arg)| argument(&format!("{at}.args[{j}]"), arg))
        .collect::<Result<_>>()?;
    Ok(Rule { names: raw.names, action, args })
}

fn argument(at: &str, raw: &RawArg) -> Result<Arg> {
    let op = Operator::from_name(&raw.op).ok_or_else(|| {
        let known = Operator::ALL.map(Operator::name).join(", ");
        Error::invalid(format!("{at}.op"), format!("one of {known}"), quoted(&raw.op))
    })?;
    Ok(Arg { index: index(at, raw.index)?, op, value: raw.value, value_two: raw.value_two })
}

pub(super) fn index(at: &str, index: u64) -> Result<u8> {
    let small = u8::try_from(index).ok().filter(|index| *index < 6);
    small.ok_or_else(|| Error::invalid(format!("{at}.index"), "0 to 5", index.to_string()))
}

pub(super) fn check_names(at: &str, names: &[String]) -> Result<()> {
    if names.is_empty() {
        return Err(Error::invalid(format!("{at}.names"), "at least one name", "none"));
    }
    match names.iter().position(String::is_empty) {
        Some(empty) => {
            Err(Error::invalid(format!("{at}.names[{empty}]"), "the name of a system call", "\"\""))
        }
        None => Ok(()),
    }
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

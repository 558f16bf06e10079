//! What goes wrong, as data; the text is made at the end.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::pointer::Pointer;
use crate::step::{Detail, Op};

/// The library's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A fault of the config, found before anything was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConfigError {
    /// Where.
    pub at: Pointer,
    /// Line of `config.json`, from 1, when it is known.
    pub line: Option<usize>,
    /// What was expected, or why it is refused.
    pub expected: String,
    /// What was found; empty when nothing was.
    pub found: String,
}

impl ConfigError {
    /// `expected` at `at`, but `found` was there.
    pub fn new(at: Pointer, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { at, line: None, expected: expected.into(), found: found.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        place(f, &self.at, self.line)?;
        f.write_str(&self.expected)?;
        if !self.found.is_empty() {
            write!(f, ", found {}", self.found)?;
        }
        Ok(())
    }
}

/// Something that the kernel refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepError {
    /// Which part of the config asked for it, when one did.
    pub at: Option<Pointer>,
    /// Line of `config.json`, from 1, when it is known.
    pub line: Option<usize>,
    /// What was being done, for people: `mount proc on /proc`.
    pub doing: String,
    /// The operation.
    #[serde(with = "op")]
    pub op: Op,
    /// The kernel's answer.
    #[serde(with = "errno")]
    pub errno: Errno,
    /// What else is known.
    #[serde(with = "detail")]
    pub detail: Detail,
}

impl StepError {
    /// `doing` was refused with `errno` at `op`, outside any part of the config.
    pub fn new(doing: impl Into<String>, op: Op, errno: Errno) -> Self {
        Self { at: None, line: None, doing: doing.into(), op, errno, detail: Detail::default() }
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = &self.at {
            place(f, at, self.line)?;
        }
        write!(f, "{}: {}: {}", self.doing, self.op.word(), errno_words(self.errno))?;
        let detail = self.detail.as_bytes();
        if !detail.is_empty() {
            write!(f, ": {}", String::from_utf8_lossy(detail).escape_debug())?;
        }
        Ok(())
    }
}

fn place(f: &mut fmt::Formatter<'_>, at: &Pointer, line: Option<usize>) -> fmt::Result {
    match line {
        Some(line) => write!(f, "{at} (config.json:{line}): "),
        None => write!(f, "{at}: "),
    }
}

/// The errno's words in lower case, as engines search for them: `permission denied`, `no such file or directory`.
#[must_use]
pub(crate) fn errno_words(errno: Errno) -> String {
    let text = std::io::Error::from(errno).to_string();
    let words = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = words.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// Everything that can go wrong.
#[derive(Clone, Debug, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Error {
    /// The config is at fault. The first fault is the message; `creel plan` shows them all.
    #[error("{}", first(.0))]
    Config(Vec<ConfigError>),
    /// `config.json` is not JSON, or not readable.
    #[error("{file}: {message}", file = .file.display())]
    Bundle {
        /// The file or directory at fault.
        file: PathBuf,
        /// What is wrong, with line and column where there are any.
        message: String,
    },
    /// The kernel refused.
    #[error("{0}")]
    Step(Box<StepError>),
    /// A name that no container may have.
    #[error("invalid container id {id:?}: {expected}")]
    Id {
        /// What was given.
        id: String,
        /// What would do.
        expected: Cow<'static, str>,
    },
    /// There is no container of this id.
    #[error("container {id:?} does not exist")]
    NotFound {
        /// What was given.
        id: String,
    },
    /// A container of this id exists.
    #[error("container with given ID already exists: {id:?}")]
    Exists {
        /// What was given.
        id: String,
    },
    /// The command does not fit what the container is doing. Engines search these words.
    #[error("{0}")]
    State(String),
    /// A cgroup or a limit that the kernel refused.
    #[error("{}{message}", Place(.at.as_ref(), *.line))]
    Cgroup {
        /// Which limit, when one is at fault.
        at: Option<Pointer>,
        /// Line of `config.json`.
        line: Option<usize>,
        /// What was refused.
        message: String,
    },
    /// The program cannot be executed. Engines search these words.
    #[error("{}{message}", Place(Some(.at), *.line))]
    Program {
        /// `process.args[0]`.
        at: Pointer,
        /// Line of `config.json`.
        line: Option<usize>,
        /// What was refused.
        message: String,
    },
    /// A hook failed.
    #[error("{}{message}", Place(Some(.at), *.line))]
    Hook {
        /// `hooks.prestart[0]`.
        at: Pointer,
        /// Line of `config.json`.
        line: Option<usize>,
        /// Which program, and how it ended.
        message: String,
    },
}

impl Error {
    /// Fills in lines of `config.json`, which `line_of` finds.
    #[must_use]
    pub fn locate(mut self, line_of: impl Fn(&Pointer) -> Option<usize>) -> Self {
        match &mut self {
            Self::Config(faults) => {
                for fault in faults.iter_mut().filter(|it| it.line.is_none()) {
                    fault.line = line_of(&fault.at);
                }
            }
            Self::Step(error) => error.line = error.at.as_ref().and_then(line_of),
            Self::Cgroup { at, line, .. } => *line = at.as_ref().and_then(line_of),
            Self::Program { at, line, .. } | Self::Hook { at, line, .. } => *line = line_of(at),
            Self::Bundle { .. }
            | Self::Id { .. }
            | Self::NotFound { .. }
            | Self::Exists { .. }
            | Self::State(_) => {}
        }
        self
    }
}

struct Place<'a>(Option<&'a Pointer>, Option<usize>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |at| place(f, at, self.1))
    }
}

fn first(faults: &[ConfigError]) -> String {
    faults.first().map(ToString::to_string).unwrap_or_default()
}

impl From<StepError> for Error {
    fn from(error: StepError) -> Self {
        Self::Step(Box::new(error))
    }
}

/// An operation as its number.
mod op {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use crate::step::Op;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(super) fn serialize<S: Serializer>(op: &Op, to: S) -> Result<S::Ok, S::Error> {
        (*op as u16).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Op, D::Error> {
        let number = u16::deserialize(from)?;
        Op::from_number(number).ok_or_else(|| D::Error::custom("an unknown operation"))
    }
}

/// An errno as its number.
mod errno {
    use rustix::io::Errno;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(super) fn serialize<S: Serializer>(errno: &Errno, to: S) -> Result<S::Ok, S::Error> {
        errno.raw_os_error().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Errno, D::Error> {
        i32::deserialize(from).map(Errno::from_raw_os_error)
    }
}

/// A detail as its bytes.
mod detail {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::step::Detail;

    pub(super) fn serialize<S: Serializer>(detail: &Detail, to: S) -> Result<S::Ok, S::Error> {
        detail.as_bytes().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Detail, D::Error> {
        Vec::<u8>::deserialize(from).map(|bytes| Detail::new(&bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_survives_the_way_from_a_worker() {
        let mut step = StepError::new("mount proc on /proc", Op::MoveMount, Errno::PERM);
        step.at = Some(Pointer::item("mounts", 3));
        step.detail = Detail::new(b"it is covered");
        let text = serde_json::to_string(&Error::from(step.clone())).unwrap();
        let Error::Step(read) = serde_json::from_str(&text).unwrap() else { panic!("{text}") };
        assert_eq!(*read, step);
    }
}

//! What can go wrong, as data.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use rustix::{io::Errno, process::Pid};

use crate::{controller::Controller, settings::Setting};

/// The result of everything that touches the kernel.
pub type Result<T> = std::result::Result<T, Error>;

/// A setting that cannot be done here, found before anything was touched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("linux.resources.{setting}: {reason}")]
pub struct Refused {
    /// The setting, below `linux.resources`.
    pub setting: Setting,
    /// Why, and what would work.
    pub reason: String,
}

/// A value that the kernel refused.
#[derive(Debug, thiserror::Error)]
#[error("linux.resources.{setting}: write {value} to {}: {}{hint}", file.display(), Name(*errno))]
pub struct RefusedWrite {
    /// The setting, below `linux.resources`.
    pub setting: Setting,
    /// The file that was written to.
    pub file: PathBuf,
    /// The value.
    pub value: String,
    /// The kernel's answer.
    pub errno: Errno,
    /// What it means, if that is known: empty, or starting with `": "`.
    pub hint: String,
}

/// What failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No cgroup filesystem is mounted there.
    #[error("no cgroup filesystem is mounted at {}", at.display())]
    NoHierarchy {
        /// The directory that was searched.
        at: PathBuf,
    },
    /// Not a usable path of a cgroup.
    #[error("cgroup path {found:?}: {reason}")]
    Path {
        /// The path as it was given.
        found: String,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// A setting that the config's combination or this host does not allow.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The kernel refused a value.
    #[error(transparent)]
    Write(#[from] Box<RefusedWrite>),
    /// A v2 controller is needed that the cgroup cannot have.
    #[error("linux.resources.{setting}: controller {} is not available in {}{}", controller.v2_name().unwrap_or("?"),
        at.display(), why_not_enabled(*errno))]
    ControllerMissing {
        /// The setting that needs it.
        setting: Setting,
        /// The controller.
        controller: Controller,
        /// The first cgroup, from the root, that does not have it.
        at: PathBuf,
        /// Why it could not be enabled; none if the kernel or the parent does not offer it.
        errno: Option<Errno>,
    },
    /// The cgroup of a new container holds processes already.
    #[error("cgroup {} is not empty: process {}", at.display(), Number(*pid))]
    Populated {
        /// The cgroup.
        at: PathBuf,
        /// One of the processes; none if it is in another pid namespace.
        pid: Option<Pid>,
    },
    /// The cgroup of a new container is frozen: nothing in it would ever run.
    #[error("cgroup {} is frozen", at.display())]
    Frozen {
        /// The cgroup.
        at: PathBuf,
    },
    /// It did not happen in time.
    #[error("cgroup {}: {what} did not happen within {limit_ms} ms", at.display())]
    Timeout {
        /// The cgroup.
        at: PathBuf,
        /// What was waited for.
        what: &'static str,
        /// The limit in milliseconds.
        limit_ms: u64,
    },
    /// A system call failed.
    #[error("{operation} {}: {}", at.display(), Name(*errno))]
    Os {
        /// The call.
        operation: &'static str,
        /// What it was called on.
        at: PathBuf,
        /// Its answer.
        errno: Errno,
    },
}

impl Error {
    /// The setting this is about, below `linux.resources`.
    #[must_use]
    pub const fn setting(&self) -> Option<&Setting> {
        match self {
            Self::Refused(Refused { setting, .. }) | Self::ControllerMissing { setting, .. } => {
                Some(setting)
            }
            Self::Write(write) => Some(&write.setting),
            Self::NoHierarchy { .. }
            | Self::Path { .. }
            | Self::Populated { .. }
            | Self::Frozen { .. }
            | Self::Timeout { .. }
            | Self::Os { .. } => None,
        }
    }

    /// The kernel's answer, if one caused this.
    #[must_use]
    pub const fn errno(&self) -> Option<Errno> {
        match self {
            Self::Write(write) => Some(write.errno),
            Self::Os { errno, .. } => Some(*errno),
            Self::ControllerMissing { errno, .. } => *errno,
            Self::NoHierarchy { .. }
            | Self::Path { .. }
            | Self::Refused(_)
            | Self::Populated { .. }
            | Self::Frozen { .. }
            | Self::Timeout { .. } => None,
        }
    }

    /// The text without the setting in front, for callers that print the setting's place in the config themselves.
    #[must_use]
    pub fn without_setting(&self) -> String {
        let text = self.to_string();
        match self.setting() {
            Some(setting) => {
                let front = format!("linux.resources.{setting}: ");
                text.strip_prefix(&front).map_or(text.clone(), str::to_owned)
            }
            None => text,
        }
    }

    /// For `map_err` after a system call.
    pub(crate) fn os(operation: &'static str, at: impl AsRef<Path>) -> impl FnOnce(Errno) -> Self {
        move |errno| Self::Os { operation, at: at.as_ref().to_owned(), errno }
    }
}

fn why_not_enabled(errno: Option<Errno>) -> String {
    match errno {
        // config-linux.md names no way out; the kernel's rule is in cgroup-v2.rst, "No Internal Process Constraint".
        Some(Errno::BUSY) => {
            ": it holds processes itself, which a cgroup that passes controllers on must not"
                .to_owned()
        }
        Some(errno) => format!(": {}", Name(errno)),
        None => String::new(),
    }
}

/// An errno as its text in lower case, which is what engines search for.
pub(crate) struct Name(pub(crate) Errno);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = std::io::Error::from(self.0).to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        let mut characters = text.chars();
        let first = characters.next().map(|c| c.to_ascii_lowercase());
        write!(f, "{}{}", first.map(String::from).unwrap_or_default(), characters.as_str())
    }
}

/// A pid, or what is to be said without one.
struct Number(Option<Pid>);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(pid) => write!(f, "{}", pid.as_raw_nonzero()),
            None => f.write_str("of another pid namespace"),
        }
    }
}

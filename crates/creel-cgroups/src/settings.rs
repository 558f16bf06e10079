//! What is written into a new cgroup: the result of compiling [`Resources`](crate::Resources).

use std::{borrow::Cow, fmt};

use crate::{controller::Controller, devices::Program};

/// A setting by its name in the config, below `linux.resources`: `memory.limit`, `hugepageLimits[1]`,
/// `unified[memory.high]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The names, with dots.
    pub name: &'static str,
    /// The item of a list.
    pub index: Option<usize>,
    /// The key of a map.
    pub key: Option<String>,
}

impl Setting {
    pub(crate) const fn of(name: &'static str) -> Self {
        Self { name, index: None, key: None }
    }

    pub(crate) const fn item(name: &'static str, index: usize) -> Self {
        Self { name, index: Some(index), key: None }
    }

    pub(crate) fn key(name: &'static str, key: &str) -> Self {
        Self { name, index: None, key: Some(key.to_owned()) }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if let Some(index) = self.index {
            write!(f, "[{index}]")?;
        }
        match &self.key {
            Some(key) => write!(f, "[{key}]"),
            None => Ok(()),
        }
    }
}

/// The hierarchy a file is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The v1 hierarchy with this controller.
    V1(Controller),
    /// The v2 hierarchy, and the controller that must be enabled there (none for `cgroup.*`).
    V2(Option<Controller>),
}

/// What is done when the kernel does not have the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMissing {
    /// It is an error.
    Fail,
    /// Nothing: the write only keeps another one consistent, or asks for what is so anyway.
    Skip,
    /// This file gets this value.
    Instead(&'static str, String),
}

/// One value for one file of the cgroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The setting that asked for it.
    pub setting: Setting,
    /// Where the file is.
    pub target: Target,
    /// The file's name.
    pub file: Cow<'static, str>,
    /// The value.
    pub value: String,
    /// What is done when there is no such file.
    pub if_missing: IfMissing,
    /// The kernel checks it against its neighbours in the list (EINVAL): whether it must come before or after them
    /// depends on the values that are there already, so it is tried again after them.
    pub any_order: bool,
    /// Refused if this file already shows as much (`memory.checkBeforeUpdate` on v2, where the kernel would kill).
    pub must_exceed: Option<&'static str>,
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "write {} to {}", self.value, self.file)
    }
}

/// Everything that is set in a cgroup.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// In the order in which they are written.
    pub writes: Vec<Write>,
    /// The device filter of a v2 cgroup; v1 has it among the writes.
    pub device_program: Option<Program>,
}

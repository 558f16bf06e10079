//! Where in `config.json` something was asked for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A place in `config.json`, written as users write it: `linux.maskedPaths[0]`.
///
/// It is what errors and plans show; `bundle` turns it into a line number when one is needed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pointer(String);

impl Pointer {
    /// The property at `path`, such as `process.cwd`.
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self(path.to_owned())
    }

    /// The item `index` of the list at `path`: `mounts[3]`.
    #[must_use]
    pub fn item(path: &str, index: usize) -> Self {
        Self(format!("{path}[{index}]"))
    }

    /// The property `name` below this place: `mounts[3].destination`.
    #[must_use]
    pub fn field(&self, name: &str) -> Self {
        Self(format!("{}.{name}", self.0))
    }

    /// The text, as `config.json`'s user would write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

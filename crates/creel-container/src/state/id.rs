//! The name of a container.

use std::fmt;

use crate::error::{Error, Result};

/// The longest id, in bytes: the longest file name.
const LONGEST: usize = 255;

/// A container's id: letters, digits, `_`, `+`, `-` and `.`, not starting with a dot, at most 255 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerId(String);

impl ContainerId {
    /// Checks `id`.
    ///
    /// # Errors
    /// [`Error::Id`] with what would do.
    pub fn parse(id: &str) -> Result<Self> {
        let refuse = |expected: &'static str| {
            Err(Error::Id { id: id.to_owned(), expected: expected.into() })
        };
        if id.is_empty() {
            return refuse("it is empty");
        }
        if id.len() > LONGEST {
            return refuse("at most 255 characters");
        }
        if id.starts_with('.') {
            return refuse("it must not start with a dot");
        }
        let known = |c: char| c.is_ascii_alphanumeric() || "_+-.".contains(c);
        if !id.chars().all(known) {
            return refuse("letters, digits, '_', '+', '-' and '.' only");
        }
        Ok(Self(id.to_owned()))
    }

    /// The id as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::ContainerId;

    #[test]
    fn ids_that_are_file_names_are_taken() {
        for id in ["a", "A-b_c+d.9", "-a", &"x".repeat(255)] {
            assert!(ContainerId::parse(id).is_ok(), "{id}");
        }
    }

    #[test]
    fn ids_that_could_leave_the_root_are_refused() {
        for id in ["", ".", "..", ".hidden", "a/b", "../x", "a\0b", "ü", "a b", &"x".repeat(256)] {
            assert!(ContainerId::parse(id).is_err(), "{id:?}");
        }
    }
}

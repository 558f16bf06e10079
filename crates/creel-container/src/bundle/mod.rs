//! A bundle: the directory, its `config.json` read and parsed.
//!
//! The text is parsed once, straight into types. Only when that fails is it looked at again: to find the place of the
//! fault, or to leave out members that are `null`, which ask for nothing.

mod scan;
mod shape;
mod spec;

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use oci_spec::runtime::LinuxResources;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use serde::de::DeserializeOwned;

use crate::error::{ConfigError, Error, Result, errno_words};
use crate::pointer::Pointer;

pub use spec::{
    Capabilities, ExecCpuAffinity, IoPriority, Present, Process, Rlimit, Scheduler, SchedulerFlag,
    Spec,
};

/// The largest `config.json`, in bytes. The largest that engines are known to write have about 100 KiB.
pub(crate) const CONFIG_MAX: u64 = 16 << 20;

/// A bundle whose config was read and parsed, not yet checked.
#[derive(Debug)]
pub struct Bundle {
    /// The bundle's directory, absolute.
    pub directory: PathBuf,
    /// The file the config was read from.
    pub file: PathBuf,
    /// The config.
    pub spec: Spec,
    text: Vec<u8>,
}

impl Bundle {
    /// Reads `config.json` in `directory`, or the file `config` if there is one (from the caller's directory).
    ///
    /// # Errors
    /// [`Error::Bundle`] with line, column and pointer if the file cannot be read or is not a config.
    pub fn open(directory: &Path, config: Option<&Path>) -> Result<Self> {
        let fault = |message: String| Error::Bundle { file: directory.to_owned(), message };
        if directory.as_os_str().is_empty() {
            return Err(fault("bundle: a directory is needed, found an empty path".to_owned()));
        }
        let absolute = std::path::absolute(directory).map_err(|error| fault(error.to_string()))?;
        let file = config.map_or_else(|| absolute.join("config.json"), Path::to_owned);
        let text = read(&file)?;
        Self::parse(absolute, file, text)
    }

    /// The bundle at `directory` with a config that was read from `file` before, such as the copy in the state
    /// directory.
    ///
    /// # Errors
    /// [`Error::Bundle`] with line, column and pointer if `text` is not a config.
    pub fn parse(directory: PathBuf, file: PathBuf, text: Vec<u8>) -> Result<Self> {
        let mut spec: Spec = parse(&file, &text, "")?;
        // oci-spec reads 0, which is a limit, where there is none.
        if let Some(resources) =
            spec.linux.as_mut().and_then(|linux| linux.resources_mut().as_mut())
            && resources.pids().is_some_and(|pids| pids.limit() == 0)
            && !scan::exists(&text, "linux.resources.pids.limit")
        {
            resources.set_pids(None);
        }
        Ok(Self { directory, file, spec, text })
    }

    /// A bundle that another process has read.
    pub(crate) fn from_parts(directory: PathBuf, file: PathBuf, spec: Spec, text: Vec<u8>) -> Self {
        Self { directory, file, spec, text }
    }

    /// The text of the config, as it was read.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The line of the config, from 1, at which `pointer` stands, or its nearest parent.
    #[must_use]
    pub fn line(&self, pointer: &Pointer) -> usize {
        scan::line_of(&self.text, pointer.as_str())
    }

    /// The line of each of `pointers`, in one pass; none for what is not written there.
    pub(crate) fn lines(&self, pointers: &[&str]) -> Vec<Option<usize>> {
        scan::lines_of(&self.text, pointers)
    }

    /// Adds the line to each of the first hundred faults that has none: more than anyone reads.
    #[must_use]
    pub fn with_lines(&self, mut faults: Vec<ConfigError>) -> Vec<ConfigError> {
        for fault in faults.iter_mut().take(100) {
            fault.line.get_or_insert_with(|| self.line(&fault.at));
        }
        faults
    }
}

/// Reads the file of `exec --process`.
///
/// # Errors
/// [`Error::Bundle`] with line, column and pointer.
pub fn read_process(file: &Path) -> Result<Process> {
    parse(file, &read(file)?, "process")
}

/// Parses what `update --resources` was given; `file` is for messages.
///
/// # Errors
/// [`Error::Bundle`] with line, column and pointer.
pub fn parse_resources(file: &Path, text: &[u8]) -> Result<LinuxResources> {
    let mut resources: LinuxResources = parse(file, text, "linux.resources")?;
    // As in a config: no limit is not a limit of 0.
    if resources.pids().is_some_and(|pids| pids.limit() == 0) && !scan::exists(text, "pids.limit") {
        resources.set_pids(None);
    }
    Ok(resources)
}

/// Reads what `update --resources` names: a file, or the standard input if there is none.
///
/// # Errors
/// [`Error::Bundle`] with line, column and pointer.
pub fn read_resources(file: Option<&Path>) -> Result<LinuxResources> {
    match file {
        Some(file) => parse_resources(file, &read(file)?),
        None => {
            let file = Path::new("standard input");
            parse_resources(file, &read_at_most(file, std::io::stdin().lock(), 0)?)
        }
    }
}

/// Reads a regular file of at most [`CONFIG_MAX`] bytes; anything else is refused without waiting for it.
fn read(path: &Path) -> Result<Vec<u8>> {
    let fault = |message: String| Error::Bundle { file: path.to_owned(), message };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let fd = rustix::fs::openat(CWD, path, flags, Mode::empty())
        .map_err(|errno| fault(errno_words(errno)))?;
    let stat = rustix::fs::fstat(&fd).map_err(|errno| fault(errno_words(errno)))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(fault("expected a regular file".to_owned()));
    }
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    read_at_most(path, std::fs::File::from(fd), size)
}

/// Reads all of `source`, which should have `size` bytes, but no more than [`CONFIG_MAX`].
fn read_at_most(path: &Path, source: impl Read, size: u64) -> Result<Vec<u8>> {
    let fault = |message: String| Error::Bundle { file: path.to_owned(), message };
    let too_large = || fault(format!("expected at most {} MiB of JSON", CONFIG_MAX >> 20));
    if size > CONFIG_MAX {
        return Err(too_large());
    }
    let mut text = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    source.take(CONFIG_MAX + 1).read_to_end(&mut text).map_err(|error| fault(error.to_string()))?;
    if u64::try_from(text.len()).is_ok_and(|length| length > CONFIG_MAX) {
        return Err(too_large());
    }
    Ok(text)
}

/// Parses `text`, which is at the pointer `base` of a config.
fn parse<T: DeserializeOwned>(file: &Path, text: &[u8], base: &str) -> Result<T> {
    if let Some(pointer) = shape::list_for_object(text, base) {
        let place = Place { line: scan::line_of(text, &pointer), column: None, pointer: &pointer };
        let message = format!("{place}expected an object, found a list");
        return Err(Error::Bundle { file: file.to_owned(), message });
    }
    serde_json::from_slice(text).or_else(|first| {
        // `null` asks for nothing, also where the types have a value that is not optional.
        match scan::without_nulls(text).as_deref().map(serde_json::from_slice) {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(located(file, text, &error)),
            None => Err(located(file, text, &first)),
        }
    })
}

/// The error of `serde_json` with the pointer of the value it is about.
fn located(file: &Path, text: &[u8], error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    let message = error.to_string();
    let what =
        message.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&message);
    let pointer = scan::pointer_at(text, scan::offset_of(text, line, column));
    let place = Place { line, column: Some(column), pointer: &pointer };
    Error::Bundle { file: file.to_owned(), message: format!("{place}{what}") }
}

/// A place in the text, in front of what is wrong there.
struct Place<'a> {
    line: usize,
    column: Option<usize>,
    pointer: &'a str,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(column) = self.column {
            write!(f, " column {column}")?;
        }
        f.write_str(": ")?;
        // Keys are the bundle's: they are escaped, and a deep place is cut.
        const MAX: usize = 200;
        if !self.pointer.is_empty() {
            let shown: String = self.pointer.chars().take(MAX).collect();
            let cut = if shown.len() < self.pointer.len() { "…" } else { "" };
            write!(f, "{}{cut}: ", shown.escape_debug())?;
        }
        Ok(())
    }
}

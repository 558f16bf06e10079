//! creel's command line, as data.
//!
//! [`parse`] turns an argument vector into a [`Cli`]; nothing here opens a file, prints or exits.

#![deny(unsafe_code)]
#![expect(clippy::doc_markdown, reason = "doc comments are the help text, which has no markup")]

mod argv;
mod cli;
mod commands;
mod values;

pub use argv::normalise;
pub use clap::Error as UsageError;
pub use cli::{Cli, definition, message, parse};
pub use commands::{
    Command, Create, Delete, Exec, Features, Kill, Launch, Limits, List, Pause, Plan, Ps, Resume,
    Run, Spec, Start, State, Update,
};
pub use values::{
    Bytes, CgroupManager, ListFormat, LogFormat, LogLevel, PlanFormat, Rootless, User,
};

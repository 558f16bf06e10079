//! The program: found, and proven to be one, before create returns.

use super::Text;

/// `process.args` and `process.env` as `execve(2)` takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Arguments; the first names the program.
    pub args: Vec<Text>,
    /// Environment.
    pub env: Vec<Text>,
}

/// Finds `args[0]` along `PATH` and checks that the process may execute it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookUpProgram {
    /// `args[0]`.
    pub name: Text,
    /// Candidates in order: the directories of `PATH` joined with the name, or the name alone if it has a slash.
    pub candidates: Vec<Text>,
    /// The effective capabilities the program will have: what it may execute is asked with these, then the caller's
    /// are taken back.
    pub effective: u64,
}

//! A command that failed: its message and its exit code.

/// The exit code of most failures.
pub(crate) const FAILED: u8 = 1;
/// The exit code of an exec that did not start, as runc and crun have it.
pub(crate) const NOT_EXECUTED: u8 = 255;

/// What a command fails with.
#[derive(Debug)]
pub(crate) struct Failure {
    /// One line.
    pub(crate) message: String,
    /// More lines for people on the standard error, not for the log.
    pub(crate) more: Vec<String>,
    /// The exit code.
    pub(crate) code: u8,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), more: Vec::new(), code: FAILED }
    }
}

impl From<creel_container::Error> for Failure {
    fn from(error: creel_container::Error) -> Self {
        Self::new(error.to_string())
    }
}

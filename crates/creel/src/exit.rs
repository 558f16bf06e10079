//! What the command ends with.

/// An exit code; 0 is success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExitCode(u8);

impl ExitCode {
    /// The command has done what it was asked for.
    pub(crate) const SUCCESS: Self = Self(0);

    /// As `exit(3)` takes it.
    #[cfg(not(test))]
    pub(crate) fn number(self) -> i32 {
        i32::from(self.0)
    }
}

impl From<u8> for ExitCode {
    fn from(code: u8) -> Self {
        Self(code)
    }
}

//! The errors of this crate.

use rustix::io::Errno;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a profile cannot be compiled, or its listener not be served.
///
/// `at` is the place relative to `linux.seccomp`, as in `syscalls[3].args[0].op`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value is not one of those that the specification has.
    #[error("{at}: expected {expected}, found {found}")]
    Invalid {
        /// Where, relative to `linux.seccomp`.
        at: String,
        /// What would work.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A system call that no table knows, where [`Options::fail_unknown_syscall`] is set.
    ///
    /// [`Options::fail_unknown_syscall`]: crate::Options::fail_unknown_syscall
    #[error("{at}: unknown system call {name:?}")]
    UnknownSyscall {
        /// Where, relative to `linux.seccomp`.
        at: String,
        /// The name as written.
        name: String,
    },
    /// `SCMP_ACT_NOTIFY` where it would stop the runtime itself.
    #[error("{at}: SCMP_ACT_NOTIFY cannot be used {place}")]
    Notify {
        /// Where, relative to `linux.seccomp`.
        at: String,
        /// `as default action` or `for the write syscall`.
        place: &'static str,
    },
    /// This kernel does not have what the profile asks for.
    #[error("{at}: {name} is not supported by this kernel")]
    Unsupported {
        /// Where, relative to `linux.seccomp`.
        at: String,
        /// The action or flag.
        name: &'static str,
    },
    /// The program has more instructions than the kernel takes (4096).
    #[error("the filter needs {instructions} instructions, the kernel takes at most 4096")]
    TooLong {
        /// How many it needs.
        instructions: usize,
    },
    /// A raw filter that is not a program.
    #[error("raw filter: {reason}")]
    Raw {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The agent at `listenerPath` could not be reached.
    #[error("listenerPath: {operation} {path}: {errno}")]
    Listener {
        /// The system call.
        operation: &'static str,
        /// The socket.
        path: String,
        /// Its answer.
        errno: Errno,
    },
    /// The directory of the filter cache cannot be used.
    #[error("seccomp cache {path}: {reason}")]
    Cache {
        /// The directory.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    pub(crate) fn invalid(
        at: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Invalid { at: at.into(), expected: expected.into(), found: found.into() }
    }
}

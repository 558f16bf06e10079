//! The container's terminal.

/// Makes a pty in the container's devpts, gives its slave to the process, and sends its master to the creator's socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console {
    /// Columns and rows at the start; zero leaves them.
    pub size: (u16, u16),
    /// The slave's owner.
    pub uid: u32,
    /// Whether `/dev/console` is mounted on the slave (create, not exec).
    pub dev_console: bool,
}

/// The standard streams before the process becomes its user: one that is the host's `/dev/null` becomes the
/// container's, and the others are given to the user (`fchown(2)`), as far as the kernel lets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streams {
    /// `process.user.uid`.
    pub uid: u32,
}

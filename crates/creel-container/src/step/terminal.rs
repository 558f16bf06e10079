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

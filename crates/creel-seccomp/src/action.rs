//! What a filter may answer.

/// The errno of `SCMP_ACT_ERRNO` and `SCMP_ACT_TRACE` when the profile names none.
pub(crate) const EPERM: u16 = 1;
/// The answer to a call that the profile's author could not know.
pub(crate) const ENOSYS: u16 = 38;

/// What happens to a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// The thread dies by SIGSYS. `SCMP_ACT_KILL` is another name of it.
    KillThread,
    /// The process dies by SIGSYS.
    KillProcess,
    /// The thread gets a SIGSYS it may catch.
    Trap,
    /// The call fails with this errno.
    Errno(u16),
    /// A tracer decides and sees this value; without one the call fails with ENOSYS.
    Trace(u16),
    /// The call is made and logged.
    Log,
    /// The call is made.
    Allow,
    /// The agent behind the listener decides.
    Notify,
}

/// An [`Action`] without its value, as the specification names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActionKind {
    /// `SCMP_ACT_KILL`
    Kill,
    /// `SCMP_ACT_KILL_PROCESS`
    KillProcess,
    /// `SCMP_ACT_KILL_THREAD`
    KillThread,
    /// `SCMP_ACT_TRAP`
    Trap,
    /// `SCMP_ACT_ERRNO`
    Errno,
    /// `SCMP_ACT_TRACE`
    Trace,
    /// `SCMP_ACT_ALLOW`
    Allow,
    /// `SCMP_ACT_LOG`
    Log,
    /// `SCMP_ACT_NOTIFY`
    Notify,
}

impl ActionKind {
    /// Every action of the specification.
    pub const ALL: [Self; 9] = [
        Self::Kill,
        Self::KillProcess,
        Self::KillThread,
        Self::Trap,
        Self::Errno,
        Self::Trace,
        Self::Allow,
        Self::Log,
        Self::Notify,
    ];

    /// The name in the specification.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "SCMP_ACT_KILL",
            Self::KillProcess => "SCMP_ACT_KILL_PROCESS",
            Self::KillThread => "SCMP_ACT_KILL_THREAD",
            Self::Trap => "SCMP_ACT_TRAP",
            Self::Errno => "SCMP_ACT_ERRNO",
            Self::Trace => "SCMP_ACT_TRACE",
            Self::Allow => "SCMP_ACT_ALLOW",
            Self::Log => "SCMP_ACT_LOG",
            Self::Notify => "SCMP_ACT_NOTIFY",
        }
    }

    /// The action of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The value of `SECCOMP_RET_*`, which `SECCOMP_GET_ACTION_AVAIL` takes too.
    pub(crate) fn ret(self) -> u32 {
        match self {
            Self::Kill | Self::KillThread => libc::SECCOMP_RET_KILL_THREAD,
            Self::KillProcess => libc::SECCOMP_RET_KILL_PROCESS,
            Self::Trap => libc::SECCOMP_RET_TRAP,
            Self::Errno => libc::SECCOMP_RET_ERRNO,
            Self::Trace => libc::SECCOMP_RET_TRACE,
            Self::Allow => libc::SECCOMP_RET_ALLOW,
            Self::Log => libc::SECCOMP_RET_LOG,
            Self::Notify => libc::SECCOMP_RET_USER_NOTIF,
        }
    }

    /// The action with the value it takes, `errno` where it takes one.
    pub(crate) fn with_errno(self, errno: u16) -> Action {
        match self {
            Self::Kill | Self::KillThread => Action::KillThread,
            Self::KillProcess => Action::KillProcess,
            Self::Trap => Action::Trap,
            Self::Errno => Action::Errno(errno),
            Self::Trace => Action::Trace(errno),
            Self::Allow => Action::Allow,
            Self::Log => Action::Log,
            Self::Notify => Action::Notify,
        }
    }

    /// Whether `errnoRet` says something for this action.
    pub(crate) fn takes_errno(self) -> bool {
        matches!(self, Self::Errno | Self::Trace)
    }
}

impl Action {
    /// The action without its value.
    #[must_use]
    pub fn kind(self) -> ActionKind {
        match self {
            Self::KillThread => ActionKind::KillThread,
            Self::KillProcess => ActionKind::KillProcess,
            Self::Trap => ActionKind::Trap,
            Self::Errno(_) => ActionKind::Errno,
            Self::Trace(_) => ActionKind::Trace,
            Self::Log => ActionKind::Log,
            Self::Allow => ActionKind::Allow,
            Self::Notify => ActionKind::Notify,
        }
    }

    /// What the program returns for it: `SECCOMP_RET_*` with the value in the low 16 bits.
    #[must_use]
    pub fn ret(self) -> u32 {
        match self {
            Self::Errno(value) | Self::Trace(value) => self.kind().ret() | u32::from(value),
            Self::KillThread
            | Self::KillProcess
            | Self::Trap
            | Self::Log
            | Self::Allow
            | Self::Notify => self.kind().ret(),
        }
    }
}

/// A set of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ActionSet(u16);

impl ActionSet {
    /// No action.
    pub const EMPTY: Self = Self(0);
    /// Every action.
    pub const ALL: Self = Self(0x1ff);

    /// Adds one.
    #[must_use]
    pub fn with(self, kind: ActionKind) -> Self {
        Self(self.0 | 1 << (kind as u16))
    }

    /// Whether it has `kind`.
    #[must_use]
    pub fn has(self, kind: ActionKind) -> bool {
        self.0 & (1 << (kind as u16)) != 0
    }

    /// The actions in it.
    pub fn iter(self) -> impl Iterator<Item = ActionKind> {
        ActionKind::ALL.into_iter().filter(move |kind| self.has(*kind))
    }

    pub(crate) fn bits(self) -> u16 {
        self.0
    }
}

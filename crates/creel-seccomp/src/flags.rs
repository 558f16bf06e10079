//! Flags of `seccomp(2)`.

/// `SECCOMP_FILTER_FLAG_*`, as the system call takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FilterFlags(u32);

impl FilterFlags {
    /// No flag.
    pub const EMPTY: Self = Self(0);
    /// Every thread of the process gets the filter.
    pub const TSYNC: Self = Self(1);
    /// Every answer but `SECCOMP_RET_ALLOW` is logged.
    pub const LOG: Self = Self(1 << 1);
    /// Speculative store bypass stays allowed.
    pub const SPEC_ALLOW: Self = Self(1 << 2);
    /// The call returns the listener's fd. Not a flag of the specification: set when a rule notifies.
    pub const NEW_LISTENER: Self = Self(1 << 3);
    /// A thread that cannot follow [`Self::TSYNC`] is an ESRCH: needed with [`Self::NEW_LISTENER`].
    pub const TSYNC_ESRCH: Self = Self(1 << 4);
    /// A call that waits for the agent can only be killed. Linux 5.19.
    pub const WAIT_KILLABLE_RECV: Self = Self(1 << 5);

    /// The flags that a profile may name.
    pub const KNOWN: [(&'static str, Self); 4] = [
        ("SECCOMP_FILTER_FLAG_TSYNC", Self::TSYNC),
        ("SECCOMP_FILTER_FLAG_SPEC_ALLOW", Self::SPEC_ALLOW),
        ("SECCOMP_FILTER_FLAG_LOG", Self::LOG),
        ("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", Self::WAIT_KILLABLE_RECV),
    ];

    /// The flag of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::KNOWN.into_iter().find(|(known, _)| *known == name).map(|(_, flag)| flag)
    }

    /// The names of the flags in it that a profile may name.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::KNOWN.into_iter().filter(move |(_, flag)| self.has(*flag)).map(|(name, _)| name)
    }

    /// These and those.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These without those.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether it has all of `other`.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The number that the system call takes.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The flags with that number.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}

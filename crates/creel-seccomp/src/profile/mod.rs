//! `linux.seccomp` with every name checked.

mod read;
mod typed;

use std::path::PathBuf;

use crate::{Action, Arch, FilterFlags};

/// A seccomp profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The answer to calls that no rule names.
    pub default_action: Action,
    /// `architectures`; the machine's own is always filtered too.
    pub architectures: Vec<Arch>,
    /// `flags`; absent means [`FilterFlags::SPEC_ALLOW`], an empty list means none.
    pub flags: Option<FilterFlags>,
    /// `syscalls`, in their order.
    pub rules: Vec<Rule>,
    /// `listenerPath`
    pub listener_path: Option<PathBuf>,
    /// `listenerMetadata`
    pub listener_metadata: Option<String>,
}

/// One entry of `syscalls`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The calls it is about.
    pub names: Vec<String>,
    /// What happens to them.
    pub action: Action,
    /// All must hold. When two have the same index, one of them is enough (as in runc).
    pub args: Vec<Arg>,
}

/// A comparison with an argument of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arg {
    /// Which argument, 0 to 5.
    pub index: u8,
    /// The comparison.
    pub op: Operator,
    /// What it is compared with; the mask of [`Operator::MaskedEq`].
    pub value: u64,
    /// What the masked argument is compared with.
    pub value_two: u64,
}

/// How an argument is compared, without sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `SCMP_CMP_NE`
    Ne,
    /// `SCMP_CMP_LT`
    Lt,
    /// `SCMP_CMP_LE`
    Le,
    /// `SCMP_CMP_EQ`
    Eq,
    /// `SCMP_CMP_GE`
    Ge,
    /// `SCMP_CMP_GT`
    Gt,
    /// `SCMP_CMP_MASKED_EQ`
    MaskedEq,
}

impl Operator {
    /// Every operator of the specification.
    pub const ALL: [Self; 7] =
        [Self::Ne, Self::Lt, Self::Le, Self::Eq, Self::Ge, Self::Gt, Self::MaskedEq];

    /// The name in the specification.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ne => "SCMP_CMP_NE",
            Self::Lt => "SCMP_CMP_LT",
            Self::Le => "SCMP_CMP_LE",
            Self::Eq => "SCMP_CMP_EQ",
            Self::Ge => "SCMP_CMP_GE",
            Self::Gt => "SCMP_CMP_GT",
            Self::MaskedEq => "SCMP_CMP_MASKED_EQ",
        }
    }

    /// The operator of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.name() == name)
    }
}

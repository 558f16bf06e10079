//! Which devices a cgroup may open and make: the config's rules, and their two forms in the kernel.
//!
//! Rules are read in order and the last one that matches decides, for each kind of access by itself. What no rule
//! matches is denied.

mod program;
mod v1;

pub use program::Program;
pub(crate) use v1::writes;

/// The type a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeviceType {
    /// `a`: both.
    All,
    /// `c`
    Char,
    /// `b`
    Block,
}

/// A set of `r`, `w` and `m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Access(u8);

impl Access {
    /// Make device nodes.
    pub const MKNOD: Self = Self(1);
    /// Open for reading.
    pub const READ: Self = Self(2);
    /// Open for writing.
    pub const WRITE: Self = Self(4);
    /// All three.
    pub const ALL: Self = Self(7);

    /// Reads `r`, `w` and `m` in any order. None for any other character, and for no character.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bits = text.chars().try_fold(0, |bits, c| match c {
            'm' => Some(bits | Self::MKNOD.0),
            'r' => Some(bits | Self::READ.0),
            'w' => Some(bits | Self::WRITE.0),
            _ => None,
        })?;
        (bits != 0).then_some(Self(bits))
    }

    /// The bits, as the kernel's `BPF_DEVCG_ACC_*`.
    pub(crate) const fn bits(self) -> u8 {
        self.0
    }
}

/// One item of `linux.resources.devices`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Allows or denies.
    pub allow: bool,
    /// The type.
    pub kind: DeviceType,
    /// The major number; none is every one.
    pub major: Option<u32>,
    /// The minor number; none is every one.
    pub minor: Option<u32>,
    /// For which access.
    pub access: Access,
}

impl Rule {
    /// Whether it decides about every device and every access, so that no rule before it matters.
    pub(crate) const fn is_for_everything(&self) -> bool {
        let all_devices =
            matches!(self.kind, DeviceType::All) && self.major.is_none() && self.minor.is_none();
        all_devices && self.access.bits() == Access::ALL.bits()
    }
}

const fn allow(kind: DeviceType, major: Option<u32>, minor: Option<u32>, access: Access) -> Rule {
    Rule { allow: true, kind, major, minor, access }
}

/// What engines rely on the runtime to allow, whatever the config says: it comes after the config's rules. Making nodes
/// of any device (opening them is another thing), the devices that every container has, and tun, which runc has always
/// allowed (it is of no use without `CAP_NET_ADMIN`).
pub const DEFAULT_RULES: [Rule; 12] = [
    allow(DeviceType::Char, None, None, Access::MKNOD),
    allow(DeviceType::Block, None, None, Access::MKNOD),
    allow(DeviceType::Char, Some(1), Some(3), Access::ALL), // null
    allow(DeviceType::Char, Some(1), Some(5), Access::ALL), // zero
    allow(DeviceType::Char, Some(1), Some(7), Access::ALL), // full
    allow(DeviceType::Char, Some(1), Some(8), Access::ALL), // random
    allow(DeviceType::Char, Some(1), Some(9), Access::ALL), // urandom
    allow(DeviceType::Char, Some(5), Some(0), Access::ALL), // tty
    allow(DeviceType::Char, Some(5), Some(1), Access::ALL), // console
    allow(DeviceType::Char, Some(5), Some(2), Access::ALL), // ptmx
    allow(DeviceType::Char, Some(136), None, Access::ALL),  // pts
    allow(DeviceType::Char, Some(10), Some(200), Access::ALL), // net/tun
];

//! Profile to program.

use crate::{ActionSet, Arch, FilterFlags, Listener, Profile, Result};

/// One instruction of classic BPF: `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// Class, size, mode or operation.
    pub code: u16,
    /// How many instructions to skip if the comparison holds.
    pub jt: u8,
    /// How many if it does not.
    pub jf: u8,
    /// The constant.
    pub k: u32,
}

impl Instruction {
    /// From its eight bytes in this machine's order.
    pub(crate) fn from_bytes(bytes: &[u8; 8]) -> Self {
        let [c0, c1, jt, jf, k0, k1, k2, k3] = *bytes;
        Self { code: u16::from_ne_bytes([c0, c1]), jt, jf, k: u32::from_ne_bytes([k0, k1, k2, k3]) }
    }

    /// Its eight bytes in this machine's order.
    pub(crate) fn to_bytes(self) -> [u8; 8] {
        let [c0, c1] = self.code.to_ne_bytes();
        let [k0, k1, k2, k3] = self.k.to_ne_bytes();
        [c0, c1, self.jt, self.jf, k0, k1, k2, k3]
    }
}

/// What this kernel is and can do: asked once, or invented by a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host {
    /// The kernel's architecture.
    pub machine: Arch,
    /// The actions it knows.
    pub actions: ActionSet,
    /// The flags it knows.
    pub flags: FilterFlags,
}

/// How to compile.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// The kernel that will get the program.
    pub host: Host,
    /// A name that no table knows is an error instead of a warning
    /// (annotation `run.oci.seccomp_fail_unknown_syscall`).
    pub fail_unknown_syscall: bool,
}

impl Host {
    /// Asks the running kernel.
    #[must_use]
    pub fn ask() -> Self {
        Self {
            machine: Arch::native(),
            actions: crate::supported_actions(),
            flags: crate::supported_flags(),
        }
    }

    /// A kernel that knows everything.
    #[must_use]
    pub fn newest(machine: Arch) -> Self {
        let flags =
            FilterFlags::KNOWN.iter().fold(FilterFlags::EMPTY, |all, (_, flag)| all.with(*flag));
        Self { machine, actions: ActionSet::ALL, flags }
    }
}

impl Options {
    /// For this kernel; names that no table knows are skipped with a warning.
    #[must_use]
    pub fn new(host: Host) -> Self {
        Self { host, fail_unknown_syscall: false }
    }
}

/// A program, and how to load it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// The program, for [`load`](crate::load).
    pub program: Vec<Instruction>,
    /// The flags, for [`load`](crate::load).
    pub flags: FilterFlags,
    /// Who gets the listener's fd: present if and only if a rule notifies.
    pub listener: Option<Listener>,
    /// What was left out of the filter, one line each, with its place.
    pub warnings: Vec<String>,
}

/// Compiles `profile`.
///
/// # Errors
/// [`Error`](crate::Error) with the place in the profile.
pub fn compile(profile: &Profile, options: &Options) -> Result<Compiled> {
    let _ = options;
    Ok(Compiled {
        program: vec![Instruction { code: 6, jt: 0, jf: 0, k: 0x7fff_0000 }],
        flags: profile.flags.unwrap_or(FilterFlags::SPEC_ALLOW),
        listener: None,
        warnings: Vec::new(),
    })
}

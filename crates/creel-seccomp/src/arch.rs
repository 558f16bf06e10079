//! Architectures: names, `AUDIT_ARCH_*`, which machine runs which.

/// An architecture of a profile.
///
/// The order is that of the columns of the table of system calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the specification's")]
#[repr(u8)]
pub enum Arch {
    X86,
    X86_64,
    X32,
    Arm,
    Aarch64,
    Loongarch64,
    M68k,
    Mips,
    Mips64,
    Mips64N32,
    Mipsel,
    Mipsel64,
    Mipsel64N32,
    Parisc,
    Parisc64,
    Ppc,
    Ppc64,
    Ppc64Le,
    Riscv64,
    S390,
    S390X,
    Sh,
    Sheb,
}

const BITS64: u32 = 0x8000_0000;
const LITTLE: u32 = 0x4000_0000;
const N32: u32 = 0x2000_0000;

impl Arch {
    /// Every architecture known here.
    pub const ALL: [Self; 23] = [
        Self::X86,
        Self::X86_64,
        Self::X32,
        Self::Arm,
        Self::Aarch64,
        Self::Loongarch64,
        Self::M68k,
        Self::Mips,
        Self::Mips64,
        Self::Mips64N32,
        Self::Mipsel,
        Self::Mipsel64,
        Self::Mipsel64N32,
        Self::Parisc,
        Self::Parisc64,
        Self::Ppc,
        Self::Ppc64,
        Self::Ppc64Le,
        Self::Riscv64,
        Self::S390,
        Self::S390X,
        Self::Sh,
        Self::Sheb,
    ];

    /// The name in the specification.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::X86 => "SCMP_ARCH_X86",
            Self::X86_64 => "SCMP_ARCH_X86_64",
            Self::X32 => "SCMP_ARCH_X32",
            Self::Arm => "SCMP_ARCH_ARM",
            Self::Aarch64 => "SCMP_ARCH_AARCH64",
            Self::Loongarch64 => "SCMP_ARCH_LOONGARCH64",
            Self::M68k => "SCMP_ARCH_M68K",
            Self::Mips => "SCMP_ARCH_MIPS",
            Self::Mips64 => "SCMP_ARCH_MIPS64",
            Self::Mips64N32 => "SCMP_ARCH_MIPS64N32",
            Self::Mipsel => "SCMP_ARCH_MIPSEL",
            Self::Mipsel64 => "SCMP_ARCH_MIPSEL64",
            Self::Mipsel64N32 => "SCMP_ARCH_MIPSEL64N32",
            Self::Parisc => "SCMP_ARCH_PARISC",
            Self::Parisc64 => "SCMP_ARCH_PARISC64",
            Self::Ppc => "SCMP_ARCH_PPC",
            Self::Ppc64 => "SCMP_ARCH_PPC64",
            Self::Ppc64Le => "SCMP_ARCH_PPC64LE",
            Self::Riscv64 => "SCMP_ARCH_RISCV64",
            Self::S390 => "SCMP_ARCH_S390",
            Self::S390X => "SCMP_ARCH_S390X",
            Self::Sh => "SCMP_ARCH_SH",
            Self::Sheb => "SCMP_ARCH_SHEB",
        }
    }

    /// The architecture of that name; `SCMP_ARCH_NATIVE` is [`Arch::native`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "SCMP_ARCH_NATIVE" {
            return Some(Self::native());
        }
        Self::ALL.into_iter().find(|arch| arch.name() == name)
    }

    /// The architecture this program is built for.
    #[must_use]
    pub const fn native() -> Self {
        built_for()
    }

    /// `seccomp_data.arch` of its calls. x32 has that of x86-64 and a bit in the call's number.
    #[must_use]
    pub const fn audit(self) -> u32 {
        match self {
            Self::X86 => 3 | LITTLE,
            Self::X86_64 | Self::X32 => 62 | BITS64 | LITTLE,
            Self::Arm => 40 | LITTLE,
            Self::Aarch64 => 183 | BITS64 | LITTLE,
            Self::Loongarch64 => 258 | BITS64 | LITTLE,
            Self::M68k => 4,
            Self::Mips => 8,
            Self::Mips64 => 8 | BITS64,
            Self::Mips64N32 => 8 | BITS64 | N32,
            Self::Mipsel => 8 | LITTLE,
            Self::Mipsel64 => 8 | BITS64 | LITTLE,
            Self::Mipsel64N32 => 8 | BITS64 | LITTLE | N32,
            Self::Parisc => 15,
            Self::Parisc64 => 15 | BITS64,
            Self::Ppc => 20,
            Self::Ppc64 => 21 | BITS64,
            Self::Ppc64Le => 21 | BITS64 | LITTLE,
            Self::Riscv64 => 243 | BITS64 | LITTLE,
            Self::S390 => 22,
            Self::S390X => 22 | BITS64,
            Self::Sh => 42 | LITTLE,
            Self::Sheb => 42,
        }
    }

    /// Whether the high half of an argument stands first in memory.
    pub(crate) const fn is_big_endian(self) -> bool {
        self.audit() & LITTLE == 0
    }

    /// Whether the upper halves of arguments are compared: not those of the 32-bit ABIs, x32 and n32
    /// being such (as in libseccomp).
    pub(crate) const fn has_wide_args(self) -> bool {
        let audit = self.audit();
        audit & BITS64 != 0 && audit & N32 == 0 && !matches!(self, Self::X32)
    }

    /// Whether a kernel of `self` can run programs of `other`.
    #[must_use]
    pub fn runs(self, other: Self) -> bool {
        let compat: &[Self] = match self {
            Self::X86_64 | Self::X32 => &[Self::X86_64, Self::X86, Self::X32],
            Self::Aarch64 => &[Self::Arm],
            Self::Mips64 | Self::Mips64N32 => &[Self::Mips64, Self::Mips64N32, Self::Mips],
            Self::Mipsel64 | Self::Mipsel64N32 => {
                &[Self::Mipsel64, Self::Mipsel64N32, Self::Mipsel]
            }
            Self::Parisc64 => &[Self::Parisc],
            Self::Ppc64 => &[Self::Ppc],
            Self::S390X => &[Self::S390],
            Self::X86
            | Self::Arm
            | Self::Loongarch64
            | Self::M68k
            | Self::Mips
            | Self::Mipsel
            | Self::Parisc
            | Self::Ppc
            | Self::Ppc64Le
            | Self::Riscv64
            | Self::S390
            | Self::Sh
            | Self::Sheb => &[],
        };
        self == other || compat.contains(&other)
    }
}

const fn built_for() -> Arch {
    if cfg!(target_arch = "x86") {
        Arch::X86
    } else if cfg!(target_arch = "aarch64") {
        Arch::Aarch64
    } else if cfg!(target_arch = "arm") {
        Arch::Arm
    } else if cfg!(target_arch = "riscv64") {
        Arch::Riscv64
    } else if cfg!(target_arch = "s390x") {
        Arch::S390X
    } else if cfg!(target_arch = "loongarch64") {
        Arch::Loongarch64
    } else if cfg!(all(target_arch = "powerpc64", target_endian = "little")) {
        Arch::Ppc64Le
    } else if cfg!(target_arch = "powerpc64") {
        Arch::Ppc64
    } else if cfg!(target_arch = "powerpc") {
        Arch::Ppc
    } else if cfg!(all(target_arch = "mips64", target_endian = "little")) {
        Arch::Mipsel64
    } else if cfg!(target_arch = "mips64") {
        Arch::Mips64
    } else if cfg!(all(target_arch = "mips", target_endian = "little")) {
        Arch::Mipsel
    } else if cfg!(target_arch = "mips") {
        Arch::Mips
    } else if cfg!(target_arch = "m68k") {
        Arch::M68k
    } else if cfg!(all(target_arch = "x86_64", target_pointer_width = "32")) {
        Arch::X32
    } else {
        Arch::X86_64
    }
}

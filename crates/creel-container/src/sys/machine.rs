//! The machine this binary is built for, in the numbers of ELF.

/// `e_machine` of the programs that the kernel executes without help.
#[cfg(target_arch = "x86_64")]
pub(crate) const NATIVE: [u16; 2] = [62, 3];
/// `e_machine` of the programs that the kernel executes without help.
#[cfg(target_arch = "aarch64")]
pub(crate) const NATIVE: [u16; 2] = [183, 40];

/// Its name.
pub(crate) const NAME: &str = std::env::consts::ARCH;

//! Numbers of system calls, up to Linux 7.0.
//!
//! `syscalls.csv` is the source; `build.rs` packs it. See `examples/syscalls.rs` for how the calls
//! of a newer kernel get in.

use std::ops::Range;

use crate::Arch;

include!(concat!(env!("OUT_DIR"), "/table.rs"));

const NONE: u16 = 0xffff;
/// ARM's private calls are packed from here on.
const PRIVATE_PACKED: u16 = 0xf000;
/// Numbers of ARM's private calls.
pub(crate) const ARM_PRIVATE: Range<u32> = 0xf_0000..0x10_0000;
/// The bit in the number that says x32.
pub(crate) const X32_BIT: u32 = 0x4000_0000;

/// A name of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Syscall(usize);

/// Looks a name up.
pub(crate) fn by_name(name: &str) -> Option<Syscall> {
    let (mut low, mut high) = (0, STARTS.len() - 1);
    while low < high {
        let middle = low.midpoint(high);
        match nth_name(middle)?.cmp(name) {
            std::cmp::Ordering::Equal => return Some(Syscall(middle)),
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    None
}

/// The number of a system call as a filter sees it; none if the architecture does not have it, or
/// no table knows the name.
///
/// Calls that an architecture makes only through `socketcall(2)` or `ipc(2)` have none.
#[must_use]
pub fn syscall_number(name: &str, arch: Arch) -> Option<u32> {
    by_name(name)?.number(arch)
}

fn nth_name(index: usize) -> Option<&'static str> {
    NAMES.get(usize::from(*STARTS.get(index)?)..usize::from(*STARTS.get(index + 1)?))
}

impl Syscall {
    /// What `seccomp_data.nr` is for it, if the architecture has it as a call of its own.
    pub(crate) fn number(self, arch: Arch) -> Option<u32> {
        let packed = *NUMBERS.get(column(arch))?.get(self.0)?;
        match packed {
            NONE => None,
            PRIVATE_PACKED.. => Some(u32::from(packed - PRIVATE_PACKED) + ARM_PRIVATE.start),
            _ => Some(u32::from(packed) + offset(arch)),
        }
    }
}

/// Which column of the table has the numbers of `arch`.
fn column(arch: Arch) -> usize {
    match arch {
        Arch::X86 => 0,
        Arch::X86_64 => 1,
        Arch::X32 => 2,
        Arch::Arm => 3,
        Arch::Aarch64 => 4,
        Arch::Loongarch64 => 5,
        Arch::M68k => 6,
        Arch::Mips | Arch::Mipsel => 7,
        Arch::Mips64 | Arch::Mipsel64 => 8,
        Arch::Mips64N32 | Arch::Mipsel64N32 => 9,
        Arch::Parisc => 10,
        Arch::Parisc64 => 11,
        Arch::Ppc => 12,
        Arch::Ppc64 | Arch::Ppc64Le => 13,
        Arch::Riscv64 => 14,
        Arch::S390 => 15,
        Arch::S390X => 16,
        Arch::Sh | Arch::Sheb => 17,
    }
}

/// What is added to the table's numbers.
fn offset(arch: Arch) -> u32 {
    match arch {
        Arch::X32 => X32_BIT,
        Arch::Mips | Arch::Mipsel => 4000,
        Arch::Mips64 | Arch::Mipsel64 => 5000,
        Arch::Mips64N32 | Arch::Mipsel64N32 => 6000,
        Arch::X86
        | Arch::X86_64
        | Arch::Arm
        | Arch::Aarch64
        | Arch::Loongarch64
        | Arch::M68k
        | Arch::Parisc
        | Arch::Parisc64
        | Arch::Ppc
        | Arch::Ppc64
        | Arch::Ppc64Le
        | Arch::Riscv64
        | Arch::S390
        | Arch::S390X
        | Arch::Sh
        | Arch::Sheb => 0,
    }
}

/// The call that carries `name` on architectures with `socketcall(2)` or `ipc(2)`, and the first
/// argument that says so.
pub(crate) fn multiplexed(name: &str) -> Option<(Syscall, u64)> {
    const SOCKETCALL: [&str; 20] = [
        "socket",
        "bind",
        "connect",
        "listen",
        "accept",
        "getsockname",
        "getpeername",
        "socketpair",
        "send",
        "recv",
        "sendto",
        "recvfrom",
        "shutdown",
        "setsockopt",
        "getsockopt",
        "sendmsg",
        "recvmsg",
        "accept4",
        "recvmmsg",
        "sendmmsg",
    ];
    const IPC: [(&str, u64); 12] = [
        ("semop", 1),
        ("semget", 2),
        ("semctl", 3),
        ("semtimedop", 4),
        ("msgsnd", 11),
        ("msgrcv", 12),
        ("msgget", 13),
        ("msgctl", 14),
        ("shmat", 21),
        ("shmdt", 22),
        ("shmget", 23),
        ("shmctl", 24),
    ];
    if let Some((_, call)) = SOCKETCALL.iter().zip(1..).find(|(call, _)| **call == name) {
        return Some((by_name("socketcall")?, call));
    }
    let (_, call) = IPC.iter().find(|(call, _)| *call == name)?;
    Some((by_name("ipc")?, *call))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_on_each_architecture() {
        let number = |name, arch| by_name(name).and_then(|call| call.number(arch));
        assert_eq!(number("read", Arch::X86_64), Some(0));
        assert_eq!(number("read", Arch::Mips), Some(4003));
        assert_eq!(number("read", Arch::Mipsel64), Some(5000));
        assert_eq!(number("execve", Arch::X32), Some(X32_BIT + 520));
        assert_eq!(number("set_tls", Arch::Arm), Some(0xf_0005));
        assert_eq!(number("set_tls", Arch::X86_64), None);
        assert_eq!(number("rseq_slice_yield", Arch::Loongarch64), Some(471));
        assert_eq!(by_name("no_such_call"), None);
        assert_eq!(by_name(""), None);
    }

    #[test]
    fn every_name_finds_itself() {
        for index in 0..STARTS.len() - 1 {
            assert_eq!(by_name(nth_name(index).unwrap()), Some(Syscall(index)));
        }
    }
}

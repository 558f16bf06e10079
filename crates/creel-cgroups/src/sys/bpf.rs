//! `bpf(2)`: as much of it as a device filter needs.
#![expect(unsafe_code, reason = "rustix does not have bpf(2)")]

use std::{
    ffi::c_long,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use rustix::io::Errno;

/// One instruction, in the kernel's layout (`struct bpf_insn`).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) code: u8,
    /// The destination register in the low half, the source in the high one (little endian).
    pub(crate) registers: u8,
    pub(crate) offset: i16,
    pub(crate) immediate: i32,
}

// Class, source and operation of the instructions below; all work on 32 bits.
pub(crate) const LOAD: u8 = 0x61; // LDX | MEM | W
pub(crate) const COPY: u8 = 0xbc; // ALU | X | MOV
pub(crate) const SET: u8 = 0xb4; // ALU | K | MOV
pub(crate) const AND: u8 = 0x54; // ALU | K | AND
pub(crate) const SHIFT_RIGHT: u8 = 0x74; // ALU | K | RSH
pub(crate) const UNLESS_EQUAL: u8 = 0x56; // JMP32 | K | JNE
pub(crate) const IF_ANY: u8 = 0x46; // JMP32 | K | JSET
pub(crate) const JUMP: u8 = 0x05; // JMP | JA
pub(crate) const EXIT: u8 = 0x95; // JMP | EXIT

#[cfg(target_endian = "big")]
const fn registers(to: u8, from: u8) -> u8 {
    to << 4 | from
}

#[cfg(target_endian = "little")]
const fn registers(to: u8, from: u8) -> u8 {
    from << 4 | to
}

impl Instruction {
    const fn new(code: u8, to: u8, from: u8, offset: i16, immediate: i32) -> Self {
        Self { code, registers: registers(to, from), offset, immediate }
    }

    pub(crate) const fn load(to: u8, base: u8, offset: i16) -> Self {
        Self::new(LOAD, to, base, offset, 0)
    }

    pub(crate) const fn copy(to: u8, from: u8) -> Self {
        Self::new(COPY, to, from, 0, 0)
    }

    pub(crate) const fn set(to: u8, value: i32) -> Self {
        Self::new(SET, to, 0, 0, value)
    }

    pub(crate) const fn and(to: u8, mask: i32) -> Self {
        Self::new(AND, to, 0, 0, mask)
    }

    pub(crate) const fn shift_right(to: u8, bits: i32) -> Self {
        Self::new(SHIFT_RIGHT, to, 0, 0, bits)
    }

    /// Skips `over` instructions unless the register has the value.
    pub(crate) const fn unless_equal(register: u8, value: i32, over: i16) -> Self {
        Self::new(UNLESS_EQUAL, register, 0, over, value)
    }

    /// Skips `over` instructions if the register has any of the bits.
    pub(crate) const fn if_any(register: u8, bits: i32, over: i16) -> Self {
        Self::new(IF_ANY, register, 0, over, bits)
    }

    pub(crate) const fn jump(over: i16) -> Self {
        Self::new(JUMP, 0, 0, over, 0)
    }

    pub(crate) const fn exit() -> Self {
        Self::new(EXIT, 0, 0, 0, 0)
    }
}

// From linux/bpf.h: commands, types and flags.
const PROG_LOAD: c_long = 5;
const PROG_ATTACH: c_long = 8;
const PROG_DETACH: c_long = 9;
const PROG_GET_FD_BY_ID: c_long = 13;
const PROG_QUERY: c_long = 16;
const PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const CGROUP_DEVICE: u32 = 6;
const ALLOW_MULTI: u32 = 1 << 1;
const REPLACE: u32 = 1 << 2;

/// The fields of `union bpf_attr` for `BPF_PROG_LOAD`, up to the last that is used.
#[repr(C)]
#[derive(Default)]
struct Load {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
}

/// The fields for `BPF_PROG_ATTACH` and `BPF_PROG_DETACH`.
#[repr(C)]
#[derive(Default)]
struct Attach {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
    replace_bpf_fd: u32,
}

/// The fields for `BPF_PROG_QUERY`.
#[repr(C)]
#[derive(Default)]
struct Query {
    target_fd: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    prog_cnt: u32,
}

/// The fields for `BPF_PROG_GET_FD_BY_ID`.
#[repr(C)]
#[derive(Default)]
struct ById {
    prog_id: u32,
    next_id: u32,
    open_flags: u32,
}

/// Loads a device filter into the kernel, which verifies it.
pub(crate) fn load(instructions: &[Instruction]) -> Result<OwnedFd, Errno> {
    let mut attributes = Load {
        prog_type: PROG_TYPE_CGROUP_DEVICE,
        insn_cnt: u32::try_from(instructions.len()).map_err(|_| Errno::TOOBIG)?,
        insns: instructions.as_ptr().addr() as u64,
        license: c"Apache-2.0".as_ptr().addr() as u64,
        prog_name: *b"creel_devices\0\0\0",
        expected_attach_type: CGROUP_DEVICE,
        ..Load::default()
    };
    let fd = bpf(PROG_LOAD, &mut attributes)?;
    owned(fd)
}

/// Attaches a filter to a cgroup, in the place of `instead` or beside what is there.
pub(crate) fn attach(
    cgroup: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
    instead: Option<BorrowedFd<'_>>,
) -> Result<(), Errno> {
    let mut attributes = Attach {
        target_fd: number(cgroup)?,
        attach_bpf_fd: number(program)?,
        attach_type: CGROUP_DEVICE,
        attach_flags: if instead.is_some() { ALLOW_MULTI | REPLACE } else { ALLOW_MULTI },
        replace_bpf_fd: instead.map(number).transpose()?.unwrap_or(0),
    };
    bpf(PROG_ATTACH, &mut attributes).map(drop)
}

/// Detaches a filter from a cgroup.
pub(crate) fn detach(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut attributes = Attach {
        target_fd: number(cgroup)?,
        attach_bpf_fd: number(program)?,
        attach_type: CGROUP_DEVICE,
        ..Attach::default()
    };
    bpf(PROG_DETACH, &mut attributes).map(drop)
}

/// The ids of the filters of a cgroup itself, not of those above it.
pub(crate) fn query(cgroup: BorrowedFd<'_>) -> Result<Vec<u32>, Errno> {
    // 64 is the most that the kernel attaches to one cgroup (BPF_CGROUP_MAX_PROGS).
    let mut ids = vec![0_u32; 64];
    let mut attributes = Query {
        target_fd: number(cgroup)?,
        attach_type: CGROUP_DEVICE,
        prog_ids: ids.as_mut_ptr().addr() as u64,
        prog_cnt: 64,
        ..Query::default()
    };
    bpf(PROG_QUERY, &mut attributes)?;
    ids.truncate(attributes.prog_cnt as usize);
    Ok(ids)
}

/// Opens a filter by its id.
pub(crate) fn by_id(prog_id: u32) -> Result<OwnedFd, Errno> {
    let mut attributes = ById { prog_id, ..ById::default() };
    let fd = bpf(PROG_GET_FD_BY_ID, &mut attributes)?;
    owned(fd)
}

fn bpf<T>(command: c_long, attributes: &mut T) -> Result<c_long, Errno> {
    let attributes: *mut T = attributes;
    // SAFETY: the kernel reads and writes at most size_of::<T>() bytes there, and T is one of the structs above, whose
    // addresses point to memory that the caller holds through the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    if result < 0 {
        let errno = std::io::Error::last_os_error();
        return Err(Errno::from_io_error(&errno).unwrap_or(Errno::INVAL));
    }
    Ok(result)
}

fn owned(fd: c_long) -> Result<OwnedFd, Errno> {
    let fd = i32::try_from(fd).map_err(|_| Errno::BADF)?;
    // SAFETY: bpf(2) has just returned it as a new fd (which is CLOEXEC), and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn number(fd: impl AsFd) -> Result<u32, Errno> {
    u32::try_from(fd.as_fd().as_raw_fd()).map_err(|_| Errno::BADF)
}

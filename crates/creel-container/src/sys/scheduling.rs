//! How the kernel treats the calling thread: `sched_setattr(2)`, `ioprio_set(2)`,
//! `set_mempolicy(2)`, `personality(2)`, and affinity masks of any size.

#![expect(unsafe_code, reason = "none of these calls has a complete wrapper in rustix")]

use rustix::io::Result;

use super::checked;

/// `struct sched_attr`, as of Linux 5.3.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct SchedAttr {
    /// Filled in by [`sched_setattr`].
    pub(crate) size: u32,
    pub(crate) policy: u32,
    pub(crate) flags: u64,
    pub(crate) nice: i32,
    pub(crate) priority: u32,
    pub(crate) runtime: u64,
    pub(crate) deadline: u64,
    pub(crate) period: u64,
    pub(crate) util_min: u32,
    pub(crate) util_max: u32,
}

impl SchedAttr {
    /// `SCHED_ATTR_SIZE_VER1`.
    const SIZE: u32 = 56;
}

const _: () = assert!(size_of::<SchedAttr>() == 56);

/// Sets policy and parameters of the calling thread.
///
/// # Errors
/// As `sched_setattr(2)`: `EPERM`, `EINVAL`, `EBUSY` (deadline admission).
pub(crate) fn sched_setattr(attr: &SchedAttr) -> Result<()> {
    let attr = SchedAttr { size: SchedAttr::SIZE, ..*attr };
    // SAFETY: `attr` lives for the call and carries its own size; 0 is the calling thread.
    let returned = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attr, 0) };
    checked(returned).map(drop)
}

/// Sets class and level of the I/O priority of the calling thread.
///
/// # Errors
/// As `ioprio_set(2)`: `EPERM` for the real-time class, `EINVAL`.
pub(crate) fn ioprio_set(class: u32, level: u32) -> Result<()> {
    const WHO_PROCESS: libc::c_int = 1;
    const CLASS_SHIFT: u32 = 13;
    // SAFETY: numbers only.
    let returned = unsafe {
        libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, (class << CLASS_SHIFT) | level)
    };
    checked(returned).map(drop)
}

/// Sets the memory policy of the calling thread. `nodes` is a mask, lowest node first.
///
/// # Errors
/// As `set_mempolicy(2)`: `EINVAL` for a combination or node that is not there, `ENOSYS` without NUMA.
pub(crate) fn set_mempolicy(mode: i32, nodes: &[u64]) -> Result<()> {
    // The kernel reads one bit less than it is told (man page, "maxnode").
    let bits = nodes.len() * 64 + usize::from(!nodes.is_empty());
    let mask = if nodes.is_empty() { std::ptr::null() } else { nodes.as_ptr() };
    // SAFETY: the kernel reads `bits - 1` bits, which is the length of the borrowed mask.
    let returned = unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, mask, bits) };
    checked(returned).map(drop)
}

/// Sets the execution domain, for example `PER_LINUX32`.
///
/// # Errors
/// As `personality(2)`.
pub(crate) fn personality(persona: u32) -> Result<()> {
    // SAFETY: a number only.
    let returned = unsafe { libc::syscall(libc::SYS_personality, libc::c_ulong::from(persona)) };
    checked(returned).map(drop)
}

/// Sets the CPUs the calling thread may run on. `mask` may be of any length, lowest CPU first.
///
/// # Errors
/// As `sched_setaffinity(2)`: `EINVAL` if no CPU of the mask may be used.
pub(crate) fn sched_setaffinity(mask: &[u64]) -> Result<()> {
    // SAFETY: the kernel reads `size_of_val(mask)` bytes of the borrowed mask; 0 is the calling thread.
    let returned =
        unsafe { libc::syscall(libc::SYS_sched_setaffinity, 0, size_of_val(mask), mask.as_ptr()) };
    checked(returned).map(drop)
}

/// Sets a resource limit of the calling process; `u64::MAX` is no limit.
///
/// # Errors
/// As `prlimit(2)`: `EPERM` to raise a hard limit, `EINVAL` for soft above hard.
pub(crate) fn setrlimit(resource: u32, soft: u64, hard: u64) -> Result<()> {
    let limit = libc::rlimit64 { rlim_cur: soft, rlim_max: hard };
    // SAFETY: `limit` lives for the call; no old limit is asked for; 0 is the calling process.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_prlimit64,
            0,
            resource,
            &raw const limit,
            std::ptr::null_mut::<libc::rlimit64>(),
        )
    };
    checked(returned).map(drop)
}

//! A command and its children, executed one instruction after the other.

#![expect(unsafe_code, reason = "the standard library has no ptrace")]

use std::collections::HashSet;
use std::io;
use std::ops::Range;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The addresses within `text` that the command and its children execute, in the order of the first time.
///
/// # Errors
/// When it cannot be started or traced, or fails.
pub(super) fn addresses(command: &mut Command, text: &Range<u64>) -> Result<Vec<u64>> {
    // SAFETY: the closure makes one system call and touches no memory.
    unsafe { command.pre_exec(|| ptrace(libc::PTRACE_TRACEME, 0, 0)) };
    let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    let child = i32::try_from(child.id())?;
    // It has stopped at its exec.
    wait(child)?;
    let options = libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACEFORK
        | libc::PTRACE_O_TRACEVFORK
        | libc::PTRACE_O_TRACEEXEC
        | libc::PTRACE_O_EXITKILL;
    ptrace(libc::PTRACE_SETOPTIONS, child, options.into())?;
    step(child, 0)?;
    follow(child, text)
}

/// Steps whatever stops, until the first process has ended.
fn follow(first: i32, text: &Range<u64>) -> Result<Vec<u64>> {
    let (mut order, mut known) = (Vec::new(), HashSet::new());
    loop {
        let (pid, status) = wait(-1)?;
        if !libc::WIFSTOPPED(status) {
            if pid == first {
                ensure!(status == 0, "the traced command ended with wait status {status:#x}");
                return Ok(order);
            }
            continue;
        }
        let signal = libc::WSTOPSIG(status);
        // Stops of the tracing itself: a step, an event, the first stop of a child.
        let of_tracing = signal == libc::SIGTRAP || signal == libc::SIGSTOP;
        if signal == libc::SIGTRAP && status >> 16 == 0 {
            let address = instruction_pointer(pid)?;
            if text.contains(&address) && known.insert(address) {
                order.push(address);
            }
        }
        step(pid, if of_tracing { 0 } else { signal })?;
    }
}

/// One that was killed meanwhile is waited for next.
fn step(pid: i32, signal: i32) -> io::Result<()> {
    match ptrace(libc::PTRACE_SINGLESTEP, pid, signal.into()) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        other => other,
    }
}

fn wait(pid: i32) -> io::Result<(i32, i32)> {
    let mut status = 0;
    // SAFETY: the status is written to a place that is there.
    let pid = unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) };
    if pid < 0 { Err(io::Error::last_os_error()) } else { Ok((pid, status)) }
}

fn ptrace(request: libc::c_uint, pid: i32, data: i64) -> io::Result<()> {
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: none of the requests made here lets the kernel write to this process.
    let result = unsafe { libc::ptrace(request, pid, none, data) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(target_arch = "x86_64")]
fn instruction_pointer(pid: i32) -> io::Result<u64> {
    let mut registers = std::mem::MaybeUninit::<libc::user_regs_struct>::zeroed();
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: the kernel writes the registers to a struct of its layout.
    let result = unsafe { libc::ptrace(libc::PTRACE_GETREGS, pid, none, registers.as_mut_ptr()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all zeros are registers, too.
    Ok(unsafe { registers.assume_init() }.rip)
}

#[cfg(not(target_arch = "x86_64"))]
fn instruction_pointer(_pid: i32) -> io::Result<u64> {
    Err(io::ErrorKind::Unsupported.into())
}

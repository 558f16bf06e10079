//! Why a program cannot be executed: the kernel's errno names neither a missing interpreter nor a wrong machine.
//!
//! The file is the container's: every number in it is a claim, every read is bounded.

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::executable::{absolute, executable};
use super::{Child, Failure, Op, procfs};
use crate::sys::machine;

/// Interpreters of interpreters that the kernel follows (`BINPRM_MAX_RECURSION`, fs/exec.c).
const DEEPEST: u32 = 5;
/// How much of a `#!` line the kernel reads.
const LINE: usize = 256;

/// Proves that the interpreter or loader that `file` names is there.
pub(super) fn check(child: &Child, file: &OwnedFd, name: &CStr) -> Result<(), Failure> {
    check_at(child, file, name, DEEPEST)
}

fn check_at(child: &Child, file: &OwnedFd, name: &CStr, depth: u32) -> Result<(), Failure> {
    let Some(image) = Image::of(child, file) else {
        // It may be executed and not read; the exec will tell.
        return Ok(());
    };
    if let Some(interpreter) = image.interpreter() {
        let next =
            CString::new(interpreter).map_err(|_| Failure::new(Op::LookUp, Errno::NOEXEC))?;
        let file = executable(child, &absolute(&next)?)
            .map_err(|failure| missing(failure, "interpreter", &next, name))?;
        if depth == 0 {
            return Err(Failure::new(Op::LookUp, Errno::LOOP));
        }
        return check_at(child, &file, &next, depth - 1);
    }
    if let Some(loader) = image.loader() {
        child
            .root()?
            .open_path(&absolute(&loader)?)
            .map_err(|errno| missing(Failure::new(Op::LookUp, errno), "loader", &loader, name))?;
    }
    Ok(())
}

fn missing(failure: Failure, what: &str, wanted: &CStr, of: &CStr) -> Failure {
    let hint = if wanted.to_bytes().ends_with(b"\r") {
        ": its first line ends with a carriage return (CRLF)"
    } else {
        ""
    };
    let because = String::from_utf8_lossy(failure.detail.as_bytes());
    let because = if because.is_empty() { because } else { format!(" ({because})").into() };
    let text =
        format!("{what} {} of {}{because}{hint}", wanted.to_string_lossy(), of.to_string_lossy());
    failure.with(text.as_bytes())
}

/// The failure of an exec that was refused with `errno`, as rich as that of a look-up.
pub(crate) fn exec_failure(child: &Child, program: &CStr, errno: Errno) -> Failure {
    let plain = Failure::new(Op::Execve, errno);
    let Ok(name) = absolute(program) else { return plain };
    let file = match executable(child, &name) {
        Err(failure) if failure.errno == errno => return Failure { op: Op::Execve, ..failure },
        Err(_) => return plain,
        Ok(file) => file,
    };
    if let Err(failure) = check(child, &file, &name)
        && failure.errno == errno
    {
        return Failure { op: Op::Execve, ..failure };
    }
    if errno != Errno::NOEXEC {
        return plain;
    }
    match Image::of(child, &file).and_then(|image| image.machine()) {
        Some(number) if !machine::NATIVE.contains(&number) => plain.with(
            format!("it is for {}, this machine is {}", machine_name(number), machine::NAME)
                .as_bytes(),
        ),
        Some(_) => plain.with(b"it is a damaged ELF file"),
        None => plain.with(b"it is neither an ELF file nor a script that starts with #!"),
    }
}

/// The beginning of a file that can be read.
struct Image {
    file: OwnedFd,
    head: Vec<u8>,
}

impl Image {
    fn of(child: &Child, file: &OwnedFd) -> Option<Self> {
        let flags = OFlags::RDONLY | OFlags::NOCTTY;
        let file = procfs::reopen(&child.proc, file, flags).ok()?;
        let mut head = Vec::with_capacity(4096);
        rustix::io::pread(&file, rustix::buffer::spare_capacity(&mut head), 0).ok()?;
        Some(Self { file, head })
    }

    /// What follows `#!`, up to the first blank or the end of the line.
    fn interpreter(&self) -> Option<&[u8]> {
        let line = self.head.get(..LINE.min(self.head.len()))?.strip_prefix(b"#!")?;
        let line = line.split(|&byte| byte == b'\n').next()?;
        line.split(|&byte| matches!(byte, b' ' | b'\t' | 0)).find(|word| !word.is_empty())
    }

    /// `e_machine` of an ELF file.
    fn machine(&self) -> Option<u16> {
        self.head.strip_prefix(b"\x7fELF")?;
        number(&self.head, 18, 2).and_then(|value| u16::try_from(value).ok())
    }

    /// `PT_INTERP` of an ELF file for this machine.
    fn loader(&self) -> Option<CString> {
        if !machine::NATIVE.contains(&self.machine()?) {
            // binfmt_misc may know how to execute it.
            return None;
        }
        let wide = *self.head.get(4)? == 2;
        let word = if wide { 8 } else { 4 };
        let table = number(&self.head, if wide { 32 } else { 28 }, word)?;
        let size = number(&self.head, if wide { 54 } else { 42 }, 2)?;
        let count = number(&self.head, if wide { 56 } else { 44 }, 2)?.min(64);
        for index in 0..count {
            let entry = self.bytes(table.checked_add(index.checked_mul(size)?)?, 56)?;
            if number(&entry, 0, 4)? != 3 {
                continue;
            }
            let offset = number(&entry, if wide { 8 } else { 4 }, word)?;
            let length = number(&entry, if wide { 32 } else { 16 }, word)?;
            let name = self.bytes(offset, length.min(4096))?;
            return CString::new(name.split(|&byte| byte == 0).next()?).ok();
        }
        None
    }

    /// At most `length` bytes of the file; fewer at its end.
    fn bytes(&self, offset: u64, length: u64) -> Option<Vec<u8>> {
        let length = usize::try_from(length).ok()?;
        let start = usize::try_from(offset).ok()?;
        if let Some(bytes) = self.head.get(start..start.checked_add(length)?) {
            return Some(bytes.to_vec());
        }
        let mut bytes = Vec::with_capacity(length);
        rustix::io::pread(&self.file, rustix::buffer::spare_capacity(&mut bytes), offset).ok()?;
        Some(bytes)
    }
}

/// A little-endian number of `width` bytes.
fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let digits = bytes.get(at..at.checked_add(width)?)?;
    Some(digits.iter().rev().fold(0, |value, &digit| value << 8 | u64::from(digit)))
}

fn machine_name(number: u16) -> Cow {
    let name = match number {
        3 => "i386",
        8 => "mips",
        20 => "powerpc",
        21 => "powerpc64",
        22 => "s390x",
        40 => "arm",
        62 => "x86_64",
        183 => "aarch64",
        243 => "riscv64",
        258 => "loongarch64",
        _ => return format!("machine number {number}").into(),
    };
    name.into()
}

type Cow = std::borrow::Cow<'static, str>;

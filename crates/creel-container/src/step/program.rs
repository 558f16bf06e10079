//! The program: found, and proven to be one, before create returns.

use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::rootfs::check_inside;
use super::{Child, Failure, Op, Text, diagnosis};

/// `process.args` and `process.env` as `execve(2)` takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Arguments; the first names the program.
    pub args: Vec<Text>,
    /// Environment.
    pub env: Vec<Text>,
}

/// Finds `args[0]` along `PATH` and checks that the process may execute it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookUpProgram {
    /// `args[0]`.
    pub name: Text,
    /// Candidates in order: the directories of `PATH` joined with the name, or the name alone if it has a slash.
    pub candidates: Vec<Text>,
    /// The effective capabilities the program will have: what it may execute is asked with these, then the caller's
    /// are taken back.
    pub effective: u64,
}

/// What podman, containerd and Docker search for when a name is in no directory of `PATH`.
pub(crate) const NOT_IN_PATH: &[u8] = b"executable file not found in $PATH";

impl LookUpProgram {
    /// Asks as the user of the process, with the capabilities that it will have.
    pub(super) fn execute(&self, child: &mut Child) -> Result<(), Failure> {
        if child.working_directory.is_some() {
            check_inside()?;
        }
        let failure = Failure::at(Op::Capset);
        let own = rustix::thread::capabilities(None).map_err(failure)?;
        let effective = CapabilitySet::from_bits_retain(self.effective & own.permitted.bits());
        if effective == own.effective {
            child.program = Some(self.find(child)?);
            return Ok(());
        }
        rustix::thread::set_capabilities(None, CapabilitySets { effective, ..own })
            .map_err(failure)?;
        let found = self.find(child);
        rustix::thread::set_capabilities(None, own).map_err(failure)?;
        child.program = Some(found?);
        Ok(())
    }

    /// The first candidate that is there and may be executed. A later one is not tried when that one has no
    /// interpreter: the exec would fail.
    fn find(&self, child: &Child) -> Result<CString, Failure> {
        let in_path = !self.name.as_bytes().contains(&b'/');
        let mut refused = None;
        for candidate in &self.candidates {
            let name = absolute(candidate.as_c_str())?;
            match executable(child, &name) {
                Ok(file) => {
                    diagnosis::check(child, &file, &name)?;
                    return Ok(candidate.as_c_str().to_owned());
                }
                Err(failure) if in_path => {
                    let seen = !matches!(failure.errno, Errno::NOENT | Errno::NOTDIR);
                    refused = refused.or(seen.then_some((name.into_owned(), failure)));
                }
                Err(failure) => return Err(failure),
            }
        }
        let missing = Failure::new(Op::LookUp, Errno::NOENT);
        Err(match refused {
            None => missing.with(NOT_IN_PATH),
            Some((name, failure)) => missing.with(
                &[NOT_IN_PATH, b" (", name.as_bytes(), b": ", failure.detail.as_bytes(), b")"]
                    .concat(),
            ),
        })
    }
}

/// A relative name starts at the working directory, which is in the root.
pub(super) fn absolute(name: &CStr) -> Result<Cow<'_, CStr>, Failure> {
    if name.to_bytes().starts_with(b"/") {
        return Ok(Cow::Borrowed(name));
    }
    let here = rustix::process::getcwd(Vec::new()).map_err(Failure::at(Op::Getcwd))?;
    let whole = [here.to_bytes(), b"/", name.to_bytes()].concat();
    CString::new(whole).map(Cow::Owned).map_err(|_| Failure::new(Op::LookUp, Errno::INVAL))
}

/// Opens `name` and proves that the caller may execute it.
pub(super) fn executable(child: &Child, name: &CStr) -> Result<OwnedFd, Failure> {
    use rustix::fs::FileType;
    let failure = Failure::at(Op::LookUp);
    let root = child.root()?;
    let file = root.open_path(name).map_err(|errno| match errno {
        Errno::ACCESS => failure(errno).with(&diagnosis::closed_directory(root, name)),
        errno => failure(errno),
    })?;
    let stat = rustix::fs::fstat(&file).map_err(failure)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind == FileType::Directory {
        return Err(failure(Errno::ACCESS).with(b"is a directory"));
    }
    if kind != FileType::RegularFile {
        return Err(failure(Errno::ACCESS).with(b"is not a regular file"));
    }
    crate::sys::access::executable(&file)
        .map_err(|errno| failure(errno).with(&diagnosis::why_not_executable(&file, &stat)))?;
    Ok(file)
}

//! The program: found, and proven to be one, before create returns.

use std::ffi::CString;

use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::executable::{absolute, executable};
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

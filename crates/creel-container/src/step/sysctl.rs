//! Kernel parameters of the container's namespaces.

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::{Child, Failure, Op, Text, procfs};

/// Writes `value` below the host's verified `/proc/sys`; the namespaces of the caller decide which it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sysctl {
    /// The file below `/proc/sys`: `net/ipv4/ip_forward`.
    pub file: Text,
    /// What is written.
    pub value: Text,
}

impl Sysctl {
    pub(super) fn execute(&self, child: &Child) -> Result<(), Failure> {
        let mut name = Vec::with_capacity(4 + self.file.as_bytes().len());
        name.extend_from_slice(b"sys/");
        name.extend_from_slice(self.file.as_bytes());
        let name = Text::new(name).ok_or(Failure::new(Op::Openat2, Errno::INVAL))?;
        let file = procfs::open_file(&child.proc, name.as_c_str(), OFlags::WRONLY)
            .map_err(Failure::at(Op::Openat2))?;
        procfs::write(&file, self.value.as_bytes()).map_err(Failure::at(Op::Write))
    }
}

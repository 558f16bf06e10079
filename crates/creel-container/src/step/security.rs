//! What binds the process before its program runs: keyring, `no_new_privs`, labels, filter.

use std::ffi::CStr;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::{Child, Failure, Op, Text, procfs};
use crate::sys::keyring;

/// The container's root may find the keyring's keys; without it, only possessors may (`KEY_USR_SEARCH`).
const USER_SEARCH: u32 = 0x0008_0000;

/// A session keyring of the container's own, named by its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionKeyring {
    /// `_ses.ID`.
    pub name: Text,
    /// The SELinux label of the keyring: the program's, which may not use another's.
    pub label: Option<Text>,
}

/// `prctl(PR_SET_NO_NEW_PRIVS)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoNewPrivileges;

/// `process.apparmorProfile`, written to `attr/apparmor/exec` or `attr/exec` of the verified procfs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppArmor {
    /// The profile's name.
    pub profile: Text,
}

/// `process.selinuxLabel`, written to `attr/exec`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selinux {
    /// The label.
    pub label: Text,
}

/// Loads a compiled filter; a listener's descriptor stays in `Child::seccomp_listener`.
#[derive(Clone, Debug)]
pub struct LoadSeccomp {
    /// The filter.
    pub filter: creel_seccomp::Compiled,
}

impl SessionKeyring {
    /// A kernel without keyrings has none to share, so there is nothing to do.
    pub(super) fn execute(&self, child: &Child) -> Result<(), Failure> {
        if let Some(label) = &self.label {
            write_selinux(child, c"attr/keycreate", label.as_bytes())?;
            self.join()?;
            // An empty line: keys that are made later have the maker's label again.
            return write_selinux(child, c"attr/keycreate", b"\n");
        }
        self.join()
    }

    fn join(&self) -> Result<(), Failure> {
        let failure = Failure::at(Op::Keyctl);
        let serial = match keyring::join_session(self.name.as_c_str()) {
            Err(Errno::NOSYS) => return Ok(()),
            joined => joined.map_err(failure)?,
        };
        let permissions = keyring::permissions(serial).map_err(failure)?;
        keyring::set_permissions(serial, permissions | USER_SEARCH).map_err(failure)
    }
}

impl NoNewPrivileges {
    pub(super) fn execute(&self) -> Result<(), Failure> {
        rustix::thread::set_no_new_privs(true).map_err(Failure::at(Op::Prctl))
    }
}

impl AppArmor {
    /// `attr/apparmor` is there since Linux 5.8; `attr/exec` belongs to the first security module that has one.
    pub(super) fn execute(&self, child: &Child) -> Result<(), Failure> {
        let file = match procfs::open_self(&child.proc, c"attr/apparmor/exec", OFlags::WRONLY) {
            Err(Errno::NOENT) => procfs::open_self(&child.proc, c"attr/exec", OFlags::WRONLY),
            opened => opened,
        };
        let mut line = Vec::with_capacity(5 + self.profile.as_bytes().len());
        line.extend_from_slice(b"exec ");
        line.extend_from_slice(self.profile.as_bytes());
        write_label(file, &line, |errno| match errno {
            Errno::INVAL => b"AppArmor is not enabled on this host".as_slice(),
            Errno::NOENT => b"the AppArmor profile is not loaded, or AppArmor is not enabled",
            _ => b"",
        })
    }
}

impl Selinux {
    pub(super) fn execute(&self, child: &Child) -> Result<(), Failure> {
        write_selinux(child, c"attr/exec", self.label.as_bytes())
    }
}

impl LoadSeccomp {
    /// After this only what the filter lets pass can be called.
    pub(super) fn execute(&self, child: &mut Child) -> Result<(), Failure> {
        let loaded = creel_seccomp::load(&self.filter.program, self.filter.flags);
        child.seccomp_listener = loaded.map_err(Failure::at(Op::Seccomp))?;
        Ok(())
    }
}

fn write_selinux(child: &Child, name: &CStr, label: &[u8]) -> Result<(), Failure> {
    let file = procfs::open_self(&child.proc, name, OFlags::WRONLY);
    write_label(file, label, |errno| match errno {
        Errno::INVAL | Errno::NOENT => {
            b"the label is not valid, or SELinux is not enabled on this host".as_slice()
        }
        _ => b"",
    })
}

fn write_label(
    file: Result<std::os::fd::OwnedFd, Errno>,
    label: &[u8],
    hint: impl Fn(Errno) -> &'static [u8],
) -> Result<(), Failure> {
    let file = file.map_err(|errno| Failure::new(Op::Openat2, errno).with(hint(errno)))?;
    procfs::write(&file, label).map_err(|errno| Failure::new(Op::Write, errno).with(hint(errno)))
}

//! Device nodes and the links of `/dev`.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;

use super::attach::{Depth, End, attach, change_detached, clone_of_host};
use super::mask::{self, READONLY};
use super::{Child, ContainerPath, Failure, Op, Text};
use crate::sys::mount::Reach;

/// A device node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Where, inside the root.
    pub path: ContainerPath,
    /// Its type.
    pub kind: DeviceKind,
    /// Major and minor number; zero for a FIFO.
    pub number: (u32, u32),
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// A default device: an existing one is left alone.
    pub default: bool,
}

/// `linux.devices[].type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// `c` or `u`.
    Char,
    /// `b`.
    Block,
    /// `p`.
    Fifo,
}

/// A symbolic link such as `/dev/fd`, made unless something of that name exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceLink {
    /// Where, inside the root.
    pub path: ContainerPath,
    /// What it says.
    pub target: Text,
}

impl Device {
    /// The node is made below a descriptor of its directory and then only acted on by its own (CVE-2026-41579).
    pub(super) fn execute(&self, child: &mut Child) -> Result<(), Failure> {
        let (parent, name) =
            child.root()?.create_parent(self.path.as_c_str()).map_err(Failure::at(Op::Openat2))?;
        let made = match self.make(&parent, name) {
            Err(Errno::EXIST) => return self.accept(child, &open_node(&parent, name)?),
            Err(Errno::PERM) if self.kind != DeviceKind::Fifo => {
                return self.bind(child, &parent, name);
            }
            made => made,
        };
        made.map_err(Failure::at(Op::Mknod))?;
        let node = open_node(&parent, name)?;
        self.give(&node)?;
        keep_null(child, node)
    }

    /// With no umask, so that the node has its mode from the start.
    fn make(&self, parent: &OwnedFd, name: &[u8]) -> Result<(), Errno> {
        let mode = Mode::from_raw_mode(self.mode & 0o7777);
        let umask = rustix::process::umask(Mode::empty());
        let made = rustix::fs::mknodat(parent, name, self.file_type(), mode, self.number());
        rustix::process::umask(umask);
        made
    }

    /// Owner and mode of a node that was just made, if a setgid directory or an ACL made them others.
    fn give(&self, node: &OwnedFd) -> Result<(), Failure> {
        let stat = self.check(node)?;
        if stat.st_uid != self.uid || stat.st_gid != self.gid {
            let owner = (Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)));
            rustix::fs::chownat(node, c"", owner.0, owner.1, AtFlags::EMPTY_PATH)
                .map_err(Failure::at(Op::Chown))?;
        }
        Ok(())
    }

    /// What exists is left as it is: `/dev` may be the host's.
    fn accept(&self, child: &mut Child, node: &OwnedFd) -> Result<(), Failure> {
        if !self.default {
            self.check(node)?;
        }
        keep_null(child, node.try_clone().map_err(|_| Failure::new(Op::Dup, Errno::MFILE))?)
    }

    /// In a user namespace no device can be made: the host's is mounted, if it is the one that is asked for.
    fn bind(&self, child: &mut Child, parent: &OwnedFd, name: &[u8]) -> Result<(), Failure> {
        let source = clone_of_host(self.path.as_c_str(), Depth::Mount, End::Followed)
            .map_err(Failure::at(Op::OpenTree))?;
        self.check(&source)?;
        // A device is written to all the same, but its mode and owner, which are the host's, stay: a user namespace may
        // map root to root.
        change_detached(&source, Reach::Mount, READONLY)?;
        let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let target = rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o644))
            .map_err(Failure::at(Op::Open))?;
        attach(&source, target)?;
        keep_null(child, source)
    }

    fn check(&self, node: &OwnedFd) -> Result<Stat, Failure> {
        let stat = rustix::fs::fstat(node).map_err(Failure::at(Op::Stat))?;
        let same_type = FileType::from_raw_mode(stat.st_mode) == self.file_type();
        if same_type && (self.kind == DeviceKind::Fifo || stat.st_rdev == self.number()) {
            return Ok(stat);
        }
        Err(Failure::new(Op::Mismatch, Errno::EXIST).with(b"another file is there"))
    }

    fn number(&self) -> u64 {
        rustix::fs::makedev(self.number.0, self.number.1)
    }

    fn file_type(&self) -> FileType {
        match self.kind {
            DeviceKind::Char => FileType::CharacterDevice,
            DeviceKind::Block => FileType::BlockDevice,
            DeviceKind::Fifo => FileType::Fifo,
        }
    }
}

/// The node itself, never what a link of that name leads to.
fn open_node(parent: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Failure> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name, flags, Mode::empty()).map_err(Failure::at(Op::Open))
}

/// Masks cover files with the container's null device.
fn keep_null(child: &mut Child, node: OwnedFd) -> Result<(), Failure> {
    if child.null.is_none() && mask::is_null(&node)? {
        child.null = Some(node);
    }
    Ok(())
}

impl DeviceLink {
    /// What exists is left as it is.
    pub(super) fn execute(&self, child: &Child) -> Result<(), Failure> {
        let (parent, name) =
            child.root()?.create_parent(self.path.as_c_str()).map_err(Failure::at(Op::Openat2))?;
        match rustix::fs::symlinkat(self.target.as_c_str(), parent, name) {
            Err(Errno::EXIST) => Ok(()),
            made => made.map_err(Failure::at(Op::Symlink)),
        }
    }
}

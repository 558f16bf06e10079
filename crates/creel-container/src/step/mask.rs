//! Paths that are hidden or made read-only.

use std::os::fd::OwnedFd;

use rustix::fs::{FileType, Mode};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};

use super::attach::{
    Changed, Depth, attach, change_attached, change_detached, clone_of, clone_of_entry,
};
use super::{Attributes, Child, ContainerPath, Failure, Op};
use crate::sys::mount::{Reach, attr};

/// Hides one path: a directory under an empty read-only directory, anything else under a null device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// Absolute inside the container.
    pub path: ContainerPath,
}

/// Makes one path read-only by a bind mount of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadonlyPath {
    /// Absolute inside the container.
    pub path: ContainerPath,
}

impl Mask {
    /// A path that does not exist needs no mask.
    ///
    /// The first cover of each kind is kept; all others are clones of it, so that directories share one superblock.
    pub(super) fn execute(&self, child: &mut Child) -> Result<(), Failure> {
        let target = match child.root()?.open_path(self.path.as_c_str()) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
            opened => opened.map_err(Failure::at(Op::Openat2))?,
        };
        if names_root(self.path.as_bytes()) {
            // What covers the root would not be seen: the process stands below it.
            return Err(Failure::new(Op::Mismatch, Errno::BUSY).with(b"the root cannot be masked"));
        }
        let is_directory = file_type(&target)? == FileType::Directory;
        let first = if is_directory { &child.empty_directory } else { &child.null_cover };
        if let Some(first) = first {
            return attach(clone_of(first, Depth::Mount)?, target);
        }
        let cover = if is_directory { empty_directory()? } else { null_cover(child)? };
        attach(&cover, target)?;
        let first = if is_directory { &mut child.empty_directory } else { &mut child.null_cover };
        *first = Some(cover);
        Ok(())
    }
}

impl ReadonlyPath {
    /// The bind has the flags of the mount it is made of, and is read-only besides. A path that does not exist is
    /// left alone.
    pub(super) fn execute(&self, child: &Child) -> Result<(), Failure> {
        let target = match child.root()?.open_path(self.path.as_c_str()) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
            opened => opened.map_err(Failure::at(Op::Openat2))?,
        };
        if names_root(self.path.as_bytes()) {
            return change_attached(&child.proc, child.root()?.as_owned(), READONLY);
        }
        let bind = clone_of(&target, Depth::Tree)?;
        let changed = change_detached(&bind, Reach::Mount, READONLY)?;
        attach(&bind, target)?;
        match changed {
            Changed::Now => Ok(()),
            Changed::Later => change_attached(&child.proc, &bind, READONLY),
        }
    }
}

pub(super) const READONLY: Attributes = Attributes { set: attr::RDONLY, clear: 0 };

fn names_root(name: &[u8]) -> bool {
    name.split(|&byte| byte == b'/').all(|part| matches!(part, b"" | b"." | b".."))
}

fn file_type(object: &OwnedFd) -> Result<FileType, Failure> {
    let stat = rustix::fs::fstat(object).map_err(Failure::at(Op::Stat))?;
    Ok(FileType::from_raw_mode(stat.st_mode))
}

/// An empty tmpfs, detached, whose superblock is read-only.
fn empty_directory() -> Result<OwnedFd, Failure> {
    let context = tmpfs_context()?;
    let configure = Failure::at(Op::Fsconfig);
    rustix::mount::fsconfig_set_flag(&context, c"ro").map_err(configure)?;
    rustix::mount::fsconfig_create(&context).map_err(configure)?;
    mount_of(&context)
}

/// A null device, detached and read-only, so that the container's root cannot change its mode through a mask.
///
/// It is a clone of the node that the container has, which is proven to be a null device by the descriptor that is
/// cloned (CVE-2025-31133: the name was looked up again, and was something else). A container without one gets a node
/// of its own in a tmpfs of its own.
fn null_cover(child: &Child) -> Result<OwnedFd, Failure> {
    let cover = match null_of_container(child)? {
        Some(null) => clone_of(null, Depth::Mount)?,
        None => private_null()?,
    };
    match change_detached(&cover, Reach::Mount, READONLY)? {
        // Below Linux 5.12 it stays writable: what can be changed through it is the container's own node.
        Changed::Now | Changed::Later => Ok(cover),
    }
}

fn null_of_container(child: &Child) -> Result<Option<OwnedFd>, Failure> {
    if let Some(null) = &child.null {
        return null.try_clone().map(Some).map_err(|_| Failure::new(Op::Dup, Errno::MFILE));
    }
    match child.root()?.open_nofollow(c"/dev/null") {
        Ok(found) if is_null(&found)? => Ok(Some(found)),
        _ => Ok(None),
    }
}

/// Whether the descriptor stands for a null device, 1:3.
pub(super) fn is_null(object: &OwnedFd) -> Result<bool, Failure> {
    let stat = rustix::fs::fstat(object).map_err(Failure::at(Op::Stat))?;
    let is_device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
    Ok(is_device && stat.st_rdev == rustix::fs::makedev(1, 3))
}

/// A node of our own, in a tmpfs that is mounted nowhere.
pub(super) fn private_null() -> Result<OwnedFd, Failure> {
    let context = tmpfs_context()?;
    rustix::mount::fsconfig_create(&context).map_err(Failure::at(Op::Fsconfig))?;
    let mount = mount_of(&context)?;
    let mode = Mode::from_raw_mode(0o666);
    let number = rustix::fs::makedev(1, 3);
    rustix::fs::mknodat(&mount, c"null", FileType::CharacterDevice, mode, number)
        .map_err(Failure::at(Op::Mknod))?;
    clone_of_entry(&mount, c"null")
}

fn tmpfs_context() -> Result<OwnedFd, Failure> {
    let context = rustix::mount::fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)
        .map_err(Failure::at(Op::Fsopen))?;
    for (key, value) in [(c"mode", c"0755"), (c"size", c"4k")] {
        rustix::mount::fsconfig_set_string(&context, key, value)
            .map_err(Failure::at(Op::Fsconfig))?;
    }
    Ok(context)
}

fn mount_of(context: &OwnedFd) -> Result<OwnedFd, Failure> {
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    rustix::mount::fsmount(context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
        .map_err(Failure::at(Op::Fsmount))
}

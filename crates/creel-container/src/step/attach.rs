//! What every step that mounts does: clone a tree, change a mount, put it on its place. Descriptors only.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, OpenTreeFlags};

use super::number::number_text;
use super::{Attributes, Failure, Op, Propagation, procfs};
use crate::sys::mount::{MountAttr, Reach, attr, mount_flags, mount_setattr};

/// How much of a tree is cloned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// The one mount.
    Mount,
    /// With all mounts below.
    Tree,
}

/// What a path means whose last part is a symbolic link.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// What the link leads to.
    Followed,
    /// The link.
    NotFollowed,
}

/// A detached clone of what `object` stands on.
pub(super) fn clone_of(object: impl AsFd, depth: Depth) -> Result<OwnedFd, Failure> {
    let flags = OpenTreeFlags::AT_EMPTY_PATH | clone_flags(depth);
    rustix::mount::open_tree(object, c"", flags).map_err(Failure::at(Op::OpenTree))
}

/// A detached clone of what a host path leads to. Only for paths that the container cannot influence, before the pivot.
pub(super) fn clone_of_host(path: &CStr, depth: Depth, end: End) -> Result<OwnedFd, Errno> {
    let links = match end {
        End::Followed => OpenTreeFlags::empty(),
        End::NotFollowed => OpenTreeFlags::AT_SYMLINK_NOFOLLOW,
    };
    rustix::mount::open_tree(CWD, path, clone_flags(depth) | links)
}

/// A detached clone of an entry of a private mount.
pub(super) fn clone_of_entry(mount: impl AsFd, name: &CStr) -> Result<OwnedFd, Failure> {
    let flags = OpenTreeFlags::AT_SYMLINK_NOFOLLOW | clone_flags(Depth::Mount);
    rustix::mount::open_tree(mount, name, flags).map_err(Failure::at(Op::OpenTree))
}

fn clone_flags(depth: Depth) -> OpenTreeFlags {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    match depth {
        Depth::Mount => flags,
        Depth::Tree => flags | OpenTreeFlags::AT_RECURSIVE,
    }
}

/// Puts a mount on `target`; afterwards `mount` stands for what is seen there.
pub(super) fn attach(mount: impl AsFd, target: impl AsFd) -> Result<(), Failure> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(mount, c"", target, c"", flags).map_err(Failure::at(Op::MoveMount))
}

/// Attributes that an old kernel can change only once the mount is attached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Changed {
    /// Done.
    Now,
    /// To be done by [`change_attached`].
    Later,
}

/// Changes attributes of a mount that is not attached yet, so that it is never seen without them.
pub(super) fn change_detached(
    mount: impl AsFd,
    reach: Reach,
    attributes: Attributes,
) -> Result<Changed, Failure> {
    if attributes == Attributes::default() {
        return Ok(Changed::Now);
    }
    match set(mount, reach, attributes) {
        Err(Errno::NOSYS) if reach == Reach::Mount => Ok(Changed::Later),
        Err(Errno::NOSYS) => Err(Failure::new(Op::MountSetattr, Errno::NOSYS)
            .with(b"recursive mount options need Linux 5.12")),
        changed => changed.map(|()| Changed::Now).map_err(Failure::at(Op::MountSetattr)),
    }
}

/// Changes attributes of an attached mount. Below Linux 5.12 by a remount with the flags it has, changed.
pub(super) fn change_attached(
    proc: &OwnedFd,
    mount: &OwnedFd,
    attributes: Attributes,
) -> Result<(), Failure> {
    if attributes == Attributes::default() {
        return Ok(());
    }
    match set(mount, Reach::Mount, attributes) {
        Err(Errno::NOSYS) => {
            let present = rustix::fs::fstatvfs(mount).map_err(Failure::at(Op::Stat))?.f_flag;
            let flags = remount_flags(present.bits(), attributes);
            by_path(proc, mount, libc::MS_REMOUNT | libc::MS_BIND | flags)
        }
        changed => changed.map_err(Failure::at(Op::MountSetattr)),
    }
}

fn set(mount: impl AsFd, reach: Reach, attributes: Attributes) -> Result<(), Errno> {
    let change = MountAttr { set: attributes.set, clear: attributes.clear, ..MountAttr::default() };
    mount_setattr(mount, reach, &change)
}

/// Sets the propagation of an attached mount.
pub(super) fn propagate(
    proc: &OwnedFd,
    mount: &OwnedFd,
    propagation: Propagation,
) -> Result<(), Failure> {
    let reach = if propagation.recursive { Reach::Tree } else { Reach::Mount };
    let change = MountAttr { propagation: propagation.flag, ..MountAttr::default() };
    match mount_setattr(mount, reach, &change) {
        Err(Errno::NOSYS) => {
            let recursive = if propagation.recursive { libc::MS_REC } else { 0 };
            by_path(proc, mount, propagation.flag | recursive)
        }
        changed => changed.map_err(Failure::at(Op::MountSetattr)),
    }
}

/// `mount(2)` on a descriptor. The name is read in a directory that the verified procfs answers for, so nothing of the
/// container takes part in the look-up.
pub(super) fn by_path(
    proc: &OwnedFd,
    mount: &OwnedFd,
    flags: libc::c_ulong,
) -> Result<(), Failure> {
    let number = number_text(mount.as_raw_fd());
    let name = CStr::from_bytes_until_nul(&number).unwrap_or(c"");
    let changed = procfs::in_descriptors(proc, || mount_flags(name, flags))?;
    changed.map_err(Failure::at(Op::Mount))
}

/// The `MS_*` flags of a remount that keeps what `present` (`ST_*`) says, but for the change.
pub(super) fn remount_flags(present: u64, attributes: Attributes) -> libc::c_ulong {
    const BITS: [(u64, u64, u64); 6] = [
        (libc::ST_RDONLY, attr::RDONLY, libc::MS_RDONLY),
        (libc::ST_NOSUID, attr::NOSUID, libc::MS_NOSUID),
        (libc::ST_NODEV, attr::NODEV, libc::MS_NODEV),
        (libc::ST_NOEXEC, attr::NOEXEC, libc::MS_NOEXEC),
        (libc::ST_NODIRATIME, attr::NODIRATIME, libc::MS_NODIRATIME),
        // ST_NOSYMFOLLOW, which libc does not name, has the value of the mount flag shifted.
        (0x2000, attr::NOSYMFOLLOW, libc::MS_NOSYMFOLLOW),
    ];
    let mut flags = 0;
    for (shown, attribute, flag) in BITS {
        let on = (present & shown != 0 && attributes.clear & attribute == 0)
            || attributes.set & attribute != 0;
        flags |= if on { flag } else { 0 };
    }
    flags | access_time_flag(present, attributes)
}

fn access_time_flag(present: u64, attributes: Attributes) -> libc::c_ulong {
    if attributes.clear & attr::ATIME != 0 {
        return match attributes.set & attr::ATIME {
            attr::NOATIME => libc::MS_NOATIME,
            attr::STRICTATIME => libc::MS_STRICTATIME,
            _ => libc::MS_RELATIME,
        };
    }
    if present & libc::ST_NOATIME != 0 {
        libc::MS_NOATIME
    } else if present & libc::ST_RELATIME != 0 {
        libc::MS_RELATIME
    } else {
        libc::MS_STRICTATIME
    }
}

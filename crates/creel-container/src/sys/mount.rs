//! The mount API: `mount_setattr(2)`, which rustix lacks, and the messages of a filesystem context.

#![expect(unsafe_code, reason = "mount_setattr has no wrapper in rustix")]

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::io::{Errno, Result};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

use super::checked;

/// `MOUNT_ATTR_*`: attributes of one mount, not of its filesystem.
pub(crate) mod attr {
    pub(crate) const RDONLY: u64 = libc::MOUNT_ATTR_RDONLY;
    pub(crate) const NOSUID: u64 = libc::MOUNT_ATTR_NOSUID;
    pub(crate) const NODEV: u64 = libc::MOUNT_ATTR_NODEV;
    pub(crate) const NOEXEC: u64 = libc::MOUNT_ATTR_NOEXEC;
    /// The field of access time modes; it is cleared before another mode is set.
    pub(crate) const ATIME: u64 = libc::MOUNT_ATTR__ATIME;
    pub(crate) const NOATIME: u64 = libc::MOUNT_ATTR_NOATIME;
    pub(crate) const STRICTATIME: u64 = libc::MOUNT_ATTR_STRICTATIME;
    pub(crate) const NODIRATIME: u64 = libc::MOUNT_ATTR_NODIRATIME;
    pub(crate) const NOSYMFOLLOW: u64 = libc::MOUNT_ATTR_NOSYMFOLLOW;
}

/// What [`mount_setattr`] changes. `propagation` is one `MS_*` word or 0.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MountAttr {
    pub(crate) set: u64,
    pub(crate) clear: u64,
    pub(crate) propagation: u64,
}

/// How far [`mount_setattr`] reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The mount that the fd stands on.
    Mount,
    /// That mount and all below it.
    Tree,
}

/// `mount_setattr(2)` on the mount whose root `mount` is. Needs Linux 5.12.
///
/// # Errors
/// `ENOSYS` below 5.12; `EINVAL` if the fd is not the root of a mount, or the mount cannot be
/// changed so; `EPERM` for an attribute locked by another user namespace.
pub(crate) fn mount_setattr(mount: impl AsFd, reach: Reach, change: &MountAttr) -> Result<()> {
    let attr = libc::mount_attr {
        attr_set: change.set,
        attr_clr: change.clear,
        propagation: change.propagation,
        userns_fd: 0,
    };
    let flags = match reach {
        Reach::Mount => libc::AT_EMPTY_PATH,
        Reach::Tree => libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
    };
    // SAFETY: `attr` lives for the call and the size given is its own; the path is a static
    // empty C string, so only `mount`, which is borrowed, is looked at.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attr,
            size_of::<libc::mount_attr>(),
        )
    };
    checked(returned).map(drop)
}

/// Changes flags of a mount by `mount(2)` on a path, for kernels without [`mount_setattr`].
/// With `flags` a propagation word, or `MS_REMOUNT | MS_BIND` and all flags the mount shall have.
///
/// # Errors
/// As `mount(2)`.
pub(crate) fn mount_flags(path: &std::ffi::CStr, flags: libc::c_ulong) -> Result<()> {
    // SAFETY: `path` is a C string that lives for the call; a bind remount and a change of
    // propagation read no source, type or data, so null is what the kernel expects.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_mount,
            std::ptr::null::<libc::c_char>(),
            path.as_ptr(),
            std::ptr::null::<libc::c_char>(),
            flags,
            std::ptr::null::<libc::c_void>(),
        )
    };
    checked(returned).map(drop)
}

/// Reads the newest error that a filesystem wrote into its context (`fsopen(2)`), without the
/// leading `e `. `None` if it wrote none.
pub(crate) fn context_message(context: impl AsFd) -> Option<String> {
    let mut found = None;
    let mut line = [0_u8; 256];
    // The kernel keeps eight messages at most.
    for _ in 0..8 {
        let length = match rustix::io::read(&context, &mut line) {
            Ok(length) if length > 0 => length,
            // A longer message than the buffer is dropped by the kernel: go on with the next.
            Err(Errno::MSGSIZE | Errno::INTR) => continue,
            _ => break,
        };
        let text = String::from_utf8_lossy(line.get(..length).unwrap_or_default());
        if let Some(message) = text.trim_end().strip_prefix("e ") {
            found = Some(message.to_owned());
        }
    }
    found
}

/// A procfs of this process' pid namespace that is mounted nowhere: no mount of the container's can be over any of it.
pub(crate) fn private_proc() -> Result<OwnedFd> {
    let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
}

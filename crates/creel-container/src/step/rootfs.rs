//! The root: made, entered, sealed off; and the working directory in it.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;

use super::attach::{Depth, attach, change_attached, clone_of, propagate};
use super::{Attributes, Child, ContainerPath, Failure, HostPath, Op, Propagation};
use crate::root::Root;
use crate::sys::mount::{MountAttr, Reach, attr, mount_flags, mount_setattr};

/// Sets the propagation of `/` and all below, in the child's own mount namespace.
///
/// Before the root is made it is `rslave` or `rprivate`: nothing that the child mounts reaches the host. After the
/// pivot it is what `linux.rootfsPropagation` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootPropagation {
    /// `MS_SHARED`, `MS_SLAVE`, `MS_PRIVATE` or `MS_UNBINDABLE`, with `MS_REC` for the recursive words.
    pub flags: u64,
}

/// Binds the root filesystem onto itself (recursively) and opens it as the root of all names.
///
/// Without a mount namespace it is only opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MakeRoot {
    /// `root.path`, absolute.
    pub path: HostPath,
    /// Whether a bind mount is made of it: there is a mount namespace of the container's own.
    pub bind: bool,
}

/// `pivot_root(".", ".")` into the root; the old one is detached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pivot;

/// For a root on a ramfs, which `pivot_root` refuses: the root is moved over `/`, then entered by `chroot(2)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveRoot;

/// `chroot(2)` into the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chroot;

/// Makes the root mount read-only (`root.readonly`), its other flags kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootReadonly;

/// Opens `process.cwd` beneath the root, making it if it is missing, and enters it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkingDirectory {
    /// Absolute inside the container.
    pub path: ContainerPath,
    /// Whether a missing one is made (as in create, not in exec).
    pub create: bool,
}

impl RootPropagation {
    pub(super) fn execute(&self, child: &mut Child) -> Result<(), Failure> {
        if child.root.is_none() {
            child.host_is_shared = self.flags & libc::MS_SHARED != 0;
        }
        mount_flags(c"/", self.flags).map_err(Failure::at(Op::Mount))
    }
}

impl MakeRoot {
    pub(super) fn execute(&self, child: &mut Child) -> Result<(), Failure> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(CWD, self.path.as_c_str(), flags, Mode::empty())
            .map_err(Failure::at(Op::Open))?;
        if !self.bind {
            child.root = Some(Root::new(directory));
            return Ok(());
        }
        if child.host_is_shared {
            make_private(&child.proc, &directory)?;
        }
        let tree = clone_of(&directory, Depth::Tree)?;
        if child.host_is_shared {
            keep_from_host(&tree)?;
        }
        attach(&tree, &directory)?;
        child.root = Some(Root::new(tree));
        Ok(())
    }
}

/// Makes the mount that `directory` is in private. What is mounted onto a shared one would appear on the host, and
/// `pivot_root` refuses a root whose parent is shared.
fn make_private(proc: &OwnedFd, directory: &OwnedFd) -> Result<(), Failure> {
    let private = Propagation { flag: libc::MS_PRIVATE, recursive: false };
    let mut mount = directory.try_clone().map_err(|_| Failure::new(Op::Dup, Errno::MFILE))?;
    loop {
        match propagate(proc, &mount, private) {
            // Not the root of a mount: it is further up.
            Err(failure) if failure.errno == Errno::INVAL => {}
            done => return done,
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let above = rustix::fs::openat(&mount, c"..", flags, Mode::empty())
            .map_err(Failure::at(Op::Open))?;
        mount = above;
    }
}

/// What is mounted below the root filesystem stays seen, but what the container mounts there is not seen by the host.
fn keep_from_host(tree: &OwnedFd) -> Result<(), Failure> {
    let change = MountAttr { propagation: libc::MS_SLAVE, ..MountAttr::default() };
    match mount_setattr(tree, Reach::Tree, &change) {
        // Below Linux 5.12 only an attached tree could be changed, which is too late.
        Err(Errno::NOSYS) => Err(Failure::new(Op::MountSetattr, Errno::NOSYS)
            .with(b"rootfsPropagation shared needs Linux 5.12")),
        changed => changed.map_err(Failure::at(Op::MountSetattr)),
    }
}

impl Pivot {
    /// The old root is stacked below the new one at `/` (`pivot_root(2)`) and then detached
    /// with everything in it.
    pub(super) fn execute(&self, child: &Child) -> Result<(), Failure> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let old =
            rustix::fs::openat(CWD, c"/", flags, Mode::empty()).map_err(Failure::at(Op::Open))?;
        rustix::process::fchdir(child.root()?.as_fd()).map_err(Failure::at(Op::Chdir))?;
        rustix::process::pivot_root(c".", c".").map_err(Failure::at(Op::PivotRoot))?;
        rustix::process::fchdir(&old).map_err(Failure::at(Op::Chdir))?;
        if child.host_is_shared {
            // Or the host's own mounts would be unmounted with ours.
            mount_flags(c".", libc::MS_SLAVE | libc::MS_REC).map_err(Failure::at(Op::Mount))?;
        }
        rustix::mount::unmount(c".", UnmountFlags::DETACH).map_err(Failure::at(Op::Umount))?;
        rustix::process::chdir(c"/").map_err(Failure::at(Op::Chdir))
    }
}

impl MoveRoot {
    /// The host's procfs and sysfs would stay in the mount table below the new root, where a user namespace could take
    /// them as leave to mount its own: they are detached first.
    pub(super) fn execute(&self, child: &Child) -> Result<(), Failure> {
        if child.host_is_shared {
            mount_flags(c"/", libc::MS_SLAVE | libc::MS_REC).map_err(Failure::at(Op::Mount))?;
        }
        for name in [c"/proc", c"/sys"] {
            match rustix::mount::unmount(name, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
                Ok(()) | Err(Errno::INVAL | Errno::NOENT) => {}
                Err(errno) => return Err(Failure::new(Op::Umount, errno)),
            }
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let above =
            rustix::fs::openat(CWD, c"/", flags, Mode::empty()).map_err(Failure::at(Op::Open))?;
        attach(child.root()?, above)?;
        enter(child)
    }
}

impl Chroot {
    pub(super) fn execute(&self, child: &Child) -> Result<(), Failure> {
        enter(child)
    }
}

fn enter(child: &Child) -> Result<(), Failure> {
    rustix::process::fchdir(child.root()?.as_fd()).map_err(Failure::at(Op::Chdir))?;
    rustix::process::chroot(c".").map_err(Failure::at(Op::Chroot))?;
    rustix::process::chdir(c"/").map_err(Failure::at(Op::Chdir))
}

impl RootReadonly {
    pub(super) fn execute(&self, child: &Child) -> Result<(), Failure> {
        let readonly = Attributes { set: attr::RDONLY, clear: 0 };
        change_attached(&child.proc, child.root()?.as_owned(), readonly)
    }
}

impl WorkingDirectory {
    pub(super) fn execute(&self, child: &mut Child) -> Result<(), Failure> {
        let root = child.root()?;
        let name = self.path.as_c_str();
        let directory = match root.open(name, OFlags::PATH | OFlags::DIRECTORY) {
            Err(Errno::NOENT) if self.create => root
                .create_dirs(name, Mode::from_raw_mode(0o755))
                .map_err(Failure::at(Op::Mkdir))?,
            opened => opened.map_err(Failure::at(Op::Openat2))?,
        };
        rustix::process::fchdir(&directory).map_err(Failure::at(Op::Chdir))?;
        check_inside()?;
        child.working_directory = Some(directory);
        Ok(())
    }
}

/// The working directory is below the root of this process (CVE-2024-21626).
///
/// # Errors
/// [`Op::Getcwd`] with `ENOENT` if it is not, as the kernel says for one that was removed.
pub(crate) fn check_inside() -> Result<(), Failure> {
    let here = rustix::process::getcwd(Vec::new()).map_err(Failure::at(Op::Getcwd))?;
    if here.to_bytes().starts_with(b"/") {
        return Ok(());
    }
    Err(Failure::new(Op::Getcwd, Errno::NOENT)
        .with(b"the working directory is outside of the container's root"))
}

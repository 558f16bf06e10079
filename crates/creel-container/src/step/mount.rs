//! One entry of `mounts`, as data.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::FsPickFlags;

use super::attach::{
    Changed, Depth, End, attach, change_attached, change_detached, clone_of_host, propagate,
};
use super::{Child, ContainerPath, Failure, HostPath, Op, Text, filesystem, procfs};
use crate::root::Root;
use crate::sys::mount::Reach;

/// One mount: what, where, and with which attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted.
    pub kind: MountKind,
    /// Where, inside the root.
    pub destination: ContainerPath,
    /// `MOUNT_ATTR_…` of this mount alone.
    pub attributes: Attributes,
    /// `MOUNT_ATTR_…` of the whole tree below (the recursive `r…` options).
    pub recursive: Attributes,
    /// Propagation words, in the order of the config.
    pub propagation: Vec<Propagation>,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountKind {
    /// A new filesystem.
    Filesystem(Filesystem),
    /// A piece of the host's tree.
    Bind(Bind),
    /// New attributes for what is mounted at the destination.
    Remount(Remount),
    /// The container's view of its cgroups.
    Cgroup(CgroupMount),
}

/// A filesystem made by `fsopen(2)` and `fsmount(2)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filesystem {
    /// `proc`, `tmpfs`, `ext4` …
    pub fstype: Text,
    /// The `source` property; empty when there is none.
    pub source: Text,
    /// Superblock flags and options: `ro`, `sync`, `size=64k`; a key alone is a flag.
    pub options: Vec<(Text, Option<Text>)>,
    /// `tmpcopyup`: what the destination held is copied in first.
    pub copy_up: bool,
    /// The SELinux label of its root, where the filesystem has no option for that.
    pub label: Option<Text>,
}

/// A clone of a host tree made by `open_tree(2)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// Absolute on the host.
    pub source: HostPath,
    /// `rbind`: with all mounts below.
    pub recursive: bool,
    /// What happens with symbolic links.
    pub links: Links,
    /// Superblock options that a bind cannot set and that are not errors (`sync`, `data=…`); named by `--debug`.
    pub ignored: Vec<Text>,
}

/// Symbolic links as the last part of a bind's names. Those before it are followed: on the host as everywhere, in the
/// container inside its root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// `copy-symlink`: a source that is a link is not bound, the same link is made at the destination.
    pub copy: bool,
    /// `src-nofollow`: a source that is a link is bound itself.
    pub keep_source: bool,
    /// `dest-nofollow`: a destination that is a link is covered itself.
    pub keep_destination: bool,
}

/// `remount`: attributes change, nothing is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remount {
    /// Whether only the mount's flags change (`bind`), not the superblock's.
    pub bind: bool,
    /// Superblock options.
    pub options: Vec<(Text, Option<Text>)>,
}

/// `type: cgroup`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupMount {
    /// The hierarchies to show; the cgroup of the container in each when there is no cgroup namespace.
    pub hierarchies: Vec<CgroupHierarchy>,
    /// Whether the container has a cgroup namespace of its own.
    pub namespaced: bool,
}

/// One hierarchy as a container sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupHierarchy {
    /// The directory below the destination (`memory`, `cpu,cpuacct`, `unified`); empty for a sole v2 hierarchy.
    pub name: Text,
    /// Symbolic links to it (`cpu`, `cpuacct`).
    pub links: Vec<Text>,
    /// Mount data of v1 (`memory`, `name=systemd`); none for v2.
    pub controllers: Option<Text>,
    /// The container's own cgroup on the host, for a bind.
    pub path: HostPath,
}

/// Mount attributes to set and to clear, as `mount_setattr(2)` takes them (`MOUNT_ATTR_…`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Bits to set.
    pub set: u64,
    /// Bits to clear. To change the access time mode, `MOUNT_ATTR__ATIME` is cleared.
    pub clear: u64,
}

/// A propagation word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Propagation {
    /// `MS_SHARED`, `MS_SLAVE`, `MS_PRIVATE` or `MS_UNBINDABLE`.
    pub flag: u64,
    /// With the `r` in front.
    pub recursive: bool,
}

/// Files of a procfs that may be mounted over: each shows a number or table of the host that container managers
/// replace (lxcfs). Anything else there could make a security-relevant file a lie.
const PROC_FILES: [&[u8]; 12] = [
    b"/proc/cpuinfo",
    b"/proc/diskstats",
    b"/proc/meminfo",
    b"/proc/stat",
    b"/proc/swaps",
    b"/proc/uptime",
    b"/proc/loadavg",
    b"/proc/slabinfo",
    b"/proc/net/dev",
    b"/proc/sys/kernel/ns_last_pid",
    b"/proc/sys/crypto/fips_enabled",
    b"/proc/sys/fs/binfmt_misc",
];

/// What is about to be mounted, as far as [`Mount::keep_off_procfs`] must know.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// A new procfs.
    Procfs,
    /// A clone of the host's tree.
    Tree(&'a OwnedFd),
    /// Neither.
    Other,
}

impl Mount {
    pub(super) fn execute(&self, child: &mut Child) -> Result<(), Failure> {
        match &self.kind {
            MountKind::Filesystem(new) => new.mount(self, child),
            MountKind::Bind(bind) => bind.mount(self, child),
            MountKind::Remount(remount) => remount.change(self, child),
            MountKind::Cgroup(view) => view.mount(self, child),
        }
    }

    /// Puts a mount that is ready on its place. One that covers the root becomes the root.
    pub(super) fn put(
        &self,
        child: &mut Child,
        mount: OwnedFd,
        target: &OwnedFd,
        changed: Changed,
    ) -> Result<(), Failure> {
        let covers_root = child.root()?.is(target).map_err(Failure::at(Op::Stat))?;
        attach(&mount, target)?;
        if changed == Changed::Later {
            change_attached(&child.proc, &mount, self.attributes)?;
        }
        for propagation in &self.propagation {
            propagate(&child.proc, &mount, *propagation)?;
        }
        if covers_root {
            child.root = Some(Root::new(mount));
        }
        Ok(())
    }

    /// Refuses a target inside a procfs, unless it is one of the files that are meant to be replaced
    /// (CVE-2019-16884). A whole procfs may cover another.
    pub(super) fn keep_off_procfs(
        &self,
        target: &OwnedFd,
        source: Source<'_>,
    ) -> Result<(), Failure> {
        let name = self.destination.as_bytes();
        if !procfs::is_procfs(target)? || PROC_FILES.contains(&name) {
            return Ok(());
        }
        let is_whole = match source {
            Source::Procfs => true,
            Source::Tree(tree) => procfs::is_root(tree)?,
            Source::Other => false,
        };
        if is_whole && procfs::is_root(target)? {
            return Ok(());
        }
        Err(Failure::new(Op::Mismatch, Errno::PERM)
            .with(b"it is inside /proc, where only a few files may be mounted over"))
    }

    /// The directory at the destination, made if it is missing, and its mode if it was there.
    pub(super) fn directory(&self, child: &Child) -> Result<(OwnedFd, Option<u32>), Failure> {
        let root = child.root()?;
        let name = self.destination.as_c_str();
        match root.open(name, OFlags::PATH | OFlags::DIRECTORY) {
            Ok(directory) => {
                let stat = rustix::fs::fstat(&directory).map_err(Failure::at(Op::Stat))?;
                Ok((directory, Some(stat.st_mode & 0o7777)))
            }
            Err(Errno::NOENT) => root
                .create_dirs(name, Mode::from_raw_mode(0o755))
                .map(|made| (made, None))
                .map_err(Failure::at(Op::Mkdir)),
            Err(Errno::NOTDIR) => Err(Failure::new(Op::Openat2, Errno::NOTDIR)
                .with(b"the destination is there and is not a directory")),
            Err(errno) => Err(Failure::new(Op::Openat2, errno)),
        }
    }
}

impl Bind {
    fn mount(&self, mount: &Mount, child: &mut Child) -> Result<(), Failure> {
        if self.links.copy && self.copy_link(mount, child)? {
            return Ok(());
        }
        let depth = if self.recursive { Depth::Tree } else { Depth::Mount };
        let end = if self.links.keep_source { End::NotFollowed } else { End::Followed };
        let source = clone_of_host(self.source.as_c_str(), depth, end);
        let tree = source.map_err(|errno| self.failed(Op::OpenTree, errno))?;
        let stat = rustix::fs::fstat(&tree).map_err(Failure::at(Op::Stat))?;
        let target = if let Some(link) = self.kept_destination(mount, child)? {
            link
        } else if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            mount.directory(child)?.0
        } else {
            file_target(mount, child)?
        };
        mount.keep_off_procfs(&target, Source::Tree(&tree))?;
        let changed = change_detached(&tree, Reach::Mount, mount.attributes)?;
        change_detached(&tree, Reach::Tree, mount.recursive)?;
        mount.put(child, tree, &target, changed)
    }

    fn failed(&self, op: Op, errno: Errno) -> Failure {
        Failure::new(op, errno).with(&[b"source ", self.source.as_bytes()].concat())
    }

    /// Makes the source's link at the destination, if the source is one. The same link may be there already.
    fn copy_link(&self, mount: &Mount, child: &Child) -> Result<bool, Failure> {
        let link = match rustix::fs::readlinkat(CWD, self.source.as_c_str(), Vec::new()) {
            Err(Errno::INVAL) => return Ok(false),
            read => read.map_err(|errno| self.failed(Op::Open, errno))?,
        };
        let (parent, name) = child
            .root()?
            .create_parent(mount.destination.as_c_str())
            .map_err(Failure::at(Op::Openat2))?;
        match rustix::fs::symlinkat(&link, &parent, name) {
            Err(Errno::EXIST) => {
                let there = rustix::fs::readlinkat(&parent, name, Vec::new());
                if there.is_ok_and(|there| there == link) {
                    return Ok(true);
                }
                Err(Failure::new(Op::Symlink, Errno::EXIST)
                    .with(b"the destination is there and is not the same link"))
            }
            made => made.map(|()| true).map_err(Failure::at(Op::Symlink)),
        }
    }

    /// The link at the destination, if it is one and shall be covered itself.
    fn kept_destination(&self, mount: &Mount, child: &Child) -> Result<Option<OwnedFd>, Failure> {
        if !self.links.keep_destination {
            return Ok(None);
        }
        let link = match child.root()?.open_nofollow(mount.destination.as_c_str()) {
            Err(Errno::NOENT) => return Ok(None),
            opened => opened.map_err(Failure::at(Op::Openat2))?,
        };
        let stat = rustix::fs::fstat(&link).map_err(Failure::at(Op::Stat))?;
        Ok((FileType::from_raw_mode(stat.st_mode) == FileType::Symlink).then_some(link))
    }
}

/// The file at the destination, made if it is missing.
fn file_target(mount: &Mount, child: &Child) -> Result<OwnedFd, Failure> {
    let target = child
        .root()?
        .create_file(mount.destination.as_c_str(), Mode::from_raw_mode(0o755))
        .map_err(Failure::at(Op::Openat2))?;
    let stat = rustix::fs::fstat(&target).map_err(Failure::at(Op::Stat))?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        return Err(Failure::new(Op::Mismatch, Errno::ISDIR)
            .with(b"the source is not a directory, the destination is one"));
    }
    Ok(target)
}

impl Remount {
    fn change(&self, mount: &Mount, child: &Child) -> Result<(), Failure> {
        let target = child
            .root()?
            .open_path(mount.destination.as_c_str())
            .map_err(Failure::at(Op::Openat2))?;
        if !self.bind && !self.options.is_empty() {
            let flags = FsPickFlags::FSPICK_CLOEXEC | FsPickFlags::FSPICK_EMPTY_PATH;
            let context = rustix::mount::fspick(target.as_fd(), c"", flags)
                .map_err(|errno| Failure::new(Op::Fsconfig, errno).with(b"not a mount"))?;
            filesystem::configure(&context, &self.options, None)?;
            rustix::mount::fsconfig_reconfigure(&context)
                .map_err(|errno| filesystem::said(&context, errno, b""))?;
        }
        change_attached(&child.proc, &target, mount.attributes)?;
        change_detached(&target, Reach::Tree, mount.recursive)?;
        for propagation in &mount.propagation {
            propagate(&child.proc, &target, *propagation)?;
        }
        Ok(())
    }
}

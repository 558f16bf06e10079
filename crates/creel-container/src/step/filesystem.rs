//! A new filesystem: configured and mounted before anything sees it (`fsopen(2)`, `fsconfig(2)`, `fsmount(2)`).

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, XattrFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags};

use super::attach::{Changed, Depth, End, change_detached, clone_of_host, remount_flags};
use super::mount::{Attributes, Filesystem, Mount, Source};
use super::number::number_text;
use super::{Child, Failure, Op, Text, copy_up, procfs};
use crate::sys::mount::{Reach, attr, context_message};

/// The longest value that `fsconfig(2)` takes.
const LONGEST_VALUE: usize = 255;

impl Filesystem {
    /// Mounts it on the destination of `mount`.
    pub(super) fn mount(&self, mount: &Mount, child: &mut Child) -> Result<(), Failure> {
        let (target, mode) = self.target(mount, child)?;
        let is_procfs = self.fstype.as_bytes() == b"proc";
        mount.keep_off_procfs(&target, if is_procfs { Source::Procfs } else { Source::Other })?;
        if self.options.iter().any(|(_, value)| is_long(value.as_ref())) {
            return self.mount_by_data(mount, child, &target);
        }
        let late = if self.copy_up || self.label.is_some() { attr::RDONLY } else { 0 };
        let set = mount.attributes.set | mount.recursive.set;
        let new = match self.detached(set & !late, mode) {
            Err(failure) => self.instead(child, failure, set)?,
            made => made?,
        };
        if let Some(label) = &self.label {
            set_label(&new, label)?;
        }
        let mut changed = Changed::Now;
        if self.copy_up && mode.is_some() {
            copy_up::copy(&child.proc, &target, &new)?;
        }
        if set & late != 0 {
            let readonly = Attributes { set: late, clear: 0 };
            changed = change_detached(&new, Reach::Mount, readonly)?;
        }
        mount.put(child, new, &target, changed)
    }

    /// Where it goes. A procfs or sysfs only on a directory that is one without any link: what is asked of `/proc`
    /// later must be that procfs (CVE-2019-19921).
    fn target(&self, mount: &Mount, child: &Child) -> Result<(OwnedFd, Option<u32>), Failure> {
        if !matches!(self.fstype.as_bytes(), b"proc" | b"sysfs") {
            return mount.directory(child);
        }
        let found =
            child.root()?.open(mount.destination.as_c_str(), OFlags::PATH | OFlags::NOFOLLOW);
        match found {
            Err(Errno::NOENT) => mount.directory(child),
            Err(errno) => Err(Failure::new(Op::Openat2, errno)),
            Ok(found) => {
                let stat = rustix::fs::fstat(&found).map_err(Failure::at(Op::Stat))?;
                if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                    return Ok((found, Some(stat.st_mode & 0o7777)));
                }
                Err(Failure::new(Op::Mismatch, Errno::NOTDIR)
                    .with(b"it must be mounted on an ordinary directory"))
            }
        }
    }

    /// A detached mount of the new filesystem. A devpts does without a group that the user namespace does not map:
    /// every manager writes gid=5, few need it.
    fn detached(&self, set: u64, mode: Option<u32>) -> Result<OwnedFd, Failure> {
        match self.made(set, mode, None) {
            Err(failure)
                if failure.errno == Errno::INVAL
                    && self.fstype.as_bytes() == b"devpts"
                    && self.has(b"gid") =>
            {
                self.made(set, mode, Some(b"gid"))
            }
            made => made,
        }
    }

    fn made(&self, set: u64, mode: Option<u32>, skip: Option<&[u8]>) -> Result<OwnedFd, Failure> {
        let context = self.context(mode, skip)?;
        rustix::mount::fsconfig_create(&context).map_err(|errno| said(&context, errno, b""))?;
        mounted(&context, set)
    }

    fn context(&self, mode: Option<u32>, skip: Option<&[u8]>) -> Result<OwnedFd, Failure> {
        let context = rustix::mount::fsopen(self.fstype.as_c_str(), FsOpenFlags::FSOPEN_CLOEXEC)
            .map_err(|errno| match errno {
                Errno::NODEV => Failure::new(Op::Fsopen, errno)
                    .with(&[b"the kernel has no filesystem ", self.fstype.as_bytes()].concat()),
                errno => Failure::new(Op::Fsopen, errno),
            })?;
        if !self.source.as_bytes().is_empty() {
            rustix::mount::fsconfig_set_string(&context, c"source", self.source.as_c_str())
                .map_err(|errno| said(&context, errno, b"source"))?;
        }
        // A tmpfs has the mode of the directory that it covers, unless it is asked for another.
        if let (b"tmpfs", Some(mode), false) = (self.fstype.as_bytes(), mode, self.has(b"mode")) {
            rustix::mount::fsconfig_set_string(&context, c"mode", format!("{mode:o}"))
                .map_err(|errno| said(&context, errno, b"mode"))?;
        }
        configure(&context, &self.options, skip)?;
        Ok(context)
    }

    fn has(&self, key: &[u8]) -> bool {
        self.options.iter().any(|(name, _)| name.as_bytes() == key)
    }

    /// What the host has mounted, where the kernel lets nobody mount it anew: a sysfs without a network namespace of
    /// the same owner, an mqueue without an ipc namespace, a procfs without a pid namespace.
    fn instead(&self, child: &Child, failure: Failure, set: u64) -> Result<OwnedFd, Failure> {
        if !matches!(failure.errno, Errno::PERM | Errno::BUSY) {
            return Err(failure);
        }
        let (path, set) = match self.fstype.as_bytes() {
            b"sysfs" => (c"/sys", set | attr::RDONLY),
            b"mqueue" => (c"/dev/mqueue", set),
            // The host's procfs of another pid namespace would show the host's processes.
            b"proc" if procfs::is_own(&child.proc) => (c"/proc", set),
            _ => return Err(failure),
        };
        let tree = clone_of_host(path, Depth::Tree, End::Followed).map_err(|_| failure)?;
        change_detached(&tree, Reach::Tree, Attributes { set, clear: 0 })?;
        Ok(tree)
    }

    /// By `mount(2)`, which takes values of any length together: `fsconfig` would refuse them.
    fn mount_by_data(
        &self,
        mount: &Mount,
        child: &mut Child,
        target: &OwnedFd,
    ) -> Result<(), Failure> {
        // From the first moment, as whoever shares the directory could exchange it before the mount is found again.
        let flags = remount_flags(libc::ST_RELATIME, mount.attributes);
        let mut flags = MountFlags::from_bits_retain(u32::try_from(flags).unwrap_or_default());
        let mut data = Vec::new();
        for (key, value) in &self.options {
            if let (Some(flag), None) = (superblock_flag(key.as_bytes()), value) {
                flags |= flag;
                continue;
            }
            if !data.is_empty() {
                data.push(b',');
            }
            data.extend_from_slice(key.as_bytes());
            if let Some(value) = value {
                data.push(b'=');
                data.extend_from_slice(value.as_bytes());
            }
        }
        let data = Text::new(data).ok_or(Failure::new(Op::Mount, Errno::INVAL))?;
        let number = number_text(target.as_raw_fd());
        let name = std::ffi::CStr::from_bytes_until_nul(&number).unwrap_or(c"");
        procfs::in_descriptors(&child.proc, || {
            let source = self.source.as_c_str();
            let fstype = self.fstype.as_c_str();
            rustix::mount::mount(source, name, fstype, flags, Some(data.as_c_str()))
        })?
        .map_err(Failure::at(Op::Mount))?;
        // The name is opened again since there is no descriptor of this mount; it is in the root, whatever it is.
        let new = child
            .root()?
            .open_path(mount.destination.as_c_str())
            .map_err(Failure::at(Op::Openat2))?;
        super::attach::change_attached(&child.proc, &new, mount.attributes)?;
        for propagation in &mount.propagation {
            super::attach::propagate(&child.proc, &new, *propagation)?;
        }
        Ok(())
    }
}

/// A mount is no open directory yet, which is what has attributes.
fn set_label(mount: &OwnedFd, label: &Text) -> Result<(), Failure> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root =
        rustix::fs::openat(mount, c".", flags, Mode::empty()).map_err(Failure::at(Op::Open))?;
    let value = label.as_c_str().to_bytes_with_nul();
    rustix::fs::fsetxattr(&root, c"security.selinux", value, XattrFlags::empty())
        .map_err(Failure::at(Op::Setxattr))
}

fn is_long(value: Option<&Text>) -> bool {
    value.is_some_and(|value| value.as_bytes().len() > LONGEST_VALUE)
}

fn superblock_flag(key: &[u8]) -> Option<MountFlags> {
    Some(match key {
        b"ro" => MountFlags::RDONLY,
        b"rw" | b"async" => MountFlags::empty(),
        b"sync" => MountFlags::SYNCHRONOUS,
        b"dirsync" => MountFlags::DIRSYNC,
        b"lazytime" => MountFlags::LAZYTIME,
        b"mand" => MountFlags::PERMIT_MANDATORY_FILE_LOCKING,
        _ => return None,
    })
}

/// Sets all options of a filesystem context, but for `skip`.
pub(super) fn configure(
    context: &OwnedFd,
    options: &[(Text, Option<Text>)],
    skip: Option<&[u8]>,
) -> Result<(), Failure> {
    for (key, value) in options {
        if Some(key.as_bytes()) == skip {
            continue;
        }
        match value {
            None => rustix::mount::fsconfig_set_flag(context, key.as_c_str()),
            Some(value) => {
                rustix::mount::fsconfig_set_string(context, key.as_c_str(), value.as_c_str())
            }
        }
        .map_err(|errno| said(context, errno, key.as_bytes()))?;
    }
    Ok(())
}

/// The mount of a context whose superblock is made.
pub(super) fn mounted(context: &OwnedFd, attributes: u64) -> Result<OwnedFd, Failure> {
    let attributes =
        u32::try_from(attributes).map_err(|_| Failure::new(Op::Fsmount, Errno::INVAL))?;
    let attributes = MountAttrFlags::from_bits_retain(attributes);
    rustix::mount::fsmount(context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).map_err(|errno| {
        let failure = said(context, errno, b"");
        Failure { op: Op::Fsmount, ..failure }
    })
}

/// The failure of a configuration, in the filesystem's own words if it had any.
pub(super) fn said(context: &OwnedFd, errno: Errno, option: &[u8]) -> Failure {
    let failure = Failure::new(Op::Fsconfig, errno);
    match context_message(context) {
        Some(message) => failure.with(message.as_bytes()),
        None if option.is_empty() => failure,
        None => failure.with(&[b"option ", option].concat()),
    }
}

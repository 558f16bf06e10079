//! The container's view of its cgroups: `type: cgroup`.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{FsOpenFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string};

use super::attach::{Changed, Depth, End, attach, change_attached, change_detached, clone_of_host};
use super::filesystem::{mounted, said};
use super::mount::{Attributes, CgroupHierarchy, CgroupMount, Mount, Source};
use super::{Child, Failure, Op, Text};
use crate::sys::mount::{Reach, attr};

impl CgroupMount {
    /// A sole v2 hierarchy is the mount itself; otherwise a tmpfs has a directory for each hierarchy.
    pub(super) fn mount(&self, mount: &Mount, child: &mut Child) -> Result<(), Failure> {
        let (target, _) = mount.directory(child)?;
        mount.keep_off_procfs(&target, Source::Other)?;
        let set = mount.attributes.set | mount.recursive.set;
        if let [sole] = self.hierarchies.as_slice()
            && sole.name.as_bytes().is_empty()
        {
            let (view, changed) = self.hierarchy(sole, set)?;
            return mount.put(child, view, &target, changed);
        }
        let directory = tmpfs(set & !attr::RDONLY)?;
        // Nothing can be mounted into a detached mount below Linux 6.15.
        attach(&directory, &target)?;
        for hierarchy in &self.hierarchies {
            self.show(hierarchy, set, child, &directory)?;
        }
        if set & attr::RDONLY != 0 {
            let readonly = Attributes { set: attr::RDONLY, clear: 0 };
            change_attached(&child.proc, &directory, readonly)?;
        }
        for propagation in &mount.propagation {
            super::attach::propagate(&child.proc, &directory, *propagation)?;
        }
        Ok(())
    }

    /// One hierarchy and its links in the tmpfs.
    fn show(
        &self,
        hierarchy: &CgroupHierarchy,
        set: u64,
        child: &Child,
        directory: &OwnedFd,
    ) -> Result<(), Failure> {
        let name = hierarchy.name.as_c_str();
        match rustix::fs::mkdirat(directory, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(Failure::new(Op::Mkdir, errno)),
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let place = rustix::fs::openat(directory, name, flags, Mode::empty())
            .map_err(Failure::at(Op::Open))?;
        let (view, changed) = self.hierarchy(hierarchy, set)?;
        attach(&view, place)?;
        if changed == Changed::Later {
            change_attached(&child.proc, &view, Attributes { set, clear: 0 })?;
        }
        for link in &hierarchy.links {
            match rustix::fs::symlinkat(name, directory, link.as_c_str()) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(Failure::new(Op::Symlink, errno)),
            }
        }
        Ok(())
    }

    /// One hierarchy, detached. In a cgroup namespace a new mount shows the namespace's root; without one, or where
    /// the kernel refuses a new mount, the container's own cgroup is cloned from the host's.
    fn hierarchy(
        &self,
        hierarchy: &CgroupHierarchy,
        set: u64,
    ) -> Result<(OwnedFd, Changed), Failure> {
        if self.namespaced {
            match new_view(hierarchy.controllers.as_ref(), set) {
                Err(failure) if matches!(failure.errno, Errno::PERM | Errno::BUSY) => {}
                made => return made.map(|view| (view, Changed::Now)),
            }
        }
        let view = clone_of_host(hierarchy.path.as_c_str(), Depth::Tree, End::Followed)
            .map_err(|errno| Failure::new(Op::OpenTree, errno).with(hierarchy.path.as_bytes()))?;
        let changed = change_detached(&view, Reach::Mount, Attributes { set, clear: 0 })?;
        Ok((view, changed))
    }
}

/// A mount of the v1 hierarchy with these controllers, or of v2.
fn new_view(controllers: Option<&Text>, set: u64) -> Result<OwnedFd, Failure> {
    let fstype = if controllers.is_some() { c"cgroup" } else { c"cgroup2" };
    let context = rustix::mount::fsopen(fstype, FsOpenFlags::FSOPEN_CLOEXEC)
        .map_err(Failure::at(Op::Fsopen))?;
    let words = controllers.map(Text::as_bytes).unwrap_or_default();
    for word in words.split(|&byte| byte == b',').filter(|word| !word.is_empty()) {
        match word.iter().position(|&byte| byte == b'=') {
            None => fsconfig_set_flag(&context, word),
            Some(at) => {
                let (key, value) = word.split_at(at);
                fsconfig_set_string(&context, key, value.get(1..).unwrap_or_default())
            }
        }
        .map_err(|errno| said(&context, errno, word))?;
    }
    fsconfig_create(&context).map_err(|errno| said(&context, errno, b""))?;
    mounted(&context, set)
}

fn tmpfs(set: u64) -> Result<OwnedFd, Failure> {
    let context = rustix::mount::fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)
        .map_err(Failure::at(Op::Fsopen))?;
    fsconfig_set_string(&context, c"source", c"tmpfs")
        .and_then(|()| fsconfig_set_string(&context, c"mode", c"0755"))
        .and_then(|()| fsconfig_create(&context))
        .map_err(|errno| said(&context, errno, b""))?;
    mounted(&context, set)
}

//! Which cgroup hierarchies are mounted, and where.

use std::path::{Path, PathBuf};

use rustix::{
    fs::{CWD, Dir, FileType, Mode, OFlags, fstatfs, openat, statfs},
    io::Errno,
};

use crate::{
    controller::{Controller, Controllers},
    error::{Error, Result},
};

/// How the hierarchies are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// v1 hierarchies only.
    V1,
    /// One v2 hierarchy, mounted at the directory itself.
    V2,
    /// v1 hierarchies, and a v2 one beside them.
    Hybrid,
}

/// The version of one hierarchy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the kernel's")]
pub enum Version {
    V1,
    V2,
}

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// The entry of the mounts' directory: `memory`, `cpu,cpuacct`, `systemd`, `unified`; `.` for the v2 hierarchy of
    /// [`Layout::V2`].
    pub name: String,
    /// Its version.
    pub version: Version,
    /// The controllers of a v1 hierarchy (by its name); none for a named one (`systemd`) and for v2, whose
    /// controllers are asked when a cgroup is made.
    pub controllers: Controllers,
}

/// The hierarchies mounted below one directory. A plain value: it holds nothing open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchies {
    root: PathBuf,
    layout: Layout,
    list: Vec<Hierarchy>,
}

impl Hierarchies {
    /// Finds what is mounted at `at`, usually `/sys/fs/cgroup`: one `statfs` for each entry. Symlinks (`cpu` to
    /// `cpu,cpuacct`) and plain directories are passed over.
    ///
    /// # Errors
    /// [`Error::NoHierarchy`] if there is none; [`Error::Os`] if the directory cannot be read.
    pub fn detect(at: &Path) -> Result<Self> {
        let directory =
            openat(CWD, at, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
                .map_err(Error::os("open", at))?;
        if filesystem(fstatfs(&directory)) == Some(Version::V2) {
            let only = Hierarchy {
                name: ".".to_owned(),
                version: Version::V2,
                controllers: Controllers::EMPTY,
            };
            return Ok(Self { root: at.to_owned(), layout: Layout::V2, list: vec![only] });
        }
        let mut list = Vec::with_capacity(16);
        let mut path = at.join("x");
        for entry in Dir::new(directory).map_err(Error::os("read", at))? {
            let entry = entry.map_err(Error::os("read", at))?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if entry.file_type() != FileType::Directory || matches!(name, "." | "..") {
                continue;
            }
            path.set_file_name(name);
            if let Some(version) = filesystem(statfs(&path)) {
                list.push(Hierarchy::new(name, version));
            }
        }
        Self::from_list(at, list)
    }

    /// The same value without a kernel, for callers that decide for a host that they invent.
    ///
    /// # Errors
    /// [`Error::NoHierarchy`] for an empty list.
    pub fn from_list(root: &Path, mut list: Vec<Hierarchy>) -> Result<Self> {
        // v2 first: with CLONE_INTO_CGROUP it is joined before all others, and it is asked first.
        list.sort_by(|a, b| {
            (a.version == Version::V1, &a.name).cmp(&(b.version == Version::V1, &b.name))
        });
        let any = |version| list.iter().any(|h| h.version == version);
        let layout = match (any(Version::V1), any(Version::V2)) {
            (true, true) => Layout::Hybrid,
            (true, false) => Layout::V1,
            (false, true) if list.iter().any(|h| h.name == ".") => Layout::V2,
            // A v2 tree in a subdirectory with no v1 beside it: a hybrid whose v1 part is empty.
            (false, true) => Layout::Hybrid,
            (false, false) => return Err(Error::NoHierarchy { at: root.to_owned() }),
        };
        Ok(Self { root: root.to_owned(), layout, list })
    }

    /// The layout.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// The directory below which they are mounted.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Each hierarchy, the v2 one first.
    #[must_use]
    pub fn list(&self) -> &[Hierarchy] {
        &self.list
    }

    /// Whether there is a v2 hierarchy (`.` or `unified`).
    #[must_use]
    pub fn has_v2(&self) -> bool {
        self.list.iter().any(|h| h.version == Version::V2)
    }

    /// The v1 hierarchy that has this controller.
    #[must_use]
    pub fn v1(&self, controller: Controller) -> Option<&Hierarchy> {
        self.list.iter().find(|h| h.version == Version::V1 && h.controllers.contains(controller))
    }
}

impl Hierarchy {
    /// A hierarchy mounted at the entry `name`; a v1 one has the controllers that its name lists.
    #[must_use]
    pub fn new(name: &str, version: Version) -> Self {
        let controllers = match version {
            Version::V1 => Controllers::from_v1_names(name),
            Version::V2 => Controllers::EMPTY,
        };
        Self { name: name.to_owned(), version, controllers }
    }
}

/// The cgroup version of a filesystem; none for any other filesystem, and for one that cannot be asked.
fn filesystem(asked: std::result::Result<rustix::fs::StatFs, Errno>) -> Option<Version> {
    match asked.ok()?.f_type {
        libc::CGROUP_SUPER_MAGIC => Some(Version::V1),
        libc::CGROUP2_SUPER_MAGIC => Some(Version::V2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_no_mount_is_no_hierarchy() {
        let plain = Path::new("/usr");
        assert!(matches!(Hierarchies::detect(plain), Err(Error::NoHierarchy { .. })));
    }

    #[test]
    fn v2_comes_first_and_the_layout_follows_from_the_versions() {
        let list = vec![
            Hierarchy::new("cpu,cpuacct", Version::V1),
            Hierarchy::new("unified", Version::V2),
        ];
        let found = Hierarchies::from_list(Path::new("/c"), list).unwrap();
        assert_eq!(found.layout(), Layout::Hybrid);
        assert_eq!(found.list().first().unwrap().name, "unified");
        assert_eq!(found.v1(Controller::Cpuacct).unwrap().name, "cpu,cpuacct");
    }
}

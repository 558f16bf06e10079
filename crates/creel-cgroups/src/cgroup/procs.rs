//! The processes of a cgroup: who is in it, and how to enter it.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::{
    fs::{Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2},
    io::{Errno, write},
    process::Pid,
};

use super::{Cgroup, DIRECTORY, Member, open_file, read_to_end};
use crate::{
    controller::{Controller, Controllers},
    error::{Error, Result},
    hierarchy::{Hierarchy, Version},
    path::CgroupPath,
};

/// A cgroup below the container's, as `exec --cgroup [CONTROLLER[,CONTROLLER…]:]PATH` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubCgroup {
    /// The v1 controllers whose hierarchies it is for; none: every hierarchy.
    pub controllers: Option<Controllers>,
    /// The path below the container's cgroup; none: that cgroup itself.
    pub path: Option<CgroupPath>,
}

impl SubCgroup {
    /// Reads `[CONTROLLER[,CONTROLLER…]:]PATH`.
    ///
    /// # Errors
    /// [`Error::Path`] for an unknown controller and for a path that [`CgroupPath::parse`] refuses; `/` is fine.
    pub fn parse(text: &str) -> Result<Self> {
        let (names, path) =
            text.split_once(':').map_or((None, text), |(names, path)| (Some(names), path));
        if names.is_some_and(|names| {
            names.split(',').any(|name| Controller::from_v1_name(name).is_none())
        }) {
            return Err(Error::Path { found: text.to_owned(), reason: "unknown controller" });
        }
        let path =
            if path.chars().all(|c| c == '/') { None } else { Some(CgroupPath::parse(path)?) };
        Ok(Self { controllers: names.map(Controllers::from_v1_names), path })
    }

    fn is_for(&self, hierarchy: &Hierarchy) -> bool {
        let shared = |c: Controllers| !c.without(c.without(hierarchy.controllers)).is_empty();
        self.controllers.is_none_or(shared)
    }
}

impl Cgroup {
    /// Puts a process into the cgroup of every hierarchy, but not of v2 if it was cloned into it.
    ///
    /// # Errors
    /// [`Error::Os`]; ESRCH if there is no such process, ENOENT if the cgroup is gone.
    pub fn join(&self, pid: Pid, already_in_v2: bool) -> Result<()> {
        let text = pid.as_raw_nonzero().to_string();
        let to_join = |version| !(already_in_v2 && version == Version::V2);
        for (_, member) in self.each().filter(|(hierarchy, _)| to_join(hierarchy.version)) {
            let directory = self.directory(member)?;
            let directory = directory.ok_or_else(|| self.failed("join", member, Errno::NOENT))?;
            open_file(directory, "cgroup.procs", OFlags::WRONLY)
                .and_then(|file| write(file, text.as_bytes()))
                .map_err(|errno| self.failed("write to cgroup.procs of", member, errno))?;
        }
        Ok(())
    }

    /// The cgroup with some hierarchies replaced by cgroups below it. Where they do not exist, joining fails.
    ///
    /// # Errors
    /// [`Error::Path`] if an item names a controller that no v1 hierarchy has.
    pub fn below(mut self, items: &[SubCgroup]) -> Result<Self> {
        for item in items {
            let mut found = false;
            for (hierarchy, member) in self.hierarchies.list().iter().zip(&mut self.members) {
                if item.is_for(hierarchy) {
                    found = true;
                    let below = item.path.as_ref().map(|path| format!("{}/{path}", member.below));
                    if let Some(below) = below {
                        *member =
                            Member { below, directory: std::cell::OnceCell::new(), made: 0.into() };
                    }
                }
            }
            if !found {
                let names = item
                    .controllers
                    .into_iter()
                    .flat_map(Controllers::iter)
                    .map(Controller::v1_name);
                let found = names.collect::<Vec<_>>().join(",");
                return Err(Error::Path { found, reason: "no v1 hierarchy has this controller" });
            }
        }
        Ok(self)
    }

    /// The v2 directory (`O_PATH`) of a process that has moved below this cgroup; `cgroups` is its `/proc/PID/cgroup` as
    /// seen from the root of the hierarchies. None if it is not below, or there is no v2 hierarchy.
    ///
    /// # Errors
    /// [`Error::Os`]
    pub fn v2_below(&self, cgroups: &str) -> Result<Option<OwnedFd>> {
        let path = cgroups.lines().find_map(|line| line.strip_prefix("0::/"));
        let own = self.path().as_str();
        let rest = path.and_then(|path| path.strip_prefix(own)?.strip_prefix('/'));
        let (Some(rest), Some(member)) = (rest, self.v2_member()) else { return Ok(None) };
        let Some(directory) = self.directory(member)? else { return Ok(None) };
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let opened = openat2(directory, rest, DIRECTORY, Mode::empty(), beneath);
        opened.map(Some).map_err(Error::os("open", self.place(member).join(rest)))
    }

    /// The processes of the cgroup and of all cgroups below it. Those that this pid namespace does not see are left out.
    /// One hierarchy is asked (v2 if there is one), as every process is in the same cgroup of each.
    ///
    /// # Errors
    /// [`Error::Os`]
    pub fn processes(&self) -> Result<Vec<Pid>> {
        let member = self
            .v2_member()
            .or_else(|| self.v1_member(Controller::Freezer))
            .or(self.members.first());
        let mut pids = member.map(|member| self.pids_of(member)).transpose()?.unwrap_or_default();
        // A v2 cgroup of a thread lists its process in each cgroup that has one of its threads.
        pids.sort_unstable_by_key(|pid| pid.map(Pid::as_raw_nonzero));
        pids.dedup();
        Ok(pids.into_iter().flatten().collect())
    }

    /// The processes of one hierarchy; `None` for each that this pid namespace does not see.
    pub(super) fn pids_of(&self, member: &Member) -> Result<Vec<Option<Pid>>> {
        let mut pids = Vec::new();
        if let Some(directory) = self.directory(member)? {
            collect_pids(directory, &mut pids)
                .map_err(|errno| self.failed("read cgroup.procs of", member, errno))?;
        }
        Ok(pids)
    }
}

fn collect_pids(
    directory: BorrowedFd<'_>,
    pids: &mut Vec<Option<Pid>>,
) -> std::result::Result<(), Errno> {
    let opened = open_file(directory, "cgroup.procs", OFlags::RDONLY);
    match opened.and_then(|file| read_to_end(&file)) {
        // A pid of 0 stands for a process that cannot be seen from here.
        Ok(text) => {
            pids.extend(text.lines().filter_map(|line| line.parse().ok()).map(Pid::from_raw));
        }
        // Gone meanwhile, or threaded: then the processes are listed further up.
        Err(Errno::NOENT | Errno::NODEV | Errno::OPNOTSUPP) => {}
        Err(errno) => return Err(errno),
    }
    for child in children(directory)? {
        collect_pids(std::os::fd::AsFd::as_fd(&child.1), pids)?;
    }
    Ok(())
}

/// The cgroups right below one: name and directory.
pub(super) fn children(
    directory: BorrowedFd<'_>,
) -> std::result::Result<Vec<(String, OwnedFd)>, Errno> {
    // The links of a cgroup's directory are itself, `.`, and one for each child: most have none, and the list of
    // files need not be read.
    if fstat(directory)?.st_nlink <= 2 {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    let readable = openat(
        directory,
        ".",
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    for entry in Dir::new(readable)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        if entry.file_type() != FileType::Directory || matches!(name, "." | "..") {
            continue;
        }
        match openat(directory, name, DIRECTORY, Mode::empty()) {
            Ok(child) => found.push((name.to_owned(), child)),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(found)
}

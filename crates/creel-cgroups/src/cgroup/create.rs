//! Makes the directories of a cgroup, and what must be so before a process may enter them.

use std::{os::fd::OwnedFd, path::PathBuf};

use rustix::{
    fs::{AtFlags, Mode, OFlags, mkdirat, openat, unlinkat},
    io::{Errno, write},
};

use super::{Cgroup, DIRECTORY, Member, open_file, read_again, read_file, write_file};
use crate::{
    controller::{Controller, Controllers},
    error::{Error, Result},
    hierarchy::{Hierarchies, Hierarchy, Layout, Version},
    path::CgroupPath,
    settings::{Setting, Settings, Target},
};

const MODE: Mode = Mode::from_raw_mode(0o755);

impl Cgroup {
    /// Makes the cgroup in every hierarchy. A leaf that exists already is used if it is empty and not frozen.
    /// v1: the cpus and memory nodes of each new level are its parent's. v2: the controllers that `settings` need are
    /// enabled down the path; with [`Layout::V2`] all others that can be, too.
    ///
    /// # Errors
    /// [`Error::Populated`], [`Error::Frozen`], [`Error::ControllerMissing`], [`Error::Os`]. What was made is removed.
    pub fn create(hierarchies: Hierarchies, path: CgroupPath, settings: &Settings) -> Result<Self> {
        let cgroup = Self::create_v2(hierarchies, path, settings)?;
        match cgroup.create_v1() {
            Ok(()) => Ok(cgroup),
            Err(error) => {
                cgroup.remove_made();
                Err(error)
            }
        }
    }

    /// The first half of [`Cgroup::create`]: the v2 hierarchy, if there is one, for a process that is cloned into it
    /// while the others are made by [`Cgroup::create_v1`].
    ///
    /// # Errors
    /// As [`Cgroup::create`].
    pub fn create_v2(
        hierarchies: Hierarchies,
        path: CgroupPath,
        settings: &Settings,
    ) -> Result<Self> {
        let cgroup = Self::open(hierarchies, path)?;
        match cgroup.make_each(Version::V2, settings) {
            Ok(()) => Ok(cgroup),
            Err(error) => {
                cgroup.remove_made();
                Err(error)
            }
        }
    }

    /// The second half of [`Cgroup::create`]: the v1 hierarchies.
    ///
    /// # Errors
    /// As [`Cgroup::create`]. What was made is left to [`Cgroup::undo_create`].
    pub fn create_v1(&self) -> Result<()> {
        self.make_each(Version::V1, &Settings::default())
    }

    fn make_each(&self, version: Version, settings: &Settings) -> Result<()> {
        for (hierarchy, member) in self.each().filter(|(it, _)| it.version == version) {
            if self.make(hierarchy, member)? {
                self.check_unused(hierarchy, member)?;
            }
            if hierarchy.version == Version::V2 {
                self.enable_controllers(member, settings)?;
            }
        }
        Ok(())
    }

    /// Makes the directories of one hierarchy and counts them; says whether the leaf was there before.
    fn make(&self, hierarchy: &Hierarchy, member: &Member) -> Result<bool> {
        let fail = |errno| self.failed("mkdir", member, errno);
        // A parent may be removed by whoever made it, between two levels: start again then.
        for _ in 0..100 {
            let existed = match mkdirat(&self.root, member.below.as_str(), MODE) {
                Ok(()) => {
                    member.made.set(member.made.get().max(1));
                    false
                }
                Err(Errno::EXIST) => {
                    member.made.set(0);
                    true
                }
                Err(Errno::NOENT) => match self.make_parents(hierarchy, member) {
                    Err(Errno::NOENT) | Ok(()) => continue,
                    Err(errno) => return Err(fail(errno)),
                },
                Err(errno) => return Err(fail(errno)),
            };
            if hierarchy.version == Version::V1
                && hierarchy.controllers.contains(Controller::Cpuset)
            {
                self.fill_cpuset(hierarchy, !existed)
                    .map_err(|errno| self.failed("fill the cpuset of", member, errno))?;
            }
            return Ok(existed);
        }
        Err(fail(Errno::NOENT))
    }

    /// Makes all levels above the leaf. The count is the one that is right once the leaf is made, too.
    fn make_parents(
        &self,
        hierarchy: &Hierarchy,
        member: &Member,
    ) -> std::result::Result<(), Errno> {
        for level in self.path.levels().filter(|level| *level != self.path.as_str()) {
            match mkdirat(&self.root, place(hierarchy, level).as_str(), MODE) {
                Ok(()) => member.made.set(member.made.get().max(1) + 1),
                Err(Errno::EXIST) => member.made.set(1),
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// Gives a v1 cpuset without cpus or memory nodes those of its parent: without them no process may enter it. A new
    /// level is known to have none.
    fn fill_cpuset(&self, hierarchy: &Hierarchy, is_new: bool) -> std::result::Result<(), Errno> {
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let own = |level: &str| place(hierarchy, &format!("{level}/{file}"));
            // Upwards to the first level that has some, and down again. The root always has.
            let mut level = self.path.as_str();
            let mut empty = Vec::new();
            let mut value =
                if is_new { String::new() } else { read_file(&self.root, &own(level))? };
            while value.trim().is_empty() && !level.is_empty() {
                empty.push(level);
                level = level.rsplit_once('/').map_or("", |(parent, _)| parent);
                value = read_file(&self.root, &own(level))?;
            }
            for level in empty.into_iter().rev() {
                write_file(&self.root, &own(level), value.trim())?;
            }
        }
        Ok(())
    }

    /// A container must not share its cgroup with processes that it did not start, nor start in a frozen one
    /// (config-linux.md#cgroups-path).
    fn check_unused(&self, hierarchy: &Hierarchy, member: &Member) -> Result<()> {
        let Some(directory) = self.directory(member)? else { return Ok(()) };
        let frozen = match hierarchy.version {
            Version::V2 => read_file(directory, "cgroup.events")
                .map(|text| text.lines().any(|l| l == "frozen 1")),
            Version::V1 if hierarchy.controllers.contains(Controller::Freezer) => {
                read_file(directory, "freezer.state").map(|text| text.trim() != "THAWED")
            }
            Version::V1 => Ok(false),
        };
        if frozen.map_err(|errno| self.failed("read the state of", member, errno))? {
            return Err(Error::Frozen { at: self.place(member) });
        }
        match self.pids_of(member)?.first() {
            Some(pid) => Err(Error::Populated { at: self.place(member), pid: *pid }),
            None => Ok(()),
        }
    }

    /// Enables controllers in every level above the leaf, from the root down.
    pub(super) fn enable_controllers(&self, member: &Member, settings: &Settings) -> Result<()> {
        let needed = needed(settings);
        let all = self.hierarchies.layout() == Layout::V2;
        if needed.is_empty() && !all {
            return Ok(());
        }
        let name = member.below.split('/').next().unwrap_or_default();
        let fail = |errno| self.failed("read cgroup.controllers of", member, errno);
        let known = |level: &str| {
            read_file(&self.root, &format!("{name}/{level}/cgroup.controllers"))
                .map(|text| Controllers::from_v2_names(&text))
        };
        let wanted = if all { known("").map_err(fail)?.union(needed) } else { needed };
        if wanted.without(known(self.path.as_str()).map_err(fail)?).is_empty() {
            return Ok(());
        }
        for level in
            [""].into_iter().chain(self.path.levels()).filter(|level| *level != self.path.as_str())
        {
            let at = || self.whole(&format!("{name}/{level}"));
            let available = known(level).map_err(Error::os("read cgroup.controllers of", at()))?;
            if let Some(controller) = needed.without(available).iter().next() {
                return Err(missing(settings, controller, at(), None));
            }
            let directory =
                openat(&self.root, format!("{name}/{level}").as_str(), DIRECTORY, Mode::empty())
                    .map_err(Error::os("open", at()))?;
            let refused = enable(&directory, wanted.without(wanted.without(available)))
                .map_err(Error::os("write to cgroup.subtree_control of", at()))?;
            if let Some((controller, errno)) =
                refused.into_iter().find(|(c, _)| needed.contains(*c))
            {
                return Err(missing(settings, controller, at(), Some(errno)));
            }
        }
        Ok(())
    }

    /// Removes what this value made. Errors are not reported: another one is, which led here.
    pub(super) fn remove_made(&self) {
        for member in &self.members {
            let mut below = member.below.as_str();
            for _ in 0..member.made.get() {
                // A level that is in use by others stays, and so do those above it.
                if !matches!(
                    unlinkat(&self.root, below, AtFlags::REMOVEDIR),
                    Ok(()) | Err(Errno::NOENT)
                ) {
                    break;
                }
                below = below.rsplit_once('/').map_or("", |(parent, _)| parent);
            }
            member.made.set(0);
        }
    }
}

fn place(hierarchy: &Hierarchy, below: &str) -> String {
    format!("{}/{below}", hierarchy.name)
}

/// Enables controllers for the children of one cgroup, those that are not yet: all at once, and one
/// by one if the kernel refuses. Says which it refused.
fn enable(
    directory: &OwnedFd,
    controllers: Controllers,
) -> std::result::Result<Vec<(Controller, Errno)>, Errno> {
    let control = open_file(directory, "cgroup.subtree_control", OFlags::RDWR)?;
    let missing = controllers.without(Controllers::from_v2_names(&read_again(&control)?));
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    // A cgroup with processes would take those controllers that know threads, and thereby become
    // threaded: then its children take no process at all. Only the root of all, which has no type,
    // may have both.
    let is_root = matches!(open_file(directory, "cgroup.type", OFlags::RDONLY), Err(Errno::NOENT));
    if !is_root && !read_file(directory, "cgroup.procs")?.is_empty() {
        return Ok(missing.iter().map(|controller| (controller, Errno::BUSY)).collect());
    }
    let line = |controllers: Controllers| {
        let names = controllers.iter().filter_map(Controller::v2_name);
        names.fold(String::new(), |line, name| line + "+" + name + " ")
    };
    if write(&control, line(missing).as_bytes()).is_ok() {
        return Ok(Vec::new());
    }
    let each = missing.iter().filter_map(|controller| {
        let one = line(Controllers::EMPTY.with(controller));
        write(&control, one.as_bytes()).err().map(|errno| (controller, errno))
    });
    Ok(each.collect())
}

/// The v2 controllers that the settings need.
fn needed(settings: &Settings) -> Controllers {
    settings.writes.iter().fold(Controllers::EMPTY, |set, write| match write.target {
        Target::V2(Some(controller)) => set.with(controller),
        Target::V1(_) | Target::V2(None) => set,
    })
}

fn missing(
    settings: &Settings,
    controller: Controller,
    at: PathBuf,
    errno: Option<Errno>,
) -> Error {
    let needing = settings.writes.iter().find(|write| write.target == Target::V2(Some(controller)));
    let setting = needing.map_or(Setting::of("unified"), |write| write.setting.clone());
    Error::ControllerMissing { setting, controller, at, errno }
}

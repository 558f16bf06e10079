//! The kernel's controllers and sets of them.

use std::fmt;

/// A controller of the kernel. `Blkio` is called `io` on v2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the kernel's")]
pub enum Controller {
    Cpu,
    Cpuacct,
    Cpuset,
    Memory,
    Blkio,
    Pids,
    Devices,
    Freezer,
    Hugetlb,
    NetCls,
    NetPrio,
    PerfEvent,
    Rdma,
    Misc,
    Dmem,
}

use Controller::{
    Blkio, Cpu, Cpuacct, Cpuset, Devices, Dmem, Freezer, Hugetlb, Memory, Misc, NetCls, NetPrio,
    PerfEvent, Pids, Rdma,
};

impl Controller {
    /// Every controller.
    pub const ALL: [Self; 15] = [
        Cpu, Cpuacct, Cpuset, Memory, Blkio, Pids, Devices, Freezer, Hugetlb, NetCls, NetPrio,
        PerfEvent, Rdma, Misc, Dmem,
    ];

    /// The name on v1, as in `/proc/cgroups`.
    #[must_use]
    pub const fn v1_name(self) -> &'static str {
        match self {
            Cpu => "cpu",
            Cpuacct => "cpuacct",
            Cpuset => "cpuset",
            Memory => "memory",
            Blkio => "blkio",
            Pids => "pids",
            Devices => "devices",
            Freezer => "freezer",
            Hugetlb => "hugetlb",
            NetCls => "net_cls",
            NetPrio => "net_prio",
            PerfEvent => "perf_event",
            Rdma => "rdma",
            Misc => "misc",
            Dmem => "dmem",
        }
    }

    /// The name on v2, as in `cgroup.controllers`; none for what v2 has in its core or not at all.
    #[must_use]
    pub const fn v2_name(self) -> Option<&'static str> {
        match self {
            Blkio => Some("io"),
            Cpu | Cpuset | Memory | Pids | Hugetlb | Rdma | Misc | Dmem => Some(self.v1_name()),
            Cpuacct | Devices | Freezer | NetCls | NetPrio | PerfEvent => None,
        }
    }

    /// The controller of this v1 name.
    #[must_use]
    pub fn from_v1_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.v1_name() == name)
    }

    /// The controller of this v2 name.
    #[must_use]
    pub fn from_v2_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.v2_name() == Some(name))
    }
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.v1_name())
    }
}

/// A set of controllers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Controllers(u16);

impl Controllers {
    /// No controller.
    pub const EMPTY: Self = Self(0);

    /// Adds one.
    #[must_use]
    pub const fn with(self, controller: Controller) -> Self {
        Self(self.0 | 1 << controller as u16)
    }

    /// Whether it is in the set.
    #[must_use]
    pub const fn contains(self, controller: Controller) -> bool {
        self.0 & (1 << controller as u16) != 0
    }

    /// Those of `self` that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Those of either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Controller> {
        Controller::ALL.into_iter().filter(move |c| self.contains(*c))
    }

    /// The controllers named in a v1 directory name such as `cpu,cpuacct`; unknown names are left out.
    #[must_use]
    pub fn from_v1_names(names: &str) -> Self {
        names.split(',').filter_map(Controller::from_v1_name).fold(Self::EMPTY, Self::with)
    }

    /// The controllers in the text of `cgroup.controllers`; unknown names are left out.
    #[must_use]
    pub fn from_v2_names(names: &str) -> Self {
        names.split_whitespace().filter_map(Controller::from_v2_name).fold(Self::EMPTY, Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joint_hierarchies_name_both_controllers() {
        let both = Controllers::from_v1_names("cpu,cpuacct");
        assert_eq!(both.iter().collect::<Vec<_>>(), [Cpu, Cpuacct]);
        assert!(Controllers::from_v1_names("systemd").is_empty());
    }

    #[test]
    fn v2_calls_blkio_io() {
        assert_eq!(
            Controllers::from_v2_names("io pids\n").iter().collect::<Vec<_>>(),
            [Blkio, Pids]
        );
        assert_eq!(Controller::from_v2_name("freezer"), None);
    }
}

//! Limits and scheduling of the process.

/// One of `process.rlimits`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rlimit {
    /// `RLIMIT_…`.
    pub resource: u32,
    /// The word of the config: `RLIMIT_NOFILE`.
    pub name: &'static str,
    /// Soft limit; `u64::MAX` is none.
    pub soft: u64,
    /// Hard limit; `u64::MAX` is none.
    pub hard: u64,
}

/// `process.oomScoreAdj`, -1000 to 1000.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OomScoreAdj {
    /// The value.
    pub value: i32,
}

/// `process.scheduler`, as `sched_setattr(2)` takes it. Times in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of struct sched_attr")]
pub struct Scheduler {
    pub policy: u32,
    pub flags: u64,
    pub nice: i32,
    pub priority: u32,
    pub runtime: u64,
    pub deadline: u64,
    pub period: u64,
}

/// `process.ioPriority`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IoPriority {
    /// `IOPRIO_CLASS_…`: 1 real-time, 2 best effort, 3 idle.
    pub class: u32,
    /// 0 (highest) to 7.
    pub priority: u32,
}

/// CPUs the process may run on; empty means every CPU of its cpuset, whatever the caller was bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affinity {
    /// CPU numbers.
    pub cpus: Vec<u32>,
}

/// `linux.personality`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Personality {
    /// `PER_LINUX` or `PER_LINUX32`.
    pub domain: u64,
}

/// `linux.memoryPolicy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryPolicy {
    /// `MPOL_…`, with the `MPOL_F_…` flags.
    pub mode: u32,
    /// Node numbers as a bit mask.
    pub nodes: Vec<u64>,
}

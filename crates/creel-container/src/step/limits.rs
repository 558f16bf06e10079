//! Limits and scheduling of the process.

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::{Child, Failure, Op, procfs};
use crate::sys::scheduling::{self, SchedAttr};

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

impl Rlimit {
    pub(super) fn execute(&self) -> Result<(), Failure> {
        scheduling::setrlimit(self.resource, self.soft, self.hard).map_err(|errno| {
            let failure = Failure::new(Op::Setrlimit, errno);
            match errno {
                Errno::PERM => failure.with(
                    format!("raising the hard limit of {} needs CAP_SYS_RESOURCE", self.name)
                        .as_bytes(),
                ),
                _ => failure.with(self.name.as_bytes()),
            }
        })
    }
}

impl OomScoreAdj {
    pub(super) fn execute(&self, child: &Child) -> Result<(), Failure> {
        let file = procfs::open_self(&child.proc, c"oom_score_adj", OFlags::WRONLY)
            .map_err(Failure::at(Op::Openat2))?;
        procfs::write(&file, self.value.to_string().as_bytes()).map_err(|errno| {
            let failure = Failure::new(Op::Write, errno);
            match errno {
                Errno::ACCESS | Errno::PERM => {
                    failure.with(b"lowering oom_score_adj needs CAP_SYS_RESOURCE")
                }
                _ => failure,
            }
        })
    }
}

impl Scheduler {
    pub(super) fn execute(&self) -> Result<(), Failure> {
        let attr = SchedAttr {
            policy: self.policy,
            flags: self.flags,
            nice: self.nice,
            priority: self.priority,
            runtime: self.runtime,
            deadline: self.deadline,
            period: self.period,
            ..SchedAttr::default()
        };
        scheduling::sched_setattr(&attr).map_err(|errno| {
            let failure = Failure::new(Op::SchedSetattr, errno);
            match errno {
                Errno::PERM => failure.with(
                    b"needs CAP_SYS_NICE, and for real-time policies a cgroup with cpu.rt_runtime_us",
                ),
                Errno::BUSY => failure.with(b"no deadline bandwidth is left"),
                _ => failure,
            }
        })
    }
}

impl IoPriority {
    pub(super) fn execute(&self) -> Result<(), Failure> {
        scheduling::ioprio_set(self.class, self.priority).map_err(Failure::at(Op::IoprioSet))
    }
}

/// CPUs in the mask that stands for all of them: more than any kernel is built for.
const EVERY_CPU: [u64; 128] = [u64::MAX; 128];

impl Affinity {
    pub(super) fn execute(&self) -> Result<(), Failure> {
        let Some(highest) = self.cpus.iter().max() else {
            return scheduling::sched_setaffinity(&EVERY_CPU)
                .map_err(Failure::at(Op::SchedSetaffinity));
        };
        let mut mask = vec![0_u64; *highest as usize / 64 + 1];
        for &cpu in &self.cpus {
            if let Some(word) = mask.get_mut(cpu as usize / 64) {
                *word |= 1 << (cpu % 64);
            }
        }
        scheduling::sched_setaffinity(&mask).map_err(Failure::at(Op::SchedSetaffinity))
    }
}

impl Personality {
    pub(super) fn execute(&self) -> Result<(), Failure> {
        let failure = Failure::at(Op::Personality);
        let domain = u32::try_from(self.domain).map_err(|_| failure(Errno::INVAL))?;
        scheduling::personality(domain).map_err(failure)
    }
}

impl MemoryPolicy {
    pub(super) fn execute(&self) -> Result<(), Failure> {
        let failure = Failure::at(Op::SetMempolicy);
        let mode = i32::try_from(self.mode).map_err(|_| failure(Errno::INVAL))?;
        scheduling::set_mempolicy(mode, &self.nodes).map_err(failure)
    }
}

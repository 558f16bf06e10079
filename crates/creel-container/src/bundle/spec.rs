//! The types of `config.json`: those of `oci-spec`, and our own where the specification asks for
//! another behaviour than `oci-spec` has.
//!
//! - An unknown capability is a warning there and a parse error in `oci-spec`.
//! - `oci-spec` knows two scheduler flags by other names than the specification.
//! - A missing limit of `process.rlimits` is an error; `oci-spec` reads 0.
//! - `oci-spec` checks `execCPUAffinity` with a regular expression, a megabyte of code for a list.
//! - Objects of other platforms are only looked at to say that they are there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use oci_spec::runtime::{self, Box as ConsoleSize, Hooks, Linux, Mount, Root, User};
use serde::{Deserialize, Serialize};

/// `config.json`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Spec {
    /// `ociVersion`, SemVer 2.0.0.
    #[serde(default)]
    pub oci_version: String,
    /// `root`, required on Linux.
    pub root: Option<Root>,
    /// `mounts`, in the order in which they are made.
    #[serde(default)]
    pub mounts: Option<Vec<Mount>>,
    /// `process`, required when the container is started.
    pub process: Option<Process>,
    /// `hostname` of the container's UTS namespace.
    pub hostname: Option<String>,
    /// `domainname` of the container's UTS namespace.
    pub domainname: Option<String>,
    /// `hooks`.
    pub hooks: Option<Hooks>,
    /// `annotations`.
    pub annotations: Option<BTreeMap<String, String>>,
    /// `linux`.
    pub linux: Option<Linux>,
    /// `solaris` is there.
    #[serde(skip_serializing)]
    pub solaris: Option<Present>,
    /// `windows` is there.
    #[serde(skip_serializing)]
    pub windows: Option<Present>,
    /// `vm` is there.
    #[serde(skip_serializing)]
    pub vm: Option<Present>,
    /// `zos` is there.
    #[serde(skip_serializing)]
    pub zos: Option<Present>,
    /// `freebsd` is there.
    #[serde(skip_serializing)]
    pub freebsd: Option<Present>,
}

/// A value that was there and was skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Present;

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// `process`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Process {
    /// `terminal`: the process gets a pseudoterminal.
    #[serde(default)]
    pub terminal: bool,
    /// `consoleSize`, ignored without a terminal.
    pub console_size: Option<ConsoleSize>,
    /// `user`.
    #[serde(default)]
    pub user: User,
    /// `args`, the first one is looked up in `PATH`.
    pub args: Option<Vec<String>>,
    /// `env`.
    pub env: Option<Vec<String>>,
    /// `cwd`, absolute.
    #[serde(default)]
    pub cwd: PathBuf,
    /// `capabilities`.
    pub capabilities: Option<Capabilities>,
    /// `rlimits`.
    pub rlimits: Option<Vec<Rlimit>>,
    /// `noNewPrivileges`.
    #[serde(default)]
    pub no_new_privileges: bool,
    /// `apparmorProfile`.
    pub apparmor_profile: Option<String>,
    /// `oomScoreAdj`.
    pub oom_score_adj: Option<i32>,
    /// `selinuxLabel`.
    pub selinux_label: Option<String>,
    /// `ioPriority`.
    pub io_priority: Option<IoPriority>,
    /// `scheduler`.
    pub scheduler: Option<Scheduler>,
    /// `execCPUAffinity`, for `exec` alone.
    #[serde(rename = "execCPUAffinity")]
    pub exec_cpu_affinity: Option<ExecCpuAffinity>,
}

impl Process {
    /// Sets `consoleSize`: the size that the terminal has when the program starts. Ignored without a terminal.
    pub fn set_console_size(&mut self, rows: u16, columns: u16) {
        let size = runtime::BoxBuilder::default().height(rows).width(columns).build();
        self.console_size = size.ok().or(self.console_size);
    }
}

/// `process.capabilities`: names as they were written.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Capabilities {
    /// Kept through `execve(2)` at most.
    pub bounding: Option<Vec<String>>,
    /// Checked by the kernel.
    pub effective: Option<Vec<String>>,
    /// Kept by programs whose file allows it.
    pub inheritable: Option<Vec<String>>,
    /// What the process may make effective.
    pub permitted: Option<Vec<String>>,
    /// Kept by programs without file capabilities.
    pub ambient: Option<Vec<String>>,
}

/// One entry of `process.rlimits`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Rlimit {
    /// `type`, `RLIMIT_…`.
    #[serde(rename = "type")]
    pub typ: runtime::PosixRlimitType,
    /// `hard`, the ceiling of `soft`.
    pub hard: u64,
    /// `soft`, what the kernel enforces.
    pub soft: u64,
}

/// `process.ioPriority`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct IoPriority {
    /// `class`.
    pub class: runtime::IOPriorityClass,
    /// `priority`, 0 (highest) to 7.
    #[serde(default)]
    pub priority: i64,
}

/// `process.scheduler`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Scheduler {
    /// `policy`.
    pub policy: runtime::LinuxSchedulerPolicy,
    /// `nice`, for `SCHED_OTHER` and `SCHED_BATCH`.
    pub nice: Option<i32>,
    /// `priority`, for `SCHED_FIFO` and `SCHED_RR`.
    pub priority: Option<i32>,
    /// `flags`.
    pub flags: Option<Vec<SchedulerFlag>>,
    /// `runtime` in nanoseconds, for `SCHED_DEADLINE`.
    pub runtime: Option<u64>,
    /// `deadline` in nanoseconds, for `SCHED_DEADLINE`.
    pub deadline: Option<u64>,
    /// `period` in nanoseconds, for `SCHED_DEADLINE`.
    pub period: Option<u64>,
}

/// One of `process.scheduler.flags`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[repr(u64)]
pub enum SchedulerFlag {
    /// Children start with the default policy.
    #[serde(rename = "SCHED_FLAG_RESET_ON_FORK")]
    ResetOnFork = 0x01,
    /// Unused bandwidth is reclaimed.
    #[serde(rename = "SCHED_FLAG_RECLAIM")]
    Reclaim = 0x02,
    /// `SIGXCPU` when the runtime is overrun.
    #[serde(rename = "SCHED_FLAG_DL_OVERRUN")]
    DlOverrun = 0x04,
    /// The policy stays as it is.
    #[serde(rename = "SCHED_FLAG_KEEP_POLICY")]
    KeepPolicy = 0x08,
    /// The parameters stay as they are.
    #[serde(rename = "SCHED_FLAG_KEEP_PARAMS")]
    KeepParams = 0x10,
    /// A lower bound of utilization, which `config.json` has no value for.
    #[serde(rename = "SCHED_FLAG_UTIL_CLAMP_MIN")]
    UtilClampMin = 0x20,
    /// An upper bound of utilization, which `config.json` has no value for.
    #[serde(rename = "SCHED_FLAG_UTIL_CLAMP_MAX")]
    UtilClampMax = 0x40,
}

/// `process.execCPUAffinity`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ExecCpuAffinity {
    /// `initial`: the CPUs before the process enters the container's cgroup.
    pub initial: Option<String>,
    /// `final`: the CPUs afterwards.
    #[serde(rename = "final")]
    pub after: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::Process;

    #[test]
    fn a_console_size_that_is_set_replaces_what_was_there() {
        let mut process = Process::default();
        for (rows, columns) in [(24, 80), (31, 99)] {
            process.set_console_size(rows, columns);
            let size = process.console_size.map(|it| (it.height(), it.width()));
            assert_eq!(size, Some((u64::from(rows), u64::from(columns))));
        }
    }
}

//! The plan: what a config means, as data.
//!
//! The child's steps come in this order, and each place has its reason:
//! 1. session keyring, joined namespaces, loopback, host and domain name: they need the host's view and no root.
//! 2. propagation, root, mounts up to the first that shows cgroups. Nothing forks. The creator makes the v1
//!    cgroups meanwhile.
//! 3. `AwaitGo`, cgroup namespace, the rest of the mounts in the config's order.
//! 4. devices and links of `/dev`, console.
//! 5. `RequestHooks` (prestart, createRuntime: the creator's namespaces), createContainer hooks.
//! 6. pivot; sysctl; masked and read-only paths; read-only root; final propagation: after all mounts, since a later
//!    mount could uncover what a mask hides.
//! 7. oom score, rlimits, scheduling, affinity, personality, memory policy: with the caller's privileges.
//! 8. working directory, streams, bounding set, umask, ids; program look-up as the user; labels. Then, without
//!    `no_new_privs`, the filter (it needs `CAP_SYS_ADMIN`) and the capabilities; with it the capabilities,
//!    `no_new_privs`, and the filter last. After a filter nothing is called but capset, prctl, read, write and the exec.

mod capabilities;
mod cgroup;
mod compile;
mod compiler;
mod devices;
mod explain;
mod hooks;
mod mounts;
mod namespaces;
mod notify;
mod options;
mod process;
mod report;
mod rlimits;
mod root;
mod security;
mod words;

use std::path::PathBuf;

use creel_cgroups::{CgroupPath, Hierarchies, Settings};

use crate::pointer::Pointer;
use crate::step::{Kind, Program, Step, Text};

pub(crate) use cgroup::{asked, setting_pointer};
pub use compile::{compile, compile_exec};
pub use compiler::PlanOptions;
pub use explain::{Explanation, explain, step_kinds};
pub(crate) use namespaces::kind;
pub(crate) use options::mount_options;
pub use report::{Fault, PLAN_SCHEMA, Report, Row};

/// What a bundle's config means on this host: every decision made, nothing done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Plan {
    /// Namespaces the clone makes, each with its place in the config.
    pub new: Vec<(Kind, Pointer)>,
    /// Namespaces that exist and are joined.
    pub joined: Vec<Joined>,
    /// Offsets of a new time namespace, as lines of `timens_offsets`.
    pub time_offsets: Vec<Text>,
    /// The cgroup, unless cgroups are disabled.
    pub cgroup: Option<Cgroup>,
    /// What the child does, in order.
    pub steps: Vec<Planned>,
    /// The program, when there is a process.
    pub program: Option<Program>,
    /// Whether the process has a terminal.
    pub terminal: bool,
    /// The hooks.
    pub hooks: Hooks,
    /// A seccomp listener's socket and metadata.
    pub seccomp_listener: Option<SeccompListener>,
    /// The directory, on the host, of the socket that takes what the program tells its service manager.
    pub notify: Option<PathBuf>,
    /// What was asked for and cannot be, where the spec says to warn.
    pub warnings: Vec<String>,
}

impl Plan {
    /// Tells the program of sockets it gets (`sd_listen_fds(3)`). As with runc its pid is taken to be 1.
    pub(crate) fn pass_listen_fds(&mut self, count: u32, names: Option<&str>) {
        let Some(program) = self.program.as_mut().filter(|_| count > 0) else { return };
        let names = names.map(|names| format!("LISTEN_FDNAMES={names}"));
        let variables = [format!("LISTEN_FDS={count}"), "LISTEN_PID=1".to_owned()];
        program.env.extend(variables.into_iter().chain(names).filter_map(Text::new));
    }
}

/// A step with its place.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Which part of the config asked for it.
    pub at: Pointer,
    /// What is done.
    pub step: Step,
}

/// Who does something, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The creator, before the clone.
    Host,
    /// The clone itself.
    Clone,
    /// The child, before it is in all its cgroups.
    Setup,
    /// The child, after.
    Child,
    /// The creator, while the child waits.
    Runtime,
    /// After `start`.
    Start,
    /// After `delete`.
    Delete,
}

/// A namespace to join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Its type; the file is checked to be of it.
    pub kind: Kind,
    /// The file.
    pub path: Text,
    /// `linux.namespaces[i]`.
    pub at: Pointer,
}

/// The container's cgroup and its limits.
#[derive(Clone, Debug)]
pub struct Cgroup {
    /// Where, from each hierarchy's root.
    pub path: CgroupPath,
    /// What is limited, as the kernel's files take it.
    pub settings: Settings,
    /// The hierarchies of this host.
    pub hierarchies: Hierarchies,
}

/// All hooks, by kind.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "named as in config.json")]
pub struct Hooks {
    pub prestart: Vec<Hook>,
    pub create_runtime: Vec<Hook>,
    pub create_container: Vec<Hook>,
    pub start_container: Vec<Hook>,
    pub poststart: Vec<Hook>,
    pub poststop: Vec<Hook>,
}

/// One hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Absolute.
    pub path: Text,
    /// Arguments, the program's name first; empty means the path alone.
    pub args: Vec<Text>,
    /// The whole environment.
    pub env: Vec<Text>,
    /// Seconds until it is killed; none waits for ever.
    pub timeout: Option<u32>,
    /// `hooks.prestart[0]`.
    pub at: Pointer,
}

/// Who answers for the seccomp filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeccompListener {
    /// The socket.
    pub path: Text,
    /// Sent as it is.
    pub metadata: String,
    /// What names the socket: `linux.seccomp.listenerPath` or an annotation.
    pub at: Pointer,
}

//! OCI containers: a bundle is loaded, checked, compiled into a flat [`Plan`], and executed by two processes.
//!
//! Principles, in the order in which the modules read:
//! - What can be decided before the first fork is decided in `plan`, by pure functions.
//! - A [`step`](Step) only executes; it never decides, and its failure is data: operation, errno, detail.
//! - No path after the root is open: names inside the container go through `Root`, once, and become descriptors.
//! - What `delete --force` needs is on disk before the first side effect.

#![deny(unsafe_code)]

mod bundle;
mod cgroup;
mod container;
mod delete;
mod error;
mod exec;
mod features;
mod host;
mod notify;
mod plan;
mod pointer;
mod process;
mod root;
mod runtime;
mod state;
mod step;
mod sys;
mod time;
mod update;
mod users;
mod validate;

pub use bundle::{
    Bundle, Capabilities, ExecCpuAffinity, IoPriority, Present, Process, Rlimit, Scheduler,
    SchedulerFlag, Spec, parse_resources, read_process, read_resources,
};
pub use container::{Container, State};
pub use error::{ConfigError, Error, Result, StepError};
pub use exec::ExecOptions;
pub use features::{Features, LinuxFeatures, OCI_VERSION, SeccompFeatures};
pub use host::Host;
pub use notify::Notify;
pub use plan::{
    Cgroup, Explanation, Fault, Hook, Hooks, Joined, PLAN_SCHEMA, Plan, PlanOptions, Planned,
    Report, Row, SeccompListener, Stage, compile, compile_exec, explain, step_kinds,
};
pub use pointer::Pointer;
pub use process::{Launched, Signals, seal, signal};
pub use runtime::{CreateOptions, Runtime};
pub use state::{ContainerId, Status};
pub use step::{Detail, Failure, Kind, Op, Step};
pub use time::now;
pub use validate::{validate, validate_process};

#[cfg(test)]
#[path = "../tests/step/mod.rs"]
mod step_tests;

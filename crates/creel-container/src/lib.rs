//! OCI containers: a bundle is loaded, checked, compiled into a flat [`Plan`], and executed by two processes.
//!
//! Principles, in the order in which the modules read:
//! - What can be decided before the first fork is decided in `plan`, by pure functions.
//! - A [`step`](Step) only executes; it never decides, and its failure is data: operation, errno, detail.
//! - No path after the root is open: names inside the container go through `Root`, once, and become descriptors.
//! - What `delete --force` needs is on disk before the first side effect.
//!
//! # Running a container
//!
//! These two programs are compiled with this page, and run by the test `embed` (a doc test has no bundle, and may not be
//! root).
//!
//! ```no_run
#![doc = include_str!("../tests/embed/run.rs")]
//! ```
//!
//! # Executing a process in one
//!
//! ```no_run
#![doc = include_str!("../tests/embed/exec.rs")]
//! ```
//!
//! # Threads
//!
//! A process that clones while other threads run leaves their locks held in the child for ever. So when this process
//! has more than one thread, create and exec are done by a *worker*: a fresh process with one, which runs from a sealed
//! copy of its program, clones in this one's place and ends. The container's process is a child of this process all the
//! same. The worker is this program itself if it calls [`worker_entry`] first in `main`, before any thread is started;
//! else the `creel` that [`Runtime::with_worker`] names. Everything else is done here, by any thread.
//!
//! Every call here blocks: an async program makes them on threads for that, such as those of tokio's `spawn_blocking`.
//! Its `main` calls [`worker_entry`], then starts its executor (`#[tokio::main]` would start it before).
//!
//! A program with one thread needs no worker, but then exec leaves it in the container's namespaces, and it may be
//! looked into by a container unless it calls [`seal`] first.

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
mod worker;

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
pub use worker::worker_entry;

#[cfg(test)]
#[path = "../tests/step/mod.rs"]
mod step_tests;

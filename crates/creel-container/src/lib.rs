//! OCI containers: a bundle is loaded, checked, compiled into a flat [`Plan`], and executed by two processes.
//!
//! Principles, in the order in which the modules read:
//! - What can be decided before the first fork is decided in `plan`, by pure functions.
//! - A [`step`](Step) only executes; it never decides, and its failure is data: operation, errno, detail.
//! - No path after the root is open: names inside the container go through `Root`, once, and become descriptors.
//! - What `delete --force` needs is on disk before the first side effect.

#![deny(unsafe_code)]

mod bundle;
mod error;
mod host;
mod plan;
mod pointer;
mod root;
mod step;
mod sys;
mod validate;

pub use bundle::{
    Bundle, Capabilities, ExecCpuAffinity, IoPriority, Present, Process, Rlimit, Scheduler,
    SchedulerFlag, Spec, parse_resources, read_process,
};
pub use error::{ConfigError, Error, Result, StepError};
pub use host::Host;
pub use plan::{Plan, PlanOptions, Planned, Stage, compile, compile_exec};
pub use pointer::Pointer;
pub use step::{Detail, Failure, Kind, Op, Step};
pub use validate::{validate, validate_process};

//! Test frame that drives any OCI runtime binary: builds bundles, calls the runtime, reads what the
//! container saw, and finds whatever a test left behind.
//!
//! Each case runs in a process of its own, which is the reaper of everything that it starts: what is
//! still its child at the end is a leak, and a case that takes too long is ended with exactly its own
//! descendants. Nothing here sleeps: it waits for an event, with a limit.

#![expect(
    clippy::indexing_slicing,
    reason = "an absent member of a JSON value is null, which no test takes for right"
)]

pub mod agent;
pub mod build;
pub mod bundle;
pub mod call;
pub mod case;
pub mod cgroup;
pub mod check;
pub mod cli;
pub mod coverage;
pub mod expected;
pub mod flavor;
pub mod format;
mod judge;
pub mod kill_sweep;
pub mod leak;
mod nursery;
mod options;
pub mod preset;
mod print;
pub mod proof;
pub mod report;
pub mod rootfs;
pub mod runner;
pub mod runtime;
pub mod wait;
pub mod worker;

pub use bundle::Bundle;
pub use call::{Call, Output};
pub use case::{Cases, Level, Outcome, skip};
pub use check::{ensure_contains, ensure_eq};
pub use flavor::Flavor;
pub use report::Report;
pub use runtime::Runtime;

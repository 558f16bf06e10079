//! The project's chores, one file per task. They link no C library, so that they build before
//! anything is installed.
#![deny(unsafe_code)]

pub mod bench;
pub mod build;
pub mod conformance;
pub mod demo;
pub mod deps;
pub mod host;
pub mod link_order;
pub mod man;
pub mod output;
mod policy;
pub mod repo;
pub mod soak;
pub mod test;
pub mod tidy;
pub mod vm;

//! Tests of the crate at its boundary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::needless_pass_by_value,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic and print; helpers are not seen as tests by clippy"
)]

mod cache;
mod common;
mod load;
mod naive;
mod notify;
mod oracle;
mod parse;
mod property;
mod random;
mod runc;
mod scmp;
mod size;

//! What a container, an image, a bundle or a caller's surroundings try on the runtime and its host.
//!
//! `cargo test -p creel --features weak-points --test attack` shows that the attacks reach what they are after as soon
//! as the layer that protects from them is switched off.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod attacker;
mod bed;
#[cfg(not(feature = "weak-points"))]
mod callers;
#[cfg(not(feature = "weak-points"))]
mod inside;
#[cfg(not(feature = "weak-points"))]
mod seal;
#[cfg(feature = "weak-points")]
mod weak;

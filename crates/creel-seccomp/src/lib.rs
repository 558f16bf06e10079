//! OCI seccomp profiles compiled to BPF, without a C library.
//!
//! [`Profile`] is `linux.seccomp` with every name checked; [`compile`] turns it into a BPF program
//! for this machine; [`load`] gives the program to the kernel and allocates nothing, so that it may
//! stand between `clone3(2)` and `execve(2)`. A call number is looked up in a balanced tree of
//! ranges, so a filter of 400 names costs a call about nine comparisons.
//!
//! Principles: compiling is pure ([`Host`] holds what was asked of the kernel); nothing that a
//! profile says is dropped silently (see [`Compiled::warnings`]); where the specification is silent,
//! the filter decides as libseccomp's and runc's do.
//!
//! What a filter allows by the number alone, the kernel (from 5.11 on) allows without running it.
//!
//! ```no_run
//! # use creel_seccomp::{Host, Options, Profile, compile, load};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let profile = r#"{ "defaultAction": "SCMP_ACT_ALLOW",
//!     "syscalls": [{ "names": ["reboot"], "action": "SCMP_ACT_ERRNO" }] }"#;
//! let profile = Profile::from_json(&serde_json::from_str(profile)?)?;
//! let compiled = compile(&profile, &Options::new(Host::ask()))?;
//! // In the process to be filtered, with no_new_privs or CAP_SYS_ADMIN:
//! let listener = load(&compiled.program, compiled.flags)?;
//! assert!(listener.is_none(), "no rule notifies");
//! # Ok(())
//! # }
//! ```
#![deny(unsafe_code)]

mod action;
mod arch;
mod cache;
mod compile;
mod error;
mod flags;
mod notify;
mod profile;
mod raw;
mod sys;
mod table;

pub use action::{Action, ActionKind, ActionSet};
pub use arch::Arch;
pub use cache::Cache;
pub use compile::{Compiled, Host, Instruction, Options, compile, ready};
pub use error::{Error, Result};
pub use flags::FilterFlags;
pub use notify::{Agent, ContainerProcessState, ContainerState, Listener, SECCOMP_FD_NAME};
pub use profile::{Arg, Operator, Profile, Rule};
pub use raw::parse_raw;
pub use sys::{load, supported_actions, supported_flags};
pub use table::syscall_number;

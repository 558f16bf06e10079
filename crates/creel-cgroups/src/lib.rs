//! Linux control groups for an OCI runtime: v1, v2 and both at once (hybrid), by the cgroupfs.
//!
//! The way through: [`Hierarchies::detect`] says what is mounted, [`Resources::compile`] turns what a
//! config asks for into a flat list of writes ([`Settings`], pure, nothing is touched), and [`Cgroup`] makes the
//! directories, applies the list, and later freezes, kills and removes.
//!
//! ```no_run
//! # use creel_cgroups::{Cgroup, CgroupPath, Error, Hierarchies, Pids, Resources};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hierarchies = Hierarchies::detect("/sys/fs/cgroup".as_ref())?;
//! let resources = Resources { pids: Pids { limit: Some(64) }, ..Resources::default() };
//! let settings = resources.compile(&hierarchies).map_err(|mut all| all.remove(0))?;
//! let cgroup = Cgroup::create(hierarchies, CgroupPath::parse("/creel/web")?, &settings)?;
//! cgroup.apply(&settings)?;
//! cgroup.join(rustix::process::getpid(), false)?;
//! # Ok(()) }
//! ```
//!
//! Principles:
//! - Nothing is parsed to find the mounts: one `statfs` for each entry of the mount's directory.
//! - A cgroup is known by the directory of the mounts and its [`CgroupPath`]; both are plain data, so that any later
//!   process can open it again with [`Cgroup::open`].
//! - What cannot be done is refused by the name of the setting, never skipped.
#![deny(unsafe_code)]

mod cgroup;
mod controller;
pub mod devices;
mod error;
mod hierarchy;
mod path;
mod resources;
mod settings;
mod sys;

pub use cgroup::{Cgroup, SubCgroup, enter};
pub use controller::{Controller, Controllers};
pub use error::{Error, Refused, RefusedWrite, Result};
pub use hierarchy::{Hierarchies, Hierarchy, Layout, Version};
pub use path::CgroupPath;
pub use resources::{
    BlockIo, Cpu, DeviceRate, DeviceWeight, HugepageLimit, InterfacePriority, Memory, Network,
    Pids, Rdma, Resources,
};
pub use settings::{IfMissing, Setting, Settings, Target, Write};

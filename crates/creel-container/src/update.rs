//! update: other limits for a container that exists.

use creel_cgroups::{Refused, Resources};
use oci_spec::runtime::{LinuxMemory, LinuxResources};

use crate::cgroup;
use crate::container::Container;
use crate::error::{ConfigError, Error, Result};
use crate::plan::{asked, setting_pointer};
use crate::process::cgroup_error;
use crate::state::{Lock, Status};

impl Container {
    /// Changes the limits that `resources` has, as `linux.resources` of a config, and leaves all others.
    ///
    /// Zeros that mean "unset" ask for nothing, as in a config. Device rules have no effect, since engines pass one that
    /// would deny every device; kernel memory limits have none either.
    ///
    /// # Errors
    /// [`Error::State`] if the container has stopped or has no cgroup of its own; [`Error::Config`] for what cannot be
    /// done, before anything is changed; [`Error::Cgroup`] for what the kernel refuses: what it had taken before gets its value back,
    /// but for limits of single devices and interfaces (`blockIO`, `rdma`, `network.priorities`), which stay.
    pub fn update(&self, resources: &LinuxResources) -> Result<()> {
        let _lock = Lock::exclusive(self.directory())?;
        match self.status() {
            Status::Created | Status::Running | Status::Paused => {}
            status @ (Status::Creating | Status::Stopped) => {
                return Err(Error::State(format!(
                    "cannot update container {}: it is {status}",
                    self.id()
                )));
            }
        }
        tell_without_effect(resources);
        let wanted = self.wanted(resources)?;
        let cgroup = cgroup::needed(self.record())?;
        let wanted = cgroup.complete(wanted).map_err(|error| cgroup_error(&error))?;
        let settings = wanted.compile(cgroup.hierarchies()).map_err(refused)?;
        cgroup
            .enable(&settings)
            .and_then(|()| cgroup.change(&settings))
            .map_err(|error| cgroup_error(&error))
    }

    /// What is asked for, without device rules. `checkBeforeUpdate` of the container's config holds unless `resources`
    /// has its own.
    fn wanted(&self, resources: &LinuxResources) -> Result<Resources> {
        let mut wanted = asked(resources).map_err(Error::Config)?;
        wanted.devices = Vec::new();
        if wanted.memory.limit.is_some() && check(resources).is_none() {
            let config = self.config()?;
            let linux = config.spec.linux.as_ref();
            let created = linux.and_then(|linux| linux.resources().as_ref());
            wanted.memory.check_before_update = created.and_then(check).unwrap_or(false);
        }
        Ok(wanted)
    }
}

fn check(resources: &LinuxResources) -> Option<bool> {
    resources.memory().as_ref().and_then(LinuxMemory::check_before_update)
}

fn refused(all: Vec<Refused>) -> Error {
    let fault =
        |one: Refused| ConfigError::new(setting_pointer(&one.setting), one.reason, String::new());
    Error::Config(all.into_iter().map(fault).collect())
}

fn tell_without_effect(resources: &LinuxResources) {
    if resources.devices().as_ref().is_some_and(|devices| !devices.is_empty()) {
        tracing::debug!("linux.resources.devices has no effect on update: the rules stay");
    }
    let Some(memory) = resources.memory() else { return };
    for (name, limit) in [("kernel", memory.kernel()), ("kernelTCP", memory.kernel_tcp())] {
        if limit.is_some_and(|limit| limit != 0) {
            tracing::debug!(
                "linux.resources.memory.{name} has no effect: the kernel has no such limit any more"
            );
        }
    }
}

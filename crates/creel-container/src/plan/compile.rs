//! From a checked config to a plan: the order of the child's steps, decided here and nowhere else.

use super::compiler::{Compiler, PlanOptions};
use super::{
    Plan, Planned, cgroup, devices, hooks, mounts, namespaces, notify, process, root, security,
};
use crate::bundle::{Bundle, Process};
use crate::error::ConfigError;
use crate::host::Host;
use crate::pointer::Pointer;
use crate::step::{MountKind, Step};
use crate::validate::{validate, validate_process};

/// Checks the config of `bundle` and compiles it into a plan for `host`. Pure: nothing is asked, nothing is done.
///
/// # Errors
/// Every fault of the config, and everything it asks for that creel or `host` cannot do, each with its line.
pub fn compile(
    bundle: &Bundle,
    host: &Host,
    options: &PlanOptions,
) -> Result<Plan, Vec<ConfigError>> {
    let faults = validate(&bundle.spec);
    if !faults.is_empty() {
        return Err(bundle.with_lines(faults));
    }
    let mut compiler = Compiler::new(bundle, host, options);
    compiler.compile();
    match compiler.faults.is_empty() {
        true => Ok(compiler.plan),
        false => Err(bundle.with_lines(compiler.faults)),
    }
}

/// Checks `process`, which joins the running container of `bundle`, and compiles it into a plan for `host`: what the
/// process does once it is in the container's namespaces. The filter is the container's own.
///
/// # Errors
/// Every fault of the process, and everything it asks for that creel or `host` cannot do.
pub fn compile_exec(
    process: &Process,
    bundle: &Bundle,
    host: &Host,
    options: &PlanOptions,
) -> Result<Plan, Vec<ConfigError>> {
    let faults = validate_process(process);
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut compiler = Compiler::new(bundle, host, options);
    process::joining(&mut compiler, process);
    if compiler.faults.is_empty() { Ok(compiler.plan) } else { Err(compiler.faults) }
}

impl Compiler<'_> {
    fn compile(&mut self) {
        cgroup::place_and_limits(self);
        hooks::all(self);
        // The host's view is needed, and no root.
        namespaces::keyring(self, self.spec.process.as_ref());
        namespaces::new_and_joined(self);
        namespaces::names(self);
        // No mount of the child may reach the host; after this none can.
        root::private(self);
        root::make(self);
        // A cgroup mount shows the cgroup the process is in, so it waits for the go; what comes before it overlaps
        // with the creator's wait for the kernel.
        let mut before = mounts::all(self);
        let after = before.split_off(before.iter().position(shows_cgroups).unwrap_or(before.len()));
        self.plan.steps.append(&mut before);
        self.go();
        self.plan.steps.extend(after);
        notify::directory(self);
        devices::nodes(self);
        devices::links(self);
        process::console(self);
        hooks::requests(self);
        root::enter(self);
        namespaces::kernel_parameters(self);
        // After all mounts: a later one could uncover what a mask hides.
        security::masked_paths(self);
        security::readonly_paths(self);
        mounts::readonly_dev(self);
        root::read_only(self);
        // What masks is bound from what the root holds, which an unbindable root would refuse.
        root::propagation(self);
        process::all(self);
        notify::variable(self);
    }

    /// From here on the process is in all its cgroups: its cgroup namespace may be made.
    fn go(&mut self) {
        self.step(Pointer::new("linux.cgroupsPath"), Step::AwaitGo);
        namespaces::cgroup(self);
    }
}

fn shows_cgroups(planned: &Planned) -> bool {
    let Step::Mount(mount) = &planned.step else { return false };
    match &mount.kind {
        MountKind::Cgroup(_) => true,
        MountKind::Filesystem(filesystem) => {
            matches!(filesystem.fstype.as_bytes(), b"cgroup" | b"cgroup2")
        }
        MountKind::Bind(_) | MountKind::Remount(_) => false,
    }
}

//! From a checked config to a plan: the order of the child's steps, decided here and nowhere else.

use std::path::{Path, PathBuf};

use oci_spec::runtime::{Linux, LinuxNamespaceType};

use super::{
    Hooks, Joined, Plan, Planned, cgroup, devices, hooks, mounts, namespaces, notify, process,
    root, security,
};
use crate::bundle::{Bundle, Process, Spec};
use crate::error::ConfigError;
use crate::host::Host;
use crate::pointer::Pointer;
use crate::step::{MountKind, Step, Text};
use crate::validate::{Faults, namespace, validate, validate_process};

/// What the caller of `create` decides besides the config.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PlanOptions {
    /// The container's id: it names the keyring and the cgroup.
    pub id: String,
    /// `--no-pivot`: the root is moved over `/`, as `pivot_root(2)` refuses a root on a ramfs.
    pub no_pivot: bool,
    /// `--no-new-keyring`: the caller's session keyring is kept.
    pub no_new_keyring: bool,
    /// `--cgroup-manager disabled`: the process stays in the caller's cgroup.
    pub no_cgroup: bool,
    /// The directory, absolute, of the socket that takes what the program tells its service manager (`sd_notify(3)`).
    pub notify: Option<PathBuf>,
}

impl PlanOptions {
    /// Nothing out of the ordinary, for a container of this id.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), ..Self::default() }
    }
}

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

/// A plan in the making.
pub(super) struct Compiler<'a> {
    pub(super) spec: &'a Spec,
    pub(super) linux: Option<&'a Linux>,
    /// The bundle's directory, absolute: relative paths of the config count from it.
    pub(super) bundle: &'a Path,
    pub(super) host: &'a Host,
    pub(super) options: &'a PlanOptions,
    pub(super) plan: Plan,
    pub(super) faults: Faults,
}

impl<'a> Compiler<'a> {
    fn new(bundle: &'a Bundle, host: &'a Host, options: &'a PlanOptions) -> Self {
        let spec = &bundle.spec;
        let (linux, bundle) = (spec.linux.as_ref(), bundle.directory.as_path());
        Self { spec, linux, bundle, host, options, plan: Plan::empty(), faults: Faults::new() }
    }

    fn compile(&mut self) {
        cgroup::place_and_limits(self);
        hooks::all(self);
        // The host's view is needed, and no root.
        namespaces::keyring(self);
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

    /// Adds a step of the child.
    pub(super) fn step(&mut self, at: Pointer, step: Step) {
        self.plan.steps.push(Planned { at, step });
    }

    /// Whether the config lists a namespace of this type, new or joined.
    pub(super) fn has(&self, typ: LinuxNamespaceType) -> bool {
        self.linux.is_some_and(|linux| namespace(linux, typ).is_some())
    }

    /// A string as the kernel takes it; a NUL in it is a fault.
    pub(super) fn text(&mut self, at: &Pointer, text: impl Into<Vec<u8>>) -> Text {
        Text::new(text).unwrap_or_else(|| {
            self.faults.push(ConfigError::new(
                at.clone(),
                "expected a string without NUL",
                "one with NUL",
            ));
            Text::default()
        })
    }

    /// A list of strings as the kernel takes them.
    pub(super) fn texts(&mut self, at: &str, list: &[String]) -> Vec<Text> {
        list.iter().enumerate().map(|(i, text)| self.text_item(at, i, text)).collect()
    }

    fn text_item(&mut self, at: &str, index: usize, text: &str) -> Text {
        Text::new(text).unwrap_or_else(|| self.text(&Pointer::item(at, index), text))
    }

    /// A property that this host or creel cannot give.
    pub(super) fn refuse(&mut self, at: Pointer, why: impl Into<String>) {
        self.faults.push(ConfigError::new(at, why, ""));
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

impl Plan {
    /// A plan that does nothing.
    pub(super) fn empty() -> Self {
        Self {
            new: Vec::new(),
            joined: Vec::<Joined>::new(),
            time_offsets: Vec::new(),
            cgroup: None,
            steps: Vec::new(),
            program: None,
            terminal: false,
            hooks: Hooks::default(),
            seccomp_listener: None,
            notify: None,
            warnings: Vec::new(),
        }
    }
}

//! A plan in the making: what the parts of the plan take from the config, and add to.

use std::path::{Path, PathBuf};

use oci_spec::runtime::{Linux, LinuxNamespaceType};

use super::{Hooks, Joined, Plan, Planned};
use crate::bundle::{Bundle, Spec};
use crate::error::ConfigError;
use crate::host::Host;
use crate::pointer::Pointer;
use crate::step::{Step, Text};
use crate::validate::{Faults, namespace};

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
    pub(super) fn new(bundle: &'a Bundle, host: &'a Host, options: &'a PlanOptions) -> Self {
        let spec = &bundle.spec;
        let (linux, bundle) = (spec.linux.as_ref(), bundle.directory.as_path());
        Self { spec, linux, bundle, host, options, plan: Plan::empty(), faults: Faults::new() }
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

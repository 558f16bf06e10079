//! `state.json`: the format, and how versions of it understand each other.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::plan::{Hook, Hooks};
use crate::pointer::Pointer;
use crate::step::Text;

/// The version that this build writes. It reads those below; of those above it reads what it knows, which is enough
/// to list, kill and delete.
pub(crate) const VERSION: u32 = 1;

/// What is recorded of a container.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Record {
    /// Of the format.
    pub(crate) version: u32,
    /// The container's id.
    pub(crate) id: String,
    /// `ociVersion` of the config.
    pub(crate) oci_version: String,
    /// The bundle's directory, absolute.
    pub(crate) bundle: PathBuf,
    /// The root filesystem, absolute.
    pub(crate) rootfs: PathBuf,
    /// When create began, RFC 3339.
    pub(crate) created: String,
    /// The caller's user.
    pub(crate) owner: u32,
    /// `annotations` of the config.
    pub(crate) annotations: BTreeMap<String, String>,
    /// Who creates the container, until it is created.
    pub(crate) creator: Option<ProcessRecord>,
    /// The container's first process.
    pub(crate) init: Option<ProcessRecord>,
    /// Whether the creator has handed the container over: before, init dies with the creator.
    pub(crate) committed: bool,
    /// Its cgroup, unless cgroups are disabled.
    pub(crate) cgroup: Option<CgroupRecord>,
    /// Types of namespaces that are the container's own or joined: those that exec joins.
    pub(crate) namespaces: Vec<String>,
    /// Whether the pid namespace is the container's own: then the end of init is the end of all.
    pub(crate) own_pid_namespace: bool,
    /// The caller's session keyring is kept, by an exec too.
    pub(crate) no_new_keyring: bool,
    /// The hooks of later commands.
    pub(crate) hooks: HooksRecord,
    /// `process.args[0]`; none without a process.
    pub(crate) program: Option<String>,
    /// The service manager's socket, if what the program tells it is forwarded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) notify: Option<PathBuf>,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            version: VERSION,
            id: String::new(),
            oci_version: String::new(),
            bundle: PathBuf::new(),
            rootfs: PathBuf::new(),
            created: String::new(),
            owner: 0,
            annotations: BTreeMap::new(),
            creator: None,
            init: None,
            committed: false,
            cgroup: None,
            namespaces: Vec::new(),
            own_pid_namespace: false,
            no_new_keyring: false,
            hooks: HooksRecord::default(),
            program: None,
            notify: None,
        }
    }
}

/// A process, such that a number used again is not taken for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProcessRecord {
    /// Its number in the creator's pid namespace.
    pub(crate) pid: i32,
    /// Field 22 of `/proc/PID/stat`: clock ticks after boot.
    pub(crate) start_time: u64,
    /// `/proc/sys/kernel/random/boot_id`, since ticks start anew with each boot.
    pub(crate) boot_id: String,
}

/// A cgroup, in every hierarchy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CgroupRecord {
    /// Where the hierarchies are mounted.
    pub(crate) mount: PathBuf,
    /// The path below each hierarchy's root.
    pub(crate) path: String,
}

/// The hooks of `start` and `delete`, kept so that these need not read the config.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct HooksRecord {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    start_container: Vec<HookRecord>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    poststart: Vec<HookRecord>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    poststop: Vec<HookRecord>,
}

/// One hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HookRecord {
    path: String,
    args: Vec<String>,
    env: Vec<String>,
    timeout: Option<u32>,
}

impl HooksRecord {
    /// What is kept of `hooks`.
    pub(crate) fn of(hooks: &Hooks) -> Self {
        Self {
            start_container: hooks.start_container.iter().map(HookRecord::of).collect(),
            poststart: hooks.poststart.iter().map(HookRecord::of).collect(),
            poststop: hooks.poststop.iter().map(HookRecord::of).collect(),
        }
    }

    /// The startContainer hooks, for the message of one that failed.
    pub(crate) fn start_container(&self) -> Vec<Hook> {
        hooks(&self.start_container, "hooks.startContainer")
    }

    /// The poststart hooks.
    pub(crate) fn poststart(&self) -> Vec<Hook> {
        hooks(&self.poststart, "hooks.poststart")
    }

    /// The poststop hooks.
    pub(crate) fn poststop(&self) -> Vec<Hook> {
        hooks(&self.poststop, "hooks.poststop")
    }
}

impl HookRecord {
    fn of(hook: &Hook) -> Self {
        let text = |text: &Text| String::from_utf8_lossy(text.as_bytes()).into_owned();
        Self {
            path: text(&hook.path),
            args: hook.args.iter().map(text).collect(),
            env: hook.env.iter().map(text).collect(),
            timeout: hook.timeout,
        }
    }
}

fn hooks(records: &[HookRecord], kind: &str) -> Vec<Hook> {
    let texts = |texts: &[String]| texts.iter().filter_map(|it| Text::new(it.as_str())).collect();
    let hook = |(index, record): (usize, &HookRecord)| {
        Some(Hook {
            path: Text::new(record.path.as_str())?,
            args: texts(&record.args),
            env: texts(&record.env),
            timeout: record.timeout,
            at: Pointer::item(kind, index),
        })
    };
    records.iter().enumerate().filter_map(hook).collect()
}

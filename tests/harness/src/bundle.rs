//! A bundle whose config a test edits.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

use crate::case::Mutation;

/// A directory with a root filesystem, and the config that is written into it when a command needs it.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The config. Edit it at will; nothing checks it.
    pub config: Value,
    path: PathBuf,
}

impl Bundle {
    pub(crate) fn new(path: PathBuf, config: Value) -> Self {
        Self { config, path }
    }

    /// The bundle's directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The root filesystem's directory.
    #[must_use]
    pub fn rootfs(&self) -> PathBuf {
        self.path.join("rootfs")
    }

    /// Puts a value at a JSON pointer, making the objects on the way.
    pub fn set(&mut self, pointer: &str, value: impl Into<Value>) -> &mut Self {
        *entry(&mut self.config, pointer) = value.into();
        self
    }

    /// Takes away what is at a JSON pointer to a member of an object.
    pub fn remove(&mut self, pointer: &str) -> &mut Self {
        remove(&mut self.config, pointer);
        self
    }

    /// Appends to the list at a JSON pointer, making it if it is not there.
    pub fn push(&mut self, pointer: &str, value: impl Into<Value>) -> &mut Self {
        let list = entry(&mut self.config, pointer);
        if !list.is_array() {
            *list = json!([]);
        }
        if let Some(list) = list.as_array_mut() {
            list.push(value.into());
        }
        self
    }

    /// Runs these arguments.
    pub fn args(&mut self, arguments: &[&str]) -> &mut Self {
        self.set("/process/args", json!(arguments))
    }

    /// Runs the checker with these probes.
    pub fn probe(&mut self, probes: &[&str]) -> &mut Self {
        let arguments: Vec<&str> =
            std::iter::once("/checker").chain(probes.iter().copied()).collect();
        self.args(&arguments)
    }

    /// Runs a shell script (busybox).
    pub fn shell(&mut self, script: &str) -> &mut Self {
        self.args(&["/bin/sh", "-c", script])
    }

    /// Adds a mount.
    pub fn mount(
        &mut self,
        destination: &str,
        kind: &str,
        source: &str,
        options: &[&str],
    ) -> &mut Self {
        let mount = json!({ "destination": destination, "type": kind, "source": source, "options": options });
        self.push("/mounts", mount)
    }

    /// Replaces (or adds) the namespace of this type: a new one, or the one at `path`.
    pub fn namespace(&mut self, kind: &str, path: Option<&Path>) -> &mut Self {
        self.without_namespace(kind);
        let mut namespace = json!({ "type": kind });
        if let Some(path) = path {
            namespace["path"] = json!(path);
        }
        self.push("/linux/namespaces", namespace)
    }

    /// Lets the container share the caller's namespace of this type.
    pub fn without_namespace(&mut self, kind: &str) -> &mut Self {
        if let Some(list) =
            self.config.pointer_mut("/linux/namespaces").and_then(Value::as_array_mut)
        {
            list.retain(|namespace| namespace["type"] != kind);
        }
        self
    }

    /// Gives the process these capabilities, and no others, in all sets but the ambient one.
    pub fn capabilities(&mut self, names: &[&str]) -> &mut Self {
        for set in ["bounding", "effective", "permitted"] {
            self.set(&format!("/process/capabilities/{set}"), json!(names));
        }
        self
    }

    /// Adds a hook.
    pub fn hook(&mut self, kind: &str, arguments: &[&str]) -> &mut Self {
        let path = arguments.first().copied().unwrap_or_default();
        self.push(&format!("/hooks/{kind}"), json!({ "path": path, "args": arguments }))
    }

    /// Writes `config.json`, changed by the mutation if there is one.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, mutation: Option<Mutation>) -> anyhow::Result<()> {
        let mut config = self.config.clone();
        if let Some(mutate) = mutation {
            mutate(&mut config);
        }
        self.write_text(&serde_json::to_vec_pretty(&config)?)
    }

    /// Writes these bytes as `config.json`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_text(&self, bytes: &[u8]) -> anyhow::Result<()> {
        fs::write(self.path.join("config.json"), bytes).context("write config.json")
    }

    /// Makes a file in the root filesystem, with its directories.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn file(&self, name: &str, content: &str) -> anyhow::Result<PathBuf> {
        let path = self.rootfs().join(name.trim_start_matches('/'));
        let Some(parent) = path.parent() else { bail!("{name} has no parent") };
        fs::create_dir_all(parent)?;
        fs::write(&path, content)?;
        Ok(path)
    }
}

/// The place of a JSON pointer, with the objects on the way made.
fn entry<'a>(config: &'a mut Value, pointer: &str) -> &'a mut Value {
    let mut place = config;
    for key in pointer.split('/').skip(1) {
        let is_element = key.parse::<usize>().ok().filter(|_| place.is_array());
        place = if let Some(index) = is_element {
            &mut place[index]
        } else {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            &mut place[key]
        };
    }
    place
}

/// Takes away what is at a JSON pointer to a member of an object or an element of a list.
pub fn remove(config: &mut Value, pointer: &str) {
    let Some((parent, key)) = pointer.rsplit_once('/') else { return };
    match config.pointer_mut(parent) {
        Some(Value::Object(map)) => drop(map.remove(key)),
        Some(Value::Array(list)) => {
            if let Some(index) = key.parse::<usize>().ok().filter(|index| *index < list.len()) {
                list.remove(index);
            }
        }
        _ => {}
    }
}

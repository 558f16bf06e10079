//! What the checker reported.

use anyhow::{Context, bail};
use serde_json::Value;

/// The checker's report. See the checker for the members.
#[derive(Clone, Debug)]
pub struct Report(pub Value);

impl Report {
    /// Finds the report in the output of a container's process.
    ///
    /// # Errors
    /// If there is none.
    pub fn parse(output: &str) -> anyhow::Result<Self> {
        let line =
            output.lines().find(|line| line.starts_with('{') && line.contains("\"namespaces\""));
        let line = line.with_context(|| format!("no report in the output: {output:?}"))?;
        Ok(Self(serde_json::from_str(line)?))
    }

    /// The value at a JSON pointer, null if there is none.
    #[must_use]
    pub fn at(&self, pointer: &str) -> &Value {
        self.0.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// The text at a JSON pointer, empty if there is none.
    #[must_use]
    pub fn text(&self, pointer: &str) -> &str {
        self.at(pointer).as_str().unwrap_or_default()
    }

    /// The texts of the list at a JSON pointer.
    #[must_use]
    pub fn texts(&self, pointer: &str) -> Vec<&str> {
        self.at(pointer).as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The uppermost mount on a mount point.
    ///
    /// # Errors
    /// With the mount points there are if it is none of them.
    pub fn mount(&self, point: &str) -> anyhow::Result<&Value> {
        let list = self.at("/mounts").as_array().context("no mounts in the report")?;
        let found = list.iter().rev().find(|mount| mount["point"] == point);
        found.with_context(|| {
            let points: Vec<&str> =
                list.iter().filter_map(|mount| mount["point"].as_str()).collect();
            format!("nothing is mounted on {point}, only on {points:?}")
        })
    }

    /// Options of the mount on a mount point: its own, and with them those of the superblock.
    ///
    /// # Errors
    /// If nothing is mounted there.
    pub fn mount_options(&self, point: &str) -> anyhow::Result<(Vec<String>, Vec<String>)> {
        let mount = self.mount(point)?;
        let list = |name: &str| -> Vec<String> {
            mount[name]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(String::from)
                .collect()
        };
        Ok((list("options"), list("super")))
    }

    /// What a probe found, by its name and argument.
    ///
    /// # Errors
    /// If it was not made.
    pub fn probe(&self, name: &str, argument: &str) -> anyhow::Result<&Value> {
        let mut list = self.at("/probes").as_array().into_iter().flatten();
        list.find(|probe| probe["probe"] == name && probe["argument"] == argument)
            .with_context(|| format!("the probe {name} {argument} was not made"))
    }

    /// A probe succeeded: what it found.
    ///
    /// # Errors
    /// If it failed.
    pub fn allowed(&self, name: &str, argument: &str) -> anyhow::Result<&Value> {
        let probe = self.probe(name, argument)?;
        if probe["ok"] != true {
            bail!("{name} {argument} should work in the container: {probe}");
        }
        Ok(&probe["value"])
    }

    /// A probe failed: with this errno.
    ///
    /// # Errors
    /// If it succeeded.
    pub fn denied(&self, name: &str, argument: &str) -> anyhow::Result<i64> {
        let probe = self.probe(name, argument)?;
        if probe["ok"] != false {
            bail!("{name} {argument} should fail in the container: {probe}");
        }
        Ok(probe["errno"].as_i64().unwrap_or(0))
    }
}

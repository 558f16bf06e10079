//! The state of a container as hooks read it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

/// What does not change of it (runtime.md#state).
#[derive(Clone, Debug)]
pub(crate) struct StateJson {
    pub(crate) oci_version: String,
    pub(crate) id: String,
    pub(crate) bundle: String,
    pub(crate) annotations: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Text<'a> {
    oci_version: &'a str,
    id: &'a str,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<i32>,
    bundle: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

impl StateJson {
    pub(crate) fn new(record: &crate::state::Record) -> Self {
        Self {
            oci_version: record.oci_version.clone(),
            id: record.id.clone(),
            bundle: display(&record.bundle),
            annotations: record.annotations.clone(),
        }
    }

    /// The JSON, with a pid of 0 left out.
    pub(crate) fn text(&self, status: &str, pid: i32) -> String {
        let text = Text {
            oci_version: &self.oci_version,
            id: &self.id,
            status,
            pid: (pid != 0).then_some(pid),
            bundle: &self.bundle,
            annotations: &self.annotations,
        };
        serde_json::to_string(&text).unwrap_or_default()
    }
}

fn display(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

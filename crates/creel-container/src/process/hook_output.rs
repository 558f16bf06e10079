//! Files for the output of hooks, by annotation.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, openat};

use super::hook::Output;
use crate::error::{Result, StepError};
use crate::step::Op;

/// The files that `run.oci.hooks.stdout` and `run.oci.hooks.stderr` name, open for appending.
#[derive(Debug, Default)]
pub(crate) struct Files {
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
}

impl Files {
    pub(crate) fn open(annotations: &BTreeMap<String, String>) -> Result<Self> {
        Ok(Self {
            stdout: open(annotations, "run.oci.hooks.stdout")?,
            stderr: open(annotations, "run.oci.hooks.stderr")?,
        })
    }

    pub(crate) fn borrowed(&self) -> Output<'_> {
        Output {
            stdout: self.stdout.as_ref().map(AsFd::as_fd),
            stderr: self.stderr.as_ref().map(AsFd::as_fd),
        }
    }
}

fn open(annotations: &BTreeMap<String, String>, key: &str) -> Result<Option<OwnedFd>> {
    let Some(path) = annotations.get(key) else { return Ok(None) };
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::CLOEXEC;
    openat(CWD, path.as_str(), flags, Mode::from(0o644)).map(Some).map_err(|errno| {
        let mut error = StepError::new(format!("open {path} for hooks' output"), Op::Open, errno);
        error.at = Some(crate::pointer::Pointer::new("annotations").field(key));
        error.into()
    })
}

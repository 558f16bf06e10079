//! The bundles that are run, and where their containers keep state.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// Docker's default profile, as Docker hands it to a runtime.
const SECCOMP: &str = include_str!("../data/seccomp-docker.json");

/// A directory that goes away with this value.
#[derive(Debug)]
pub(crate) struct Place {
    dir: PathBuf,
    state: PathBuf,
}

/// What a bundle's process does, and whether a seccomp profile is loaded for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bundle {
    /// Ends at once.
    True,
    /// Ends at once, under Docker's seccomp profile.
    TrueSeccomp,
    /// Stays.
    Sleep,
    /// Stays, under Docker's seccomp profile.
    SleepSeccomp,
}

impl Bundle {
    const ALL: [Self; 4] = [Self::True, Self::TrueSeccomp, Self::Sleep, Self::SleepSeccomp];

    fn name(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::TrueSeccomp => "true-seccomp",
            Self::Sleep => "sleep",
            Self::SleepSeccomp => "sleep-seccomp",
        }
    }

    pub(crate) fn config(self) -> Result<Value> {
        let mut config = harness::preset::default();
        let args = match self {
            Self::True | Self::TrueSeccomp => json!(["/bin/true"]),
            Self::Sleep | Self::SleepSeccomp => json!(["/bin/sleep", "100000"]),
        };
        let put = |config: &mut Value, pointer: &str, name: &str, value: Value| {
            let object = config.pointer_mut(pointer).and_then(Value::as_object_mut);
            object.map(|object| object.insert(name.into(), value)).context("the preset's shape")
        };
        put(&mut config, "/process", "args", args)?;
        if matches!(self, Self::TrueSeccomp | Self::SleepSeccomp) {
            put(&mut config, "/linux", "seccomp", serde_json::from_str(SECCOMP)?)?;
        }
        Ok(config)
    }
}

impl Place {
    /// Makes the bundles. They share one root filesystem: busybox.
    pub(crate) fn new() -> Result<Self> {
        let name = format!("creel-bench-{}", std::process::id());
        let dir = std::env::temp_dir().join(&name);
        fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        let place = Self { dir, state: Path::new("/run").join(name) };
        let rootfs = place.rootfs();
        for name in ["bin", "dev", "proc", "sys", "tmp", "etc"] {
            fs::create_dir_all(rootfs.join(name))?;
        }
        fs::copy("/bin/busybox", rootfs.join("bin/busybox")).context("/bin/busybox (static)")?;
        for name in ["true", "sleep", "sh"] {
            symlink("busybox", rootfs.join("bin").join(name))?;
        }
        for bundle in Bundle::ALL {
            place.write(bundle.name(), bundle.config()?)?;
        }
        Ok(place)
    }

    /// Makes, or changes, a bundle with this config; its directory.
    pub(crate) fn write(&self, name: &str, mut config: Value) -> Result<PathBuf> {
        let (path, rootfs) = (self.dir.join(name), self.rootfs());
        if !path.exists() {
            fs::create_dir_all(&path)?;
            symlink(&rootfs, path.join("rootfs"))?;
        }
        if let Some(root) = config.get_mut("root") {
            *root = json!({ "path": rootfs, "readonly": true });
        }
        fs::write(path.join("config.json"), serde_json::to_vec(&config)?)?;
        Ok(path)
    }

    pub(crate) fn rootfs(&self) -> PathBuf {
        self.dir.join("rootfs")
    }

    pub(crate) fn bundle(&self, bundle: Bundle) -> PathBuf {
        self.dir.join(bundle.name())
    }

    /// A participant's state directory: on `/run`, where all runtimes have theirs unless they are told another place.
    pub(crate) fn state(&self, peer: &str) -> PathBuf {
        self.state.join(peer.replace('/', "-"))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
        let _ = fs::remove_dir_all(&self.state);
    }
}

//! Who takes part.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::bundle::Place;

/// A participant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// What the table calls it.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: Kind,
}

/// What a participant is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An OCI runtime.
    Runtime(PathBuf),
    /// The bare system calls of the same work: this program's own.
    Floor,
    /// Spawning `/bin/true` on the host: what starting any process costs.
    Spawn,
}

impl Peer {
    /// The runtime with its state directory, for a command to be added.
    pub(crate) fn command(&self, place: &Place) -> Command {
        let program = match &self.kind {
            Kind::Runtime(path) => path.as_path(),
            Kind::Floor | Kind::Spawn => "/bin/true".as_ref(),
        };
        let mut command = Command::new(program);
        command.arg("--root").arg(place.state(&self.name));
        command
    }
}

const USUAL: [&str; 4] = ["creel", "crun", "runc", "youki"];

/// The runtimes that were named, or the usual ones that are installed; then the two yardsticks.
pub(crate) fn find(named: &[String]) -> Result<Vec<Peer>> {
    let mut peers = Vec::new();
    for word in named {
        let (name, place) = match word.split_once('=') {
            Some((name, place)) => (name, place),
            None => (word.rsplit('/').next().unwrap_or(word), word.as_str()),
        };
        let path = locate(place).with_context(|| format!("no runtime {place}"))?;
        peers.push(Peer { name: name.to_owned(), kind: Kind::Runtime(path) });
    }
    if named.is_empty() {
        let usual = USUAL.iter().filter_map(|name| Some((name, locate(name)?)));
        peers.extend(
            usual.map(|(name, path)| Peer { name: (*name).into(), kind: Kind::Runtime(path) }),
        );
    }
    ensure!(!peers.is_empty(), "no runtime is installed");
    peers.push(Peer { name: "floor".into(), kind: Kind::Floor });
    peers.push(Peer { name: "/bin/true".into(), kind: Kind::Spawn });
    Ok(peers)
}

fn locate(place: &str) -> Option<PathBuf> {
    if place.contains('/') {
        let path = std::path::absolute(place).ok()?;
        return path.is_file().then_some(path);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let sbins = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(|dir| Path::new(dir).to_path_buf());
    let dirs = std::env::split_paths(&path).chain(sbins);
    dirs.map(|dir| dir.join(place)).find(|path| path.is_file())
}

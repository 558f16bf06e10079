//! `cargo xtask link-order`: which functions a `run` needs, for the linker to lay them side by side.
//!
//! The kernel maps a program's text in pieces of 64 KiB. What a `run` executes is a third of the text; scattered, it
//! brings nearly all of it into memory. The list names functions as the compiler does: one that the linker does not
//! find is passed over, so a list that is out of date costs memory and nothing else.

mod symbols;
mod trace;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use self::symbols::Symbols;
use crate::host::Hugetlb;
use crate::repo::{self, Repo};
use crate::{build, output};

/// Where the list is, from the workspace's directory.
pub const FILE: &str = "crates/creel/link-order.txt";
const DOCKER: &str = "bench/data/seccomp-docker.json";

/// Executes a `run` step by step, one more under Docker's seccomp profile, and writes the list.
///
/// # Errors
/// When the caller is not root, the build or a run fails.
pub fn run(repo: &Repo) -> Result<ExitCode> {
    ensure!(repo::is_root(), "link-order runs containers of root: run it as root");
    let program = build::with_symbols(repo)?;
    let symbols = Symbols::of(repo, &program)?;
    let text = symbols.range()?;
    let _hugetlb = Hugetlb::new();
    let place = Place::new(repo, &program)?;
    let mut addresses = Vec::new();
    for profile in [None, Some(repo.root.join(DOCKER))] {
        place.configure(profile.as_deref())?;
        addresses.extend(trace::addresses(&mut place.command(&program), &text)?);
    }
    let names = symbols.names(&addresses);
    let mut list = names.join("\n");
    list.push('\n');
    fs::write(repo.root.join(FILE), list)?;
    output::line(&format!("{FILE}: {} functions", names.len()));
    Ok(ExitCode::SUCCESS)
}

/// A directory with a bundle and a state; it goes away with this value.
struct Place {
    dir: PathBuf,
    config: Value,
}

impl Place {
    fn new(repo: &Repo, program: &Path) -> Result<Self> {
        let dir = std::env::temp_dir().join(format!("creel-link-order-{}", std::process::id()));
        let rootfs = dir.join("rootfs");
        for name in ["bin", "dev", "proc", "sys"] {
            fs::create_dir_all(rootfs.join(name))?;
        }
        let busybox = repo.find_program("busybox").context("no busybox")?;
        fs::copy(busybox, rootfs.join("bin/busybox"))?;
        symlink("busybox", rootfs.join("bin/true"))?;
        repo::output(repo.command(program).arg("spec").current_dir(&dir))?;
        let config = serde_json::from_str(&fs::read_to_string(dir.join("config.json"))?)?;
        Ok(Self { dir, config })
    }

    /// The default config for `/bin/true`, with the profile if there is one.
    fn configure(&self, profile: Option<&Path>) -> Result<()> {
        let mut config = self.config.clone();
        let mut set = |object: &str, name: &str, value: Value| {
            let object = config.pointer_mut(object).and_then(Value::as_object_mut);
            object.map(|object| object.insert(name.to_owned(), value)).context("the config's shape")
        };
        set("/process", "terminal", json!(false))?;
        set("/process", "args", json!(["/bin/true"]))?;
        if let Some(profile) = profile {
            let text = fs::read_to_string(profile)?;
            set("/linux", "seccomp", serde_json::from_str(&text)?)?;
        }
        fs::write(self.dir.join("config.json"), config.to_string())?;
        Ok(())
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.arg("--root").arg(self.dir.join("state")).args(["run", "link-order"]);
        command.current_dir(&self.dir).stdin(Stdio::null());
        command
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

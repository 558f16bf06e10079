//! Where things are, and how commands are started: the same from a terminal, a pipe or a bare CI.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The repository and the toolchain's answers about it.
#[derive(Debug)]
pub struct Repo {
    /// The workspace's directory.
    pub root: PathBuf,
    /// cargo's target directory.
    pub target: PathBuf,
    /// The host's target triple, as rustc names it.
    pub triple: String,
    path: OsString,
    home: Option<OsString>,
}

impl Repo {
    /// Asks cargo and rustc.
    ///
    /// # Errors
    /// When cargo or rustc cannot be started or say something unexpected.
    pub fn find() -> Result<Self> {
        let here = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = here.parent().context("xtask is not inside a workspace")?.to_path_buf();
        let mut repo = Self {
            root,
            target: PathBuf::new(),
            triple: String::new(),
            path: search_path(),
            home: std::env::var_os("HOME").is_none().then(home_of_user).flatten(),
        };
        let mut metadata = repo.cargo();
        metadata.args(["metadata", "--no-deps", "--format-version", "1"]);
        let metadata: serde_json::Value = serde_json::from_str(&output(&mut metadata)?)?;
        let target = metadata.get("target_directory").and_then(serde_json::Value::as_str);
        repo.target = target.context("cargo metadata names no target directory")?.into();
        let version = output(repo.command("rustc").arg("-vV"))?;
        let triple = version.lines().find_map(|line| line.strip_prefix("host: "));
        repo.triple = triple.context("rustc -vV names no host")?.to_owned();
        Ok(repo)
    }

    /// A command that runs in the workspace, with the directories of system tools in its `PATH`
    /// and without what cargo set for this process.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).env("PATH", &self.path).stdin(Stdio::null());
        // cargo's library path would slow down every dynamic program's start.
        command.env_remove("LD_LIBRARY_PATH");
        if let Some(home) = &self.home {
            command.env("HOME", home);
        }
        command
    }

    /// The cargo that runs this.
    pub fn cargo(&self) -> Command {
        self.command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    /// Where a program is, by the same search path that [`Repo::command`] uses.
    pub fn find_program(&self, name: &str) -> Option<PathBuf> {
        std::env::split_paths(&self.path).map(|dir| dir.join(name)).find(|path| is_program(path))
    }
}

/// Whether this process is root.
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// Whether this is a CI machine, where warnings are errors.
pub fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// Runs a command to its end.
///
/// # Errors
/// When it cannot be started, or ends with anything but success.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", shown(command)))?;
    if !status.success() {
        bail!("{}: {status}", shown(command));
    }
    Ok(())
}

/// Runs a command and returns what it wrote to standard output.
///
/// # Errors
/// When it cannot be started, or ends with anything but success: then with its standard error.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {}", shown(command)))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!("{}: {}: {}", shown(command), output.status, text.trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The command as a person would type it, without its environment.
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// `PATH`, with the directories that a bare environment leaves out (runc is in an sbin).
fn search_path() -> OsString {
    let given = std::env::var_os("PATH").unwrap_or_default();
    let mut dirs: Vec<PathBuf> = std::env::split_paths(&given).collect();
    for dir in ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"] {
        if !dirs.iter().any(|have| have == Path::new(dir)) {
            dirs.push(dir.into());
        }
    }
    std::env::join_paths(dirs).unwrap_or(given)
}

fn home_of_user() -> Option<OsString> {
    let uid = std::fs::metadata("/proc/self").ok()?.uid().to_string();
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2) == Some(&uid.as_str())).then(|| fields.get(5).map(OsString::from))?
    })
}

fn is_program(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.mode() & 0o111 != 0)
}

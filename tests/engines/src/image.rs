//! The one image of all cases, made once in a run: a tree, a layer of it, and an archive.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use harness::{Runtime, rootfs};
use rustix::fs::FlockOperation;
use serde_json::json;

/// The name of the image, which no registry has.
pub(crate) const NAME: &str = "localhost/box:latest";

/// Programs which cases use besides those of every test's root filesystem.
const APPLETS: [&str; 9] =
    ["grep", "hostname", "mkfifo", "mknod", "nc", "printenv", "timeout", "tr", "wc"];

/// Where the files of the image are, for all cases of a run.
#[derive(Debug)]
pub(crate) struct Image {
    directory: PathBuf,
}

impl Image {
    /// Makes the image, or waits for another case that does.
    ///
    /// # Errors
    /// If a program fails or is missing.
    pub(crate) fn of_run(rt: &Runtime) -> anyhow::Result<Self> {
        let run = rt.directory().parent().context("the case has no run")?;
        let image = Self { directory: run.join("image") };
        let lock = File::create(run.join("image.lock"))?;
        rustix::fs::flock(&lock, FlockOperation::LockExclusive)?;
        if !image.archive().is_file() {
            let _of_a_case_that_was_killed = fs::remove_dir_all(&image.directory);
            image.tree(&run.join("programs"))?;
            image.pack()?;
        }
        Ok(image)
    }

    /// The directory tree, which nobody changes.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.join("root")
    }

    /// A tar archive of the tree.
    pub(crate) fn layer(&self) -> PathBuf {
        self.directory.join("layer.tar")
    }

    /// An archive as `docker save` writes it.
    pub(crate) fn archive(&self) -> PathBuf {
        self.directory.join("image.tar")
    }

    /// Runs `make` once in a run for the directory of this name, which is complete afterwards.
    ///
    /// # Errors
    /// What `make` returns.
    pub(crate) fn store(
        &self,
        name: &str,
        make: impl FnOnce(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<PathBuf> {
        let lock = File::create(self.directory.join(format!("{name}.lock")))?;
        rustix::fs::flock(&lock, FlockOperation::LockExclusive)?;
        let (path, done) = (self.directory.join(name), self.directory.join(format!("{name}.done")));
        if !done.is_file() {
            let _of_a_case_that_was_killed = fs::remove_dir_all(&path);
            make(&path)?;
            File::create(done)?;
        }
        Ok(path)
    }

    fn tree(&self, programs: &Path) -> anyhow::Result<()> {
        let root = self.root();
        rootfs::build(programs, &root)?;
        for applet in APPLETS {
            let link = root.join("bin").join(applet);
            if !link.is_symlink() {
                symlink("busybox", link)?;
            }
        }
        fs::write(root.join("bin/no-program"), "text\n")?;
        fs::set_permissions(root.join("bin/no-program"), fs::Permissions::from_mode(0o644))?;
        fs::write(root.join("etc/hosts"), "")?;
        fs::write(root.join("etc/resolv.conf"), "").context("files of the image")
    }

    fn pack(&self) -> anyhow::Result<()> {
        tar(&self.root(), &self.layer(), &["."])?;
        let sum = Command::new("sha256sum").arg(self.layer()).output().context("sha256sum")?;
        let sum = String::from_utf8(sum.stdout)?;
        let digest = sum.split(' ').next().context("no digest")?;
        let config = json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
            "os": "linux",
            "config": { "Env": ["PATH=/bin"], "Cmd": ["/bin/sh"] },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{digest}")] },
        });
        let manifest =
            json!([{ "Config": "config.json", "RepoTags": [NAME], "Layers": ["layer.tar"] }]);
        fs::write(self.directory.join("config.json"), config.to_string())?;
        fs::write(self.directory.join("manifest.json"), manifest.to_string())?;
        let partial = self.directory.join("partial.tar");
        tar(&self.directory, &partial, &["manifest.json", "config.json", "layer.tar"])?;
        fs::rename(partial, self.archive()).context("the image's archive")
    }
}

fn tar(directory: &Path, archive: &Path, members: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new("tar");
    command.arg("-C").arg(directory).arg("-cf").arg(archive).args(members);
    let status = command.status().context("tar")?;
    if !status.success() {
        bail!("tar: {status}");
    }
    Ok(())
}

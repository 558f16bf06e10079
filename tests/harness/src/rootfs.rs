//! A root filesystem in a millisecond: directories, links, and two hard-linked static programs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use anyhow::Context;

const DIRECTORIES: [&str; 14] = [
    "bin", "dev", "etc", "home", "mnt", "proc", "root", "run", "sbin", "sys", "tmp", "usr",
    "usr/bin", "var",
];
const APPLETS: [&str; 27] = [
    "sh", "cat", "echo", "ls", "id", "true", "false", "sleep", "env", "kill", "mkdir", "mkfifo",
    "rm", "mount", "umount", "stty", "tty", "touch", "test", "stat", "chmod", "ps", "seq", "head",
    "tail", "dd", "readlink",
];
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n";
const GROUP: &str = "root:x:0:\ntty:x:5:\nuser:x:1000:\n";

/// Copies the two programs into a new directory, from where [`build`] links them.
///
/// # Errors
/// If one cannot be copied.
pub fn prepare(programs: &Path, checker: &Path, busybox: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(programs)?;
    for (name, source) in [("checker", checker), ("busybox", busybox)] {
        let target = programs.join(name);
        fs::copy(source, &target).with_context(|| format!("copy {}", source.display()))?;
        fs::set_permissions(&target, fs::Permissions::from_mode(0o555))?;
    }
    Ok(())
}

/// Makes a root filesystem at `root` from the programs that [`prepare`] copied.
///
/// # Errors
/// If a directory or link cannot be made.
pub fn build(programs: &Path, root: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(root)?;
    for name in DIRECTORIES {
        fs::create_dir(root.join(name)).with_context(|| format!("rootfs/{name}"))?;
    }
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777))?;
    fs::create_dir_all(root.join("home/user"))?;
    fs::hard_link(programs.join("checker"), root.join("checker"))?;
    fs::hard_link(programs.join("busybox"), root.join("bin/busybox"))?;
    for applet in APPLETS {
        symlink("busybox", root.join("bin").join(applet))?;
    }
    fs::write(root.join("etc/passwd"), PASSWD)?;
    fs::write(root.join("etc/group"), GROUP)?;
    Ok(())
}

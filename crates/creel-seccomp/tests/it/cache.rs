//! The cache gives what was compiled, whatever lies in its directory.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;

use crate::common::{options, profile};
use creel_seccomp::{Arch, Cache, Compiled, Options, Profile, compile};

struct Setting {
    dir: PathBuf,
    cache: Cache,
    profile: Profile,
    options: Options,
    _all: tempfile::TempDir,
}

fn setting() -> Setting {
    let all = tempfile::tempdir().unwrap();
    let dir = all.path().join("cache");
    let cache = Cache::open(&dir).unwrap();
    Setting { dir, cache, profile: profile("docker"), options: options(Arch::X86_64), _all: all }
}

impl Setting {
    fn get(&self) -> Compiled {
        self.cache.get_or_compile(&self.profile, &self.options).unwrap()
    }

    /// The one file.
    fn file(&self) -> PathBuf {
        let files = files(&self.dir);
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].clone()
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn what_comes_from_disk_is_what_was_compiled() {
    let mut at = setting();
    at.profile.rules[0].names.push("no_such_call".into());
    at.profile.rules[0].names.push("nor\nthis".into());
    let compiled = compile(&at.profile, &at.options).unwrap();
    assert_eq!(compiled.warnings.len(), 2);
    assert_eq!(at.get(), compiled);
    let written = fs::metadata(at.file()).unwrap().modified().unwrap();
    assert_eq!(at.get(), compiled);
    assert_eq!(fs::metadata(at.file()).unwrap().modified().unwrap(), written, "it was read");
}

#[test]
fn another_profile_or_kernel_is_another_file() {
    let at = setting();
    at.get();
    let other = Options::new(creel_seccomp::Host::newest(Arch::Aarch64));
    let there = at.cache.get_or_compile(&at.profile, &other).unwrap();
    assert_eq!(there, compile(&at.profile, &other).unwrap());
    at.cache.get_or_compile(&profile("podman"), &at.options).unwrap();
    assert_eq!(files(&at.dir).len(), 3);
}

#[test]
fn every_truncated_or_changed_file_is_replaced() {
    let at = setting();
    let compiled = at.get();
    let whole = fs::read(at.file()).unwrap();
    for cut in (0..whole.len()).step_by(97) {
        fs::write(at.file(), &whole[..cut]).unwrap();
        assert_eq!(at.get(), compiled, "cut at {cut}");
        assert_eq!(fs::read(at.file()).unwrap(), whole);
    }
    for changed in (0..whole.len()).step_by(89) {
        let mut bytes = whole.clone();
        bytes[changed] ^= 0x10;
        fs::write(at.file(), &bytes).unwrap();
        assert_eq!(at.get(), compiled, "changed at {changed}");
        assert_eq!(fs::read(at.file()).unwrap(), whole);
    }
}

#[test]
fn a_whole_file_of_another_profile_is_not_taken() {
    let at = setting();
    let compiled = at.get();
    let file = at.file();
    let other = setting();
    other.cache.get_or_compile(&profile("podman"), &other.options).unwrap();
    fs::copy(other.file(), &file).unwrap();
    assert_eq!(at.get(), compiled);
}

#[test]
fn what_is_no_private_regular_file_is_replaced() {
    let at = setting();
    let compiled = at.get();
    let file = at.file();
    let whole = fs::read(&file).unwrap();
    let replaced = |what: &str| {
        assert_eq!(at.get(), compiled, "{what}");
        assert_eq!(fs::read(&file).unwrap(), whole, "{what}");
        let found = fs::symlink_metadata(&file).unwrap();
        assert!(found.is_file(), "{what}");
        assert_eq!(found.permissions().mode() & 0o777, 0o600, "{what}");
    };
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    replaced("readable for others");
    let elsewhere = at.dir.parent().unwrap().join("elsewhere");
    fs::copy(&file, &elsewhere).unwrap();
    fs::remove_file(&file).unwrap();
    symlink(&elsewhere, &file).unwrap();
    replaced("symlink");
    fs::remove_file(&file).unwrap();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &file, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    replaced("fifo");
}

#[test]
fn a_file_of_another_user_is_replaced() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can give a file away");
        return;
    }
    let at = setting();
    let compiled = at.get();
    std::os::unix::fs::chown(at.file(), Some(1), None).unwrap();
    assert_eq!(at.get(), compiled);
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(at.file()).unwrap());
    assert_eq!(owner, 0);
}

#[test]
fn a_directory_that_others_can_enter_is_refused() {
    let at = setting();
    fs::set_permissions(&at.dir, Permissions::from_mode(0o755)).unwrap();
    let refused = Cache::open(&at.dir).unwrap_err().to_string();
    assert!(refused.ends_with("belongs to or is open to another user"), "{refused}");
    let link = at.dir.parent().unwrap().join("link");
    symlink(&at.dir, &link).unwrap();
    assert!(Cache::open(&link).is_err());
}

#[test]
fn the_number_of_files_is_bounded() {
    let mut at = setting();
    at.profile = profile("podman-custom");
    let stale = at.dir.join(".new-1-1");
    fs::write(&stale, b"half").unwrap();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    fs::File::options().write(true).open(&stale).unwrap().set_modified(long_ago).unwrap();
    for errno in 1..200 {
        at.profile.default_action = creel_seccomp::Action::Errno(errno);
        at.get();
    }
    assert_eq!(files(&at.dir).len(), 64);
    assert!(!stale.exists());
}

#[test]
fn many_writers_do_not_disturb_each_other() {
    let at = setting();
    let compiled = compile(&at.profile, &at.options).unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(at.get(), compiled);
                    for file in files(&at.dir) {
                        // Another one may have replaced it meanwhile.
                        let _ = fs::remove_file(file);
                    }
                }
            });
        }
    });
    assert_eq!(at.get(), compiled);
}

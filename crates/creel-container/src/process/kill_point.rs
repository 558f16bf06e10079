//! Points at which a build for tests can be ended, to show that it leaves nothing behind wherever that is.
//!
//! `CREEL_KILL_AT=creator:3` kills the command at the third point it passes, `child:3` when its child is about to
//! execute its third step, `child-after:3` when it has. Without the feature `kill-points` nothing of this is built.

#[cfg(not(feature = "kill-points"))]
mod points {
    use std::os::fd::RawFd;

    pub(crate) fn creator() {}

    pub(crate) fn child(_name: &str, _step: usize) {}

    pub(crate) fn descriptor() -> Option<RawFd> {
        None
    }
}

#[cfg(feature = "kill-points")]
#[expect(unsafe_code, reason = "rustix cannot make a descriptor's readiness a signal")]
mod points {
    use std::os::fd::{AsRawFd, OwnedFd, RawFd};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rustix::pipe::{PipeFlags, pipe_with};

    /// `fcntl(2)`; libc does not name it.
    const F_SETSIG: libc::c_int = 10;

    static PASSED: AtomicUsize = AtomicUsize::new(0);
    static TRIGGER: OnceLock<Option<(OwnedFd, OwnedFd)>> = OnceLock::new();

    /// A pipe that kills its maker when something is written to it. A child in a pid namespace of its own can reach
    /// its creator in no other way.
    fn trigger() -> Option<&'static (OwnedFd, OwnedFd)> {
        TRIGGER.get_or_init(armed_pipe).as_ref()
    }

    fn armed_pipe() -> Option<(OwnedFd, OwnedFd)> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
        let fd = reader.as_raw_fd();
        let pid = rustix::process::getpid().as_raw_pid();
        for (command, value) in [
            (libc::F_SETOWN, pid),
            (F_SETSIG, libc::SIGKILL),
            (libc::F_SETFL, libc::O_ASYNC | libc::O_NONBLOCK),
        ] {
            // SAFETY: each command takes a number and changes only this descriptor, which is open.
            unsafe { libc::fcntl(fd, command, value) };
        }
        Some((reader, writer))
    }

    fn end_at(name: &str, number: usize) {
        let wanted = std::env::var("CREEL_KILL_AT").unwrap_or_default();
        if wanted != format!("{name}:{number}") {
            return;
        }
        if let Some((_, writer)) = trigger() {
            let _ = rustix::io::write(writer, b"x");
            // The end of the creator is the end of its child.
            std::thread::sleep(std::time::Duration::from_secs(10));
        }
    }

    pub(crate) fn creator() {
        trigger();
        end_at("creator", PASSED.fetch_add(1, Ordering::Relaxed) + 1);
    }

    pub(crate) fn child(name: &str, step: usize) {
        end_at(name, step + 1);
    }

    pub(crate) fn descriptor() -> Option<RawFd> {
        trigger().map(|(_, writer)| writer.as_raw_fd())
    }
}

pub(crate) use points::{child, creator, descriptor};

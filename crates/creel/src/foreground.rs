//! A command that stays with its process: signals go to it, its end is the command's end.

use std::os::fd::{AsFd, OwnedFd};

use creel_container::{Bundle, CreateOptions, Launched, Notify, Process, Signals};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::failure::Failure;
use crate::terminal::Terminal;

/// What has to be there before the process is.
#[derive(Debug)]
pub(crate) struct Foreground {
    signals: Signals,
    terminal: Option<Terminal>,
    notify: Option<Notify>,
}

impl Foreground {
    /// Holds back every signal, so that none is lost or deadly between here and the process; the process gets none of
    /// that. As subreaper it is the parent of those that the process leaves.
    pub(crate) fn prepare(subreaper: bool) -> Result<Self, Failure> {
        let failed = |errno: Errno| Failure::new(format!("hold back signals: {errno}"));
        if subreaper {
            rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
                .map_err(failed)?;
        }
        Ok(Self { signals: Signals::block().map_err(failed)?, terminal: None, notify: None })
    }

    /// Makes the caller's terminal the container's, if its process wants one and no console socket takes it.
    pub(crate) fn give_terminal(
        &mut self,
        bundle: &mut Bundle,
        options: &mut CreateOptions,
    ) -> Result<(), Failure> {
        if let Some(process) = bundle.spec.process.as_mut().filter(|it| it.terminal)
            && options.console_socket.is_none()
        {
            options.console = Some(self.make_terminal(process)?);
        }
        Ok(())
    }

    /// Takes the caller's terminal for a process, which begins with its size; the socket by which it sends its own.
    pub(crate) fn make_terminal(&mut self, process: &mut Process) -> Result<OwnedFd, Failure> {
        let (terminal, socket) = Terminal::prepare()?;
        if let Some((rows, columns)) = terminal.size() {
            process.set_console_size(rows, columns);
        }
        self.terminal = Some(terminal);
        Ok(socket)
    }

    /// Passes on what the program tells the service manager. This command is the service's process: its end is known
    /// to the service manager, with the exit code, and that of a process which is not its child is not.
    pub(crate) fn forward(&mut self, notify: Option<Notify>) {
        let pid = rustix::process::getpid().as_raw_pid();
        self.notify = notify.map(|notify| notify.with_main_pid(pid));
    }

    /// Stays until the process has ended; its exit code, or 128 and the signal.
    pub(crate) fn accompany(&mut self, process: &Launched) -> Result<i32, Failure> {
        if let Some(terminal) = &mut self.terminal {
            terminal.receive()?;
        }
        loop {
            self.wait_for_something(process)?;
            for signal in self.signals.by_ref() {
                match signal {
                    libc::SIGCHLD => {}
                    libc::SIGWINCH if self.terminal.is_some() => {
                        if let Some(terminal) = &self.terminal {
                            terminal.resize();
                        }
                    }
                    // Goes to whoever uses much CPU or writes to a lost reader: to this process alone.
                    libc::SIGURG | libc::SIGPIPE => {}
                    other => process.signal(other),
                }
            }
            if let Some(terminal) = &mut self.terminal {
                terminal.copy()?;
            }
            let code = process.reap_all();
            if let Some(notify) = &mut self.notify {
                notify.forward();
            }
            if let Some(code) = code {
                if let Some(terminal) = &mut self.terminal {
                    terminal.drain();
                }
                return Ok(code);
            }
        }
    }

    fn wait_for_something(&self, process: &Launched) -> Result<(), Failure> {
        let mut fds = vec![
            PollFd::new(&self.signals, PollFlags::IN),
            PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN),
        ];
        fds.extend(self.notify.iter().map(|it| PollFd::new(it, PollFlags::IN)));
        if let Some(terminal) = &self.terminal {
            terminal.add_to(&mut fds);
        }
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(Failure::new(format!("wait for the process: {errno}"))),
        }
    }
}

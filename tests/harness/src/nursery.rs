//! A process whose forks run the cases. It has them registered already: to start a program anew for each costs as
//! much as a short case itself.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, bail};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use serde_json::{Value, json};

use crate::runtime::Setup;
use crate::{Cases, worker};

/// What a worker needs to know.
#[derive(Debug)]
pub(crate) struct Order<'a> {
    pub(crate) index: usize,
    pub(crate) binary: &'a Path,
    pub(crate) run: &'a Path,
    pub(crate) id: &'a str,
    pub(crate) result: &'a Path,
    pub(crate) messages: &'a Path,
    pub(crate) mutate: bool,
}

/// The caller's end.
#[derive(Debug)]
pub(crate) struct Nursery {
    stream: Mutex<BufReader<UnixStream>>,
    pid: i32,
}

impl Nursery {
    /// Forks it. The caller must be without other threads.
    pub(crate) fn begin(cases: &Cases) -> anyhow::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let pid = fork()?;
        if pid == 0 {
            drop(ours);
            let code = i32::from(serve(cases, theirs).is_err());
            exit(code);
        }
        Ok(Self { stream: Mutex::new(BufReader::new(ours)), pid })
    }

    /// Forks a worker: its process id, which stays its own until [`Nursery::reap`].
    pub(crate) fn start(&self, order: &Order<'_>) -> anyhow::Result<i32> {
        self.ask(&json!({
            "index": order.index, "binary": order.binary, "run": order.run, "id": order.id,
            "result": order.result, "messages": order.messages, "mutate": order.mutate,
        }))
    }

    /// After the worker's end.
    pub(crate) fn reap(&self, pid: i32) -> anyhow::Result<()> {
        self.ask(&json!({ "reap": pid })).map(drop)
    }

    fn ask(&self, words: &Value) -> anyhow::Result<i32> {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        stream.get_mut().write_all(format!("{words}\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_line(&mut answer)?;
        answer.trim().parse().context("the process that forks workers has ended")
    }
}

impl Drop for Nursery {
    fn drop(&mut self) {
        let stream = self.stream.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ended_already = stream.get_mut().shutdown(std::net::Shutdown::Both);
        reap(self.pid);
    }
}

fn serve(cases: &Cases, stream: UnixStream) -> anyhow::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let order: Value = serde_json::from_str(&line)?;
        if let Some(pid) = order["reap"].as_i64().and_then(|pid| i32::try_from(pid).ok()) {
            reap(pid);
            reader.get_mut().write_all(b"0\n")?;
            continue;
        }
        let pid = fork()?;
        if pid == 0 {
            drop(reader);
            let done = work(cases, &order);
            if let Err(error) = &done {
                let _nobody_to_tell = writeln!(std::io::stderr(), "{error:#}");
            }
            exit(i32::from(done.is_err()));
        }
        reader.get_mut().write_all(format!("{pid}\n").as_bytes())?;
    }
}

fn work(cases: &Cases, order: &Value) -> anyhow::Result<()> {
    let path = |name: &str| PathBuf::from(order[name].as_str().unwrap_or_default());
    let messages = File::options().create(true).append(true).open(path("messages"))?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    rustix::stdio::dup2_stdout(&messages)?;
    rustix::stdio::dup2_stderr(&messages)?;
    drop(messages);
    let index = order["index"].as_u64().and_then(|index| usize::try_from(index).ok());
    let case = index.and_then(|index| cases.list.get(index)).context("no such case")?;
    let setup = Setup {
        binary: path("binary"),
        run: path("run"),
        id: String::from(order["id"].as_str().unwrap_or_default()),
        mutation: case.mutation.filter(|_| order["mutate"] == true),
    };
    worker::run(case, setup, &path("result"))
}

fn reap(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _reaped_already = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED);
    }
}

fn fork() -> anyhow::Result<i32> {
    #[expect(unsafe_code, reason = "no library forks without an exec")]
    // SAFETY: this process has one thread, so that no lock is held by another one.
    let pid = unsafe { libc::fork() };
    if pid < 0 {
        bail!("fork: {}", std::io::Error::last_os_error());
    }
    Ok(pid)
}

/// Ends a fork, without what the program does at its end.
fn exit(code: i32) -> ! {
    let _unseen = std::io::stdout().flush();
    #[expect(unsafe_code, reason = "std's exit would run what the parent registered")]
    // SAFETY: it does not return.
    unsafe {
        libc::_exit(code)
    }
}

//! A contest: one job, all participants, in turn, round after round.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::bundle::Place;
use crate::job::Job;
use crate::peer::{Kind, Peer};
use crate::stats::Summary;
use crate::{measure, output, sys};

/// Measurements of memory and system calls hardly differ, so a few are enough.
const FEW: usize = 5;

/// The conditions.
#[derive(Debug)]
pub(crate) struct Contest<'a> {
    pub(crate) job: Job,
    pub(crate) place: &'a Place,
    pub(crate) runs: usize,
    pub(crate) limit: Duration,
}

/// The result of a job.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) job: Job,
    pub(crate) rows: Vec<Row>,
}

/// A participant's result.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// Milliseconds.
    pub(crate) time: Summary,
    /// KiB.
    pub(crate) peak_rss: Option<f64>,
    pub(crate) system_calls: Option<f64>,
}

struct Runner<'a> {
    peer: &'a Peer,
    times: Vec<f64>,
    is_out: bool,
}

impl Contest<'_> {
    /// Who fails or hangs is left out, with a remark; the others go on.
    pub(crate) fn hold(&self, peers: &[Peer]) -> Outcome {
        let mut runners: Vec<Runner> = Vec::new();
        for peer in peers.iter().filter(|peer| self.is_for(peer)) {
            match self.warm_up(peer) {
                Ok(()) => runners.push(Runner { peer, times: Vec::new(), is_out: false }),
                Err(error) => self.leave_out(peer, &error),
            }
        }
        for round in 0..self.runs {
            // Another one begins each time: no one always follows the same.
            let count = runners.len().max(1);
            for turn in 0..runners.len() {
                let Some(runner) = runners.get_mut((round + turn) % count) else { continue };
                self.turn(runner, round);
            }
        }
        let mut rows = Vec::new();
        for runner in runners {
            if let (false, Some(time)) = (runner.is_out, Summary::of(&runner.times)) {
                rows.push(self.row(runner.peer, time));
            }
            self.clean(runner.peer);
        }
        Outcome { job: self.job, rows }
    }

    /// Those that can do the job, the yardsticks not among them; the others are left out with a remark.
    pub(crate) fn able<'p>(&self, peers: &'p [Peer]) -> Vec<&'p Peer> {
        let runtimes = peers.iter().filter(|peer| matches!(peer.kind, Kind::Runtime(_)));
        let able = |peer: &&Peer| match self.warm_up(peer) {
            Ok(()) => true,
            Err(error) => {
                self.leave_out(peer, &error);
                false
            }
        };
        runtimes.filter(able).collect()
    }

    fn is_for(&self, peer: &Peer) -> bool {
        match peer.kind {
            Kind::Runtime(_) => true,
            Kind::Floor | Kind::Spawn => self.job == Job::Run,
        }
    }

    fn leave_out(&self, peer: &Peer, error: &anyhow::Error) {
        output::note(&format!("{}: {} is left out: {error:#}", self.job.name(), peer.name));
        self.clean(peer);
    }

    /// One measurement of a job that needs nothing before and after, in milliseconds.
    pub(crate) fn measure(&self, peer: &Peer, id: &str) -> Result<f64> {
        Ok(self.once(peer, id)?.as_secs_f64() * 1e3)
    }

    fn turn(&self, runner: &mut Runner, round: usize) {
        if runner.is_out {
            return;
        }
        match self.once(runner.peer, &format!("{}-{round}", std::process::id())) {
            Ok(took) => runner.times.push(took.as_secs_f64() * 1e3),
            Err(error) => {
                runner.is_out = true;
                self.leave_out(runner.peer, &error);
            }
        }
    }

    /// Whether the participant can do the job at all, and the container that the job needs.
    fn warm_up(&self, peer: &Peer) -> Result<()> {
        let Kind::Runtime(_) = &peer.kind else { return Ok(()) };
        std::fs::create_dir_all(self.place.state(&peer.name))?;
        if self.job.needs_running() {
            self.try_out(self.create(peer, &resident(peer)))?;
            self.try_out(self.call(peer, &["start", &resident(peer)]))?;
        }
        if matches!(self.job, Job::Create | Job::Start | Job::Delete) {
            return self.once(peer, "warm-up").map(drop);
        }
        self.try_out(self.job_command(peer, "warm-up"))
    }

    fn try_out(&self, mut command: Command) -> Result<()> {
        measure::probe(&mut command, &self.place.path().join("said"), self.limit)
    }

    /// Does the job once, with what has to be done before and after, and returns its own time.
    fn once(&self, peer: &Peer, id: &str) -> Result<Duration> {
        if !matches!(self.job, Job::Create | Job::Start | Job::Delete) {
            return measure::time(&mut self.job_command(peer, id), self.limit);
        }
        let created = measure::time(&mut self.create(peer, id), self.limit)?;
        let init = self.init()?;
        let started = measure::time(&mut self.call(peer, &["start", id]), self.limit)?;
        measure::wait_for(init, self.limit)?;
        sys::wait4(init)?;
        let deleted = measure::time(&mut self.call(peer, &["delete", id]), self.limit)?;
        let of_job = [(Job::Create, created), (Job::Start, started)];
        let own = of_job.into_iter().find(|(job, _)| *job == self.job);
        Ok(own.map_or(deleted, |(_, took)| took))
    }

    /// The command that the job is about, where it needs nothing before and after.
    fn job_command(&self, peer: &Peer, id: &str) -> Command {
        match &peer.kind {
            Kind::Spawn => return Command::new("/bin/true"),
            Kind::Floor => {
                // By its own path, for a tracer would be /proc/self/exe itself.
                let mut command = Command::new(std::env::current_exe().unwrap_or_default());
                command.arg("floor").arg(self.place.rootfs()).arg("/bin/true");
                return command;
            }
            Kind::Runtime(_) => {}
        }
        match self.job {
            Job::State => self.call(peer, &["state", &resident(peer)]),
            Job::List => self.call(peer, &["list"]),
            Job::Exec | Job::ExecSeccomp => {
                self.call(peer, &["exec", &resident(peer), "/bin/true"])
            }
            Job::Create => self.create(peer, id),
            Job::Run | Job::RunSeccomp | Job::Start | Job::Delete => {
                let mut command = self.call(peer, &["run", "--bundle"]);
                command.arg(self.place.bundle(self.job.bundle())).arg(id);
                command
            }
        }
    }

    fn create(&self, peer: &Peer, id: &str) -> Command {
        let mut command = self.call(peer, &["create", "--bundle"]);
        command.arg(self.place.bundle(self.job.bundle()));
        command.arg("--pid-file").arg(self.pid_file()).arg(id);
        command
    }

    fn call(&self, peer: &Peer, words: &[&str]) -> Command {
        let mut command = peer.command(self.place);
        command.args(words);
        command
    }

    fn pid_file(&self) -> PathBuf {
        self.place.path().join("pid")
    }

    fn init(&self) -> Result<i32> {
        let text = std::fs::read_to_string(self.pid_file())?;
        text.trim().parse().context("the pid file")
    }

    /// Removes whatever containers are left of a participant.
    fn clean(&self, peer: &Peer) {
        let ids = std::fs::read_dir(self.place.state(&peer.name)).into_iter().flatten().flatten();
        for id in ids {
            let id = id.file_name();
            let mut command = self.call(peer, &["delete", "--force"]);
            if let Err(error) = self.try_out({
                command.arg(&id);
                command
            }) {
                output::note(&format!("{}: {}: {error:#}", peer.name, id.display()));
            }
        }
        sys::reap_orphans();
    }

    fn row(&self, peer: &Peer, time: Summary) -> Row {
        if matches!(self.job, Job::Create | Job::Start | Job::Delete) {
            return Row { name: peer.name.clone(), time, peak_rss: None, system_calls: None };
        }
        let peaks: Result<Vec<f64>> = (0..FEW)
            .map(|n| measure::peak_rss(&self.job_command(peer, &format!("rss-{n}"))))
            .collect();
        let calls =
            measure::system_calls(&self.job_command(peer, "strace"), self.place.path(), self.limit);
        for (what, error) in
            [("peak RSS", peaks.as_ref().err()), ("system calls", calls.as_ref().err())]
        {
            if let Some(error) = error {
                let job = self.job.name();
                output::note(&format!("{job}: {what} of {} are not known: {error:#}", peer.name));
            }
        }
        let peak_rss = peaks.ok().and_then(|peaks| Summary::of(&peaks)).map(|peaks| peaks.median);
        Row { name: peer.name.clone(), time, peak_rss, system_calls: calls.ok() }
    }
}

/// The container that runs beside the measured command. Its id is the participant's own: two builds
/// of one runtime would put the same id into the same cgroup.
fn resident(peer: &Peer) -> String {
    format!("resident-{}", peer.name)
}

//! What a seccomp profile costs: `run` with it and without, in turn.

use std::fmt;
use std::time::Duration;

use crate::bundle::Place;
use crate::job::Job;
use crate::output;
use crate::peer::Peer;
use crate::round::Contest;
use crate::stats::Summary;

/// A runtime's two medians, in milliseconds.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) name: String,
    pub(crate) without: f64,
    pub(crate) with: f64,
}

impl Pair {
    pub(crate) fn ratio(&self) -> f64 {
        self.with / self.without
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, without, with } = self;
        let ratio = self.ratio();
        write!(f, "run-seccomp / run, in turn: {name:12} {with:.2} / {without:.2} ms = {ratio:.2}")
    }
}

/// Each runtime for itself: first the one, then the other, then the other way round.
pub(crate) fn profile(place: &Place, peers: &[Peer], runs: usize, limit: Duration) -> Vec<Pair> {
    let [without, with] =
        [Job::Run, Job::RunSeccomp].map(|job| Contest { job, place, runs, limit });
    let mut pairs = Vec::new();
    for peer in with.able(peers) {
        let (mut plain, mut filtered) = (Vec::new(), Vec::new());
        for round in 0..runs {
            let mut turn = [(&without, &mut plain), (&with, &mut filtered)];
            if round % 2 == 1 {
                turn.reverse();
            }
            for (contest, times) in turn {
                let name = contest.job.name();
                match contest.measure(peer, &format!("{name}-{round}")) {
                    Ok(took) => times.push(took),
                    Err(error) => output::note(&format!("{name}: {}: {error:#}", peer.name)),
                }
            }
        }
        if let (Some(without), Some(with)) = (Summary::of(&plain), Summary::of(&filtered)) {
            let (without, with) = (without.median, with.median);
            pairs.push(Pair { name: peer.name.clone(), without, with });
        }
    }
    pairs
}

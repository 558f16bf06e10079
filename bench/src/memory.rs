//! The smallest memory limit with which a container starts.

use std::fmt::Write;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use crate::bundle::{Bundle, Place};
use crate::measure;
use crate::peer::{Kind, Peer};

/// No runtime needs more, in KiB.
const MOST: u64 = 64 << 10;
/// How exactly is asked, in KiB.
const STEP: u64 = 64;
/// A limit will do if the container starts so often in a row.
const TIMES: usize = 3;

/// A line for each runtime: without a profile, and with Docker's.
pub(crate) fn table(place: &Place, peers: &[Peer], limit: Duration) -> Result<String> {
    let mut text = format!("{:28} {:>9} {:>9}", "smallest memory limit, KiB", "run", "seccomp");
    for peer in peers {
        let Kind::Runtime(_) = &peer.kind else { continue };
        std::fs::create_dir_all(place.state(&peer.name))?;
        let found = [Bundle::True, Bundle::TrueSeccomp].map(|bundle| {
            let least = smallest(|kib| starts(place, peer, bundle, (kib, limit)))?;
            Ok::<_, anyhow::Error>(least.map_or_else(|| "-".to_owned(), |kib| kib.to_string()))
        });
        let [plain, filtered] = found;
        write!(text, "\n  {:26} {:>9} {:>9}", peer.name, plain?, filtered?)?;
    }
    Ok(text)
}

/// The smallest number of steps, in KiB, that will do; none if none does.
fn smallest(mut will_do: impl FnMut(u64) -> Result<bool>) -> Result<Option<u64>> {
    let (mut low, mut high) = (0, MOST / STEP);
    if !will_do(MOST)? {
        return Ok(None);
    }
    while high - low > 1 {
        let middle = low.midpoint(high);
        if will_do(middle * STEP)? {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(Some(high * STEP))
}

fn starts(place: &Place, peer: &Peer, bundle: Bundle, how: (u64, Duration)) -> Result<bool> {
    let (kib, limit) = how;
    let mut config = bundle.config()?;
    let linux = config.pointer_mut("/linux").and_then(serde_json::Value::as_object_mut);
    let resources = linux.context("the preset's shape")?.entry("resources").or_insert(json!({}));
    let resources = resources.as_object_mut().context("the preset's shape")?;
    resources.insert("memory".into(), json!({ "limit": kib << 10 }));
    let path = place.write("memory", config)?;
    for time in 0..TIMES {
        let id = format!("memory-{}-{kib}-{time}", std::process::id());
        let mut run = peer.command(place);
        run.args(["run", "--bundle"]).arg(&path).arg(&id);
        let started = measure::time(&mut run, limit).is_ok();
        if !started {
            let mut delete = peer.command(place);
            let _ = measure::time(delete.args(["delete", "--force"]).arg(&id), limit);
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_is_found_to_the_step() {
        let from = |least: u64| smallest(move |kib| Ok(kib >= least)).unwrap();
        assert_eq!(from(1), Some(64));
        assert_eq!(from(640), Some(640));
        assert_eq!(from(641), Some(704));
        assert_eq!(from(MOST), Some(MOST));
        assert_eq!(from(MOST + 1), None);
    }
}

//! The runtime killed at any moment: the state tells the truth, `delete --force` removes what there is, and the id can
//! be used again; the leak watch of the frame has the last word. `--kills` tries more moments, and counts.

use anyhow::{Context, bail};
use harness::kill_sweep::{self, COMMANDS};
use harness::{Cases, Outcome, Runtime};

/// Moments of one sweep, from the start of the command to a little after its usual end.
const MOMENTS: u32 = 24;

pub(crate) fn register(cases: &mut Cases) {
    cases.section("cli#killed", "");
    for command in COMMANDS {
        let name =
            format!("a {command} that is killed at any time leaves what delete --force removes");
        cases.cli(&["C11", "R06"], name, move |rt| sweep(rt, command)).limit(300);
    }
}

fn sweep(rt: &Runtime, command: &str) -> Outcome {
    let bundle = kill_sweep::bundle(rt)?;
    let usual = kill_sweep::usual_time(rt, &bundle, command)?;
    for moment in 0..MOMENTS {
        let delay = usual * moment * 6 / (MOMENTS * 5);
        kill_sweep::prepare(rt, &bundle, command)?;
        kill_sweep::kill_after(rt, &bundle, command, delay)?;
        check(rt).with_context(|| format!("killed after {delay:?} of {usual:?}"))?;
    }
    Ok(())
}

/// The state is true, `delete --force` succeeds, and nothing is known of the container afterwards.
fn check(rt: &Runtime) -> Outcome {
    if let Some(lie) = kill_sweep::lie(rt)? {
        bail!("{lie}");
    }
    kill_sweep::delete(rt)?.ok()?;
    rt.command(&["state", rt.id()])?.refused()?;
    Ok(())
}

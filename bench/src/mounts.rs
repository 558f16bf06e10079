//! How time grows with mounts: with those of the config, and with those of the host.

use std::fmt::Write;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::{Value, json};

use crate::bundle::{Bundle, Place};
use crate::peer::{Kind, Peer};
use crate::stats::Summary;
use crate::{measure, output, sys};

/// Mounts of the config.
const COUNTS: [usize; 4] = [100, 300, 1000, 3000];
/// Mounts that the host gets.
const HOST: usize = 5000;

/// Both tables.
pub(crate) fn table(place: &Place, peers: &[Peer], runs: usize, limit: Duration) -> Result<String> {
    let names = fs::read_dir(place.rootfs().join("m")).is_ok();
    if !names {
        for number in 0..COUNTS.iter().max().copied().unwrap_or(0) {
            fs::create_dir_all(place.rootfs().join("m").join(number.to_string()))?;
        }
    }
    for peer in peers {
        fs::create_dir_all(place.state(&peer.name))?;
    }
    let mut text = of_config(place, peers, runs, limit)?;
    text.push_str(&of_host(place, peers, runs, limit)?);
    Ok(text)
}

/// `run` with so many bind mounts.
fn of_config(place: &Place, peers: &[Peer], runs: usize, limit: Duration) -> Result<String> {
    let source = place.path().join("empty");
    fs::create_dir_all(&source)?;
    let mut text = format!("{:20}", "mounts in the config");
    for count in COUNTS {
        let mut config = Bundle::True.config()?;
        let mounts = config.pointer_mut("/mounts").and_then(Value::as_array_mut);
        mounts.context("the preset's shape")?.extend((0..count).map(|number| {
            let to = format!("/m/{number}");
            json!({ "destination": to, "type": "bind", "source": source, "options": ["bind"] })
        }));
        place.write(&format!("mounts-{count}"), config)?;
        write!(text, " {count:>9}")?;
    }
    text.push_str("   each more, µs\n");
    for peer in peers.iter().filter(|peer| matches!(peer.kind, Kind::Runtime(_))) {
        let mut medians = Vec::new();
        for count in COUNTS {
            let bundle = place.path().join(format!("mounts-{count}"));
            let mut times = Vec::new();
            for round in 0..runs {
                let mut run = peer.command(place);
                run.args(["run", "--bundle"]).arg(&bundle).arg(format!("m{count}-{round}"));
                times.push(measure::time(&mut run, limit)?.as_secs_f64() * 1e3);
            }
            medians.push(Summary::of(&times).context("no rounds")?.median);
        }
        write!(text, "  {:18}", peer.name)?;
        medians.iter().try_for_each(|median| write!(text, " {median:>9.1}"))?;
        let grown = COUNTS.windows(2).zip(medians.windows(2));
        for (counts, times) in grown {
            if let ([few, many], [before, after]) = (counts, times) {
                let more = u32::try_from(many - few)?;
                write!(text, " {:>7.1}", (after - before) * 1e3 / f64::from(more))?;
            }
        }
        text.push('\n');
    }
    Ok(text)
}

/// `run`, and the floor, with an ordinary host and with one that has many mounts more: in turn.
fn of_host(place: &Place, peers: &[Peer], runs: usize, limit: Duration) -> Result<String> {
    let ordinary = File::open("/proc/self/ns/mnt")?;
    let crowded = crowded_namespace(place)?;
    let mut times: Vec<[Vec<f64>; 2]> = vec![[Vec::new(), Vec::new()]; peers.len()];
    for round in 0..runs {
        for (which, namespace) in [&ordinary, &crowded].into_iter().enumerate() {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))?;
            for (peer, times) in peers.iter().zip(&mut times) {
                let mut command = run_command(place, peer, &format!("h{which}-{round}"));
                let took = measure::time(&mut command, limit);
                if let (Ok(took), Some(times)) = (took, times.get_mut(which)) {
                    times.push(took.as_secs_f64() * 1e3);
                }
            }
        }
    }
    move_into_link_name_space(ordinary.as_fd(), Some(LinkNameSpaceType::Mount))?;
    let growth = |[few, many]: &[Vec<f64>; 2]| {
        let (few, many) = (Summary::of(few)?.median, Summary::of(many)?.median);
        Some((few, many, many - few))
    };
    let floor = peers.iter().zip(&times).find(|(peer, _)| peer.kind == Kind::Floor);
    let floor = floor.and_then(|(_, times)| growth(times)).context("the floor was not measured")?.2;
    let mut text = format!("{:20} {:>9} {HOST:>8}+ {:>9}\n", "mounts on the host", "few", "growth");
    for (peer, times) in peers.iter().zip(&times) {
        match growth(times) {
            Some((few, many, grown)) => {
                let ratio = grown / floor;
                let name = &peer.name;
                writeln!(
                    text,
                    "  {name:18} {few:>9.2} {many:>9.2} {grown:>9.2} = {ratio:.2} x floor's"
                )?;
            }
            None => output::note(&format!("{} is left out", peer.name)),
        }
    }
    Ok(text)
}

fn run_command(place: &Place, peer: &Peer, id: &str) -> Command {
    match peer.kind {
        Kind::Spawn => Command::new("/bin/true"),
        Kind::Floor => {
            let mut command = Command::new(std::env::current_exe().unwrap_or_default());
            command.arg("floor").arg(place.rootfs()).arg("/bin/true");
            command
        }
        Kind::Runtime(_) => {
            let mut run = peer.command(place);
            run.args(["run", "--bundle"]).arg(place.bundle(Bundle::True)).arg(id);
            run
        }
    }
}

/// A copy of this mount namespace with so many mounts more. It goes away with the last descriptor and process in it.
fn crowded_namespace(place: &Place) -> Result<File> {
    let at = place.path().join("host");
    fs::create_dir_all(&at)?;
    sys::unshare_mounts()?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    mount("tmpfs", &at, "tmpfs", MountFlags::empty(), None)?;
    for number in 0..HOST {
        let directory = at.join(number.to_string());
        fs::create_dir(&directory)?;
        mount_bind(&directory, &directory)?;
    }
    Ok(File::open("/proc/self/ns/mnt")?)
}

//! Reports what a process of a container sees, as one JSON line, and judges nothing.
//!
//! It is linked statically and needs no file of the root filesystem; what `/proc` alone can tell is
//! `null` where there is no `/proc`. Its arguments are probes, made in order before the report:
//!
//! | probe | reports |
//! |---|---|
//! | `read PATH` | length and beginning of what a read returns, or the errno |
//! | `write PATH` | whether one byte can be written (regular files are opened for append) |
//! | `open PATH` | whether it opens for reading and writing (devices) |
//! | `stat PATH` | type, mode, owner, device number |
//! | `list PATH` | names in the directory |
//! | `create PATH`, `mkdir PATH` | whether a file, a directory can be made |
//! | `exec PATH` | how the program ends |
//! | `notify TEXT` | whether the text can be sent to `$NOTIFY_SOCKET` |
//! | `mknod PATH TYPE MAJOR MINOR` | whether the node can be made (and opened) |
//! | `syscall NAME[:ARG,…]` | what the call returns in a child, or the signal that ended it |
//! | `link NAME` | flags of a network link |
//! | `attack MARKER` | (alone) what it reaches of every other process of its pid namespace until `/stop` exists |
//! | `exit N`, `sleep-until-signal`, `kill-self N` | (last) how the checker ends after its report |
#![no_main]
#![expect(
    clippy::indexing_slicing,
    reason = "an absent member of a JSON value is null, and the arrays have fixed lengths"
)]

mod attack;
mod facts;
mod numbers;
mod probe;
mod proc;
mod sys;

use std::io::Write;

use serde_json::{Value, json};

/// How the process ends after its report.
enum End {
    Exit(i32),
    SleepUntilSignal,
    KillSelf(i32),
}

/// The entry point without Rust's runtime, which would change the signal dispositions to be reported.
// SAFETY: the symbol is defined once, with the C signature of `main`.
#[unsafe(no_mangle)]
pub extern "C" fn main(_argc: i32, _argv: *const *const u8) -> i32 {
    let arguments: Vec<String> =
        std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect();
    if let [_, word, marker] = arguments.as_slice()
        && word == "attack"
    {
        return attack::run(marker);
    }
    let mut report = facts::gather();
    report["args"] = json!(arguments);
    let mut words = arguments.iter().skip(1).map(String::as_str);
    let (probes, end) = run_probes(&mut words);
    report["probes"] = Value::Array(probes);
    if let End::SleepUntilSignal = end {
        sys::block_ending_signals();
    }
    let line = format!("{report}\n");
    let mut stdout = std::io::stdout();
    if stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush()).is_err() {
        return 74;
    }
    match end {
        End::Exit(code) => code,
        End::SleepUntilSignal => 128 + sys::wait_for_signal(),
        End::KillSelf(signal) => {
            sys::kill_self(signal);
            75
        }
    }
}

fn run_probes<'a>(words: &mut impl Iterator<Item = &'a str>) -> (Vec<Value>, End) {
    let mut probes = Vec::new();
    let mut end = End::Exit(0);
    while let Some(word) = words.next() {
        let mut next = || words.next().unwrap_or_default();
        match word {
            "exit" => end = End::Exit(next().parse().unwrap_or(76)),
            "sleep-until-signal" => end = End::SleepUntilSignal,
            "kill-self" => end = End::KillSelf(next().parse().unwrap_or(0)),
            "mknod" => probes.push(probe::mknod([next(), next(), next(), next()])),
            name => probes.push(probe::simple(name, next())),
        }
    }
    (probes, end)
}

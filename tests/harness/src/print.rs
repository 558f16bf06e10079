//! The only place that prints.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the output of a command line program"
)]

use std::io::{IsTerminal, Write};

/// A line of the result.
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// A line for people, beside the result.
pub(crate) fn note(text: &str) {
    progress("");
    eprintln!("{text}");
}

/// Replaces the progress line, on a terminal.
pub(crate) fn progress(text: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{text}");
        let _unseen = std::io::stderr().flush();
    }
}

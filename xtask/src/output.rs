//! Everything the tasks print goes through here: colour on a terminal, plain in a pipe.

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

/// How a piece of text is set off from the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Headings.
    Bold,
    /// Remarks.
    Dim,
    /// What went well.
    Green,
    /// What needs attention.
    Yellow,
    /// What went wrong.
    Red,
    /// Commands.
    Cyan,
}

/// Whether standard output wants colour: a terminal, and no `NO_COLOR`.
pub fn is_coloured() -> bool {
    static COLOUR: OnceLock<bool> = OnceLock::new();
    *COLOUR.get_or_init(|| {
        std::io::stdout().is_terminal()
            && std::env::var_os("NO_COLOR").is_none()
            && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
    })
}

/// The text in the style, or as it is where there is no colour.
pub fn paint(style: Style, text: &str) -> String {
    if !is_coloured() {
        return text.to_owned();
    }
    let code = match style {
        Style::Bold => "1",
        Style::Dim => "2",
        Style::Green => "32",
        Style::Yellow => "33",
        Style::Red => "31",
        Style::Cyan => "36",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// Prints a line. A reader that went away is no reason to die.
pub fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

/// Prints a heading, with an empty line before it.
pub fn heading(text: &str) {
    line("");
    line(&paint(Style::Bold, &format!("== {text}")));
}

/// Prints a remark.
pub fn note(text: &str) {
    line(&paint(Style::Dim, text));
}

/// Prints an error to standard error.
pub fn error(text: &str) {
    let _ = writeln!(std::io::stderr(), "xtask: {text}");
}

//! Answers on the standard output. One that nobody reads any more is no error.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{ErrorKind, Write};

use serde::Serialize;

use super::Done;
use crate::exit::ExitCode;
use crate::failure::Failure;

/// `text` with every control character but the `kept` ones as `\u001b`, as JSON has it: what comes from a bundle, an
/// image or a container must not speak to a terminal.
pub(crate) fn printable<'t>(text: &'t str, kept: &[char]) -> Cow<'t, str> {
    let is_control = |c: char| c.is_control() && !kept.contains(&c);
    if !text.contains(is_control) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_control(c) {
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Prints `text`, which has lines and at most tabs besides.
pub(super) fn text(text: &str) -> Done {
    let text = printable(text, &['\n', '\t']);
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Failure::new(format!("write the answer: {error}"))),
    }
}

/// Prints `answer` as indented JSON and a newline.
pub(super) fn json(answer: &impl Serialize) -> Done {
    let json = serde_json::to_string_pretty(answer)
        .map_err(|error| Failure::new(format!("write the answer: {error}")))?;
    text(&(json + "\n"))
}

/// Prints `answer` as one line of JSON.
pub(super) fn json_line(answer: &impl Serialize) -> Done {
    let json = serde_json::to_string(answer)
        .map_err(|error| Failure::new(format!("write the answer: {error}")))?;
    text(&(json + "\n"))
}

/// Lines of columns, each as wide as its widest cell and three blanks, as runc's tables are; the last one is ragged.
pub(super) fn table<const N: usize>(rows: &[[String; N]]) -> Done {
    let width = |column: usize| {
        let cell = |row: &[String; N]| row.get(column).map_or(0, |cell| cell.chars().count());
        rows.iter().map(cell).max().unwrap_or(0).max(9) + 3
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut lines = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count())));
        }
        lines.push_str(line.trim_end());
        lines.push('\n');
    }
    text(&lines)
}

//! How the demo looks.

use crate::output::{self, Style};

/// A command line, as a person would type it.
pub(super) fn command(program: &str, words: &[&str]) {
    let words: Vec<String> = words.iter().map(|word| as_typed(word)).collect();
    output::line(&output::paint(Style::Cyan, &format!("$ {program} {}", words.join(" "))));
}

/// What a command said, set in.
pub(super) fn text(text: &str) {
    text.lines().for_each(|line| output::line(&format!("    {line}")));
}

/// Quoted where a shell needs it; a whole script does not belong on a line.
fn as_typed(word: &str) -> String {
    if word.contains('\n') {
        "…".to_owned()
    } else if word.contains([' ', '*', '$']) {
        format!("'{word}'")
    } else {
        word.to_owned()
    }
}

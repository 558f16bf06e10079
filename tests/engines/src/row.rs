//! A case as data: a command line, and what it has to give.

use harness::{Output, Runtime, ensure_contains, ensure_eq};

/// One container that runs to its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// What holds.
    pub(crate) name: &'static str,
    /// Flags of the engine's `run`. `{dir}` stands for a directory of the case.
    pub(crate) flags: &'static [&'static str],
    /// The command in the container.
    pub(crate) command: &'static [&'static str],
    /// What comes of it.
    pub(crate) gives: Gives,
}

/// The visible result of a command.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Gives {
    /// It succeeds and prints just this.
    Text(&'static str),
    /// It succeeds, and its output contains all of these.
    Words(&'static [&'static str]),
    /// It ends with this code.
    Code(i32),
    /// It ends with this code, and the errors contain one of the words, whatever their case.
    Error(i32, &'static [&'static str]),
}

impl Row {
    /// The flags, with the directory put in.
    pub(crate) fn flags(&self, rt: &Runtime) -> Vec<String> {
        let directory = rt.directory().display().to_string();
        self.flags.iter().map(|flag| flag.replace("{dir}", &directory)).collect()
    }

    /// Compares the result of the command with the row.
    ///
    /// # Errors
    /// If they differ.
    pub(crate) fn judge(&self, output: Output) -> anyhow::Result<()> {
        match self.gives {
            Gives::Text(text) => {
                let output = output.ok()?;
                ensure_eq("output", clean(&output.stdout()).as_str(), text)
            }
            Gives::Words(words) => {
                let output = output.ok()?;
                let text = clean(&output.stdout());
                words.iter().try_for_each(|word| ensure_contains("output", &text, word))
            }
            Gives::Code(code) => output.exits(code).map(drop),
            Gives::Error(code, words) => {
                let output = output.exits(code)?;
                let errors = output.stderr().to_lowercase();
                if words.iter().any(|word| errors.contains(word)) {
                    return Ok(());
                }
                ensure_contains("errors", &errors, &words.join("” or “"))
            }
        }
    }
}

/// A terminal ends lines with a carriage return.
pub(crate) fn clean(text: &str) -> String {
    text.replace('\r', "").trim().to_owned()
}

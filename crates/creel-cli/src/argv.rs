//! Go's flag rules, which callers of runc rely on, brought into the form that clap reads.

use std::ffi::{OsStr, OsString};
use std::ops::ControlFlow;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use clap::{Arg, Command};

/// Rewrites an argument vector so that clap reads it as Go's flag package would:
///
/// - one dash is as good as two: `-bundle`, `--b`;
/// - a switch may carry its value: `--detach=true`, `--detach=false`;
/// - an option takes the next word, whatever that looks like: `--env -x`;
/// - the program's options may follow the command, if that has none of the name;
/// - after the container of `exec` and `ps`, every word belongs to the program to run.
///
/// What `definition` does not know is passed on for clap to refuse.
#[must_use]
pub fn normalise(definition: &Command, args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words = args.into_iter();
    let mut line = Line { program: words.next().into_iter().collect(), ..Line::new(definition) };
    while let Some(word) = words.next() {
        if line.push(word, &mut words).is_break() {
            line.tail().extend(words);
            break;
        }
    }
    line.program.append(&mut line.command);
    line.program
}

/// The line as far as it was read: the program's own words, then the command and its words.
struct Line<'a> {
    definition: &'a Command,
    chosen: Option<Command>,
    positionals: usize,
    program: Vec<OsString>,
    command: Vec<OsString>,
}

impl<'a> Line<'a> {
    fn new(definition: &'a Command) -> Self {
        Self { definition, chosen: None, positionals: 0, program: Vec::new(), command: Vec::new() }
    }

    fn tail(&mut self) -> &mut Vec<OsString> {
        if self.chosen.is_some() { &mut self.command } else { &mut self.program }
    }

    /// Adds one word and the value it takes from `rest`; breaks if `rest` is to be left as it is.
    fn push(
        &mut self,
        word: OsString,
        rest: &mut impl Iterator<Item = OsString>,
    ) -> ControlFlow<()> {
        let bytes = word.as_bytes();
        match bytes.strip_prefix(b"-") {
            None | Some(b"") => return self.positional(word, rest),
            Some(b"-") => {
                self.tail().push(word);
                return ControlFlow::Break(());
            }
            Some(once) => {
                let name = once.strip_prefix(b"-").unwrap_or(once);
                if !self.option(name, rest) && !self.cluster(bytes, rest) {
                    self.tail().push(word);
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn positional(
        &mut self,
        word: OsString,
        rest: &mut impl Iterator<Item = OsString>,
    ) -> ControlFlow<()> {
        let Some(command) = &self.chosen else {
            let named = word.to_str().and_then(|name| self.definition.find_subcommand(name));
            self.chosen = named.cloned();
            self.tail().push(word);
            let Some(command) = &mut self.chosen else { return ControlFlow::Break(()) };
            command.build(); // its arguments are not defined before
            return ControlFlow::Continue(());
        };
        let next = command.get_positionals().nth(self.positionals + 1);
        let verbatim = next.is_some_and(Arg::is_trailing_var_arg_set);
        self.command.push(word);
        self.positionals += 1;
        if !verbatim {
            return ControlFlow::Continue(());
        }
        if let Some(first) = rest.next() {
            // The user's own `--` here is the same separator.
            if first != "--" {
                self.command.push(OsString::from("--"));
            }
            self.command.push(first);
        }
        ControlFlow::Break(())
    }

    /// `name` or `name=value`, its dashes taken off. Returns whether it is known.
    fn option(&mut self, text: &[u8], rest: &mut impl Iterator<Item = OsString>) -> bool {
        let (name, value) = match text.iter().position(|byte| *byte == b'=') {
            Some(at) => {
                let (name, value) = text.split_at(at);
                (name, value.strip_prefix(b"=").map(OsStr::from_bytes))
            }
            None => (text, None),
        };
        // clap adds these two by itself; the short one asks for a summary.
        let help = match name {
            b"help" => Some("--help"),
            b"h" => Some("-h"),
            _ => None,
        };
        if let (Some(help), None) = (help, value) {
            self.tail().push(OsString::from(help));
            return true;
        }
        let Some((arg, words)) = self.find(name) else { return false };
        let Some(long) = arg.get_long() else { return false };
        let long = format!("--{long}");
        if !arg.get_action().takes_values() {
            return switch(words, &long, value);
        }
        if let Some(value) = value.map(OsStr::to_owned).or_else(|| rest.next()) {
            words.push(joined(&long, &value));
            return true;
        }
        words.push(OsString::from(&long));
        if self.program.last().is_some_and(|last| *last == *long) {
            self.command.clear(); // it is not the value that clap is to miss
        }
        true
    }

    /// Short options behind one dash: `-td`, `-b/bundle`, `-tu 0`. Returns whether all are known.
    fn cluster(&mut self, word: &[u8], rest: &mut impl Iterator<Item = OsString>) -> bool {
        let Some(mut letters) = word.strip_prefix(b"-") else { return false };
        let mut switches = Vec::new();
        while let Some((letter, after)) = letters.split_first() {
            let letter = std::slice::from_ref(letter);
            let Some((arg, _)) = self.find(letter) else { return false };
            if arg.get_action().takes_values() && !after.is_empty() {
                let attached = [letter, b"=", after.strip_prefix(b"=").unwrap_or(after)].concat();
                switches.push(attached);
                break;
            }
            switches.push(letter.to_vec());
            letters = after;
        }
        switches.iter().all(|option| self.option(option, rest))
    }

    /// The argument of that name, long or short, and where its words go.
    fn find(&mut self, name: &[u8]) -> Option<(&Arg, &mut Vec<OsString>)> {
        let name = std::str::from_utf8(name).ok()?;
        if let Some(arg) = self.chosen.as_ref().and_then(|command| argument(command, name)) {
            return Some((arg, &mut self.command));
        }
        argument(self.definition, name).map(|arg| (arg, &mut self.program))
    }
}

fn argument<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| {
        let short = arg.get_short().is_some_and(|short| name.chars().eq([short]));
        arg.get_long() == Some(name) || short
    })
}

/// Sets or unsets a switch, of which the last mention counts. Returns whether the value is one of Go's.
fn switch(words: &mut Vec<OsString>, long: &str, value: Option<&OsStr>) -> bool {
    match value.map(OsStr::as_bytes) {
        None | Some(b"1" | b"t" | b"T" | b"true" | b"TRUE" | b"True") => {
            words.push(OsString::from(long));
            true
        }
        Some(b"0" | b"f" | b"F" | b"false" | b"FALSE" | b"False") => {
            words.retain(|word| word != long);
            true
        }
        Some(_) => false,
    }
}

fn joined(long: &str, value: &OsStr) -> OsString {
    OsString::from_vec([long.as_bytes(), b"=", value.as_bytes()].concat())
}

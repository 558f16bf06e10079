//! Where in a JSON text a value stands: from byte to pointer, and from pointer to line.
//!
//! Both are asked only when there is something to report, so loading a good file never pays for
//! them. The walk is iterative: no nesting depth can exhaust the stack.

use std::collections::HashMap;
use std::fmt::Write as _;

/// The pointer of the innermost value that holds the byte before `offset`, where `serde_json` stops
/// reading when it reports an error. Empty for the document itself.
pub(crate) fn pointer_at(text: &[u8], offset: usize) -> String {
    let mut walk = Walk::new(text);
    while let Some(event) = walk.next_event() {
        match event {
            Event::Enter { start } if start >= offset => {
                let parent = walk.parent_len();
                walk.path.truncate(parent);
                break;
            }
            Event::Leave { end } if end >= offset => break,
            Event::Enter { .. } | Event::Leave { .. } => {}
        }
    }
    walk.path
}

/// The line, counted from 1, on which the value of `pointer` begins, or else its nearest parent
/// that exists.
pub(crate) fn line_of(text: &[u8], pointer: &str) -> usize {
    let mut walk = Walk::new(text);
    let mut best = 0;
    let mut deepest = 0;
    while let Some(event) = walk.next_event() {
        let Event::Enter { start } = event else { continue };
        if walk.path.len() >= deepest && is_prefix(&walk.path, pointer) {
            best = start;
            deepest = walk.path.len();
            if deepest == pointer.len() {
                break;
            }
        }
    }
    1 + text.iter().take(best).filter(|byte| **byte == b'\n').count()
}

/// The lines, counted from 1, of those `pointers` that exist, in one pass.
pub(crate) fn lines_of(text: &[u8], pointers: &[&str]) -> Vec<Option<usize>> {
    let mut wanted: HashMap<&str, Option<usize>> =
        pointers.iter().map(|pointer| (*pointer, None)).collect();
    // A path that is longer than all that are asked for is not even looked up: it may be as long as the text.
    let longest = pointers.iter().map(|pointer| pointer.len()).max().unwrap_or(0);
    let (mut line, mut counted) = (1, 0);
    let mut walk = Walk::new(text);
    while let Some(event) = walk.next_event() {
        let Event::Enter { start } = event else { continue };
        line += text
            .get(counted..start)
            .unwrap_or_default()
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        counted = start;
        if walk.path.len() <= longest
            && let Some(found) = wanted.get_mut(walk.path.as_str())
        {
            found.get_or_insert(line);
        }
    }
    pointers.iter().map(|pointer| wanted.get(pointer).copied().flatten()).collect()
}

/// Whether there is a value at `pointer`.
pub(crate) fn exists(text: &[u8], pointer: &str) -> bool {
    let mut walk = Walk::new(text);
    while let Some(event) = walk.next_event() {
        if let Event::Enter { start } = event
            && walk.path == pointer
        {
            return !text.get(start..).is_some_and(|rest| rest.starts_with(b"null"));
        }
    }
    false
}

/// The byte offset of a line and column as `serde_json` counts them.
pub(crate) fn offset_of(text: &[u8], line: usize, column: usize) -> usize {
    let before: usize = text
        .split_inclusive(|byte| *byte == b'\n')
        .take(line.saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    before.saturating_add(column).min(text.len())
}

/// A copy of `text` in which every object member whose value is `null` is blanked out.
/// `None` when there is no such member. Offsets and lines stay the same.
pub(crate) fn without_nulls(text: &[u8]) -> Option<Vec<u8>> {
    let mut copy: Option<Vec<u8>> = None;
    let mut walk = Walk::new(text);
    while let Some(event) = walk.next_event() {
        let Event::Enter { start } = event else { continue };
        if walk.key_start < start && text.get(start..).is_some_and(|rest| rest.starts_with(b"null"))
        {
            blank_member(copy.get_or_insert_with(|| text.to_vec()), walk.key_start, start + 4);
        }
    }
    copy
}

/// Blanks one member and the comma that ties it to its neighbour.
fn blank_member(text: &mut [u8], start: usize, end: usize) {
    let comma_after = text
        .iter()
        .enumerate()
        .skip(end)
        .find(|(_, byte)| !byte.is_ascii_whitespace())
        .filter(|(_, byte)| **byte == b',')
        .map(|(at, _)| at);
    let comma = comma_after.or_else(|| {
        let head = text.get(..start)?;
        head.iter()
            .rposition(|byte| !byte.is_ascii_whitespace())
            .filter(|at| head.get(*at) == Some(&b','))
    });
    if let Some(byte) = comma.and_then(|at| text.get_mut(at)) {
        *byte = b' ';
    }
    if let Some(member) = text.get_mut(start..end) {
        member.iter_mut().filter(|byte| !byte.is_ascii_whitespace()).for_each(|byte| *byte = b' ');
    }
}

/// `a.b` leads to `a.b`, `a.b.c` and `a.b[0]`, not to `a.bc`.
fn is_prefix(path: &str, pointer: &str) -> bool {
    pointer.strip_prefix(path).is_some_and(|rest| {
        path.is_empty() || rest.is_empty() || rest.starts_with('.') || rest.starts_with('[')
    })
}

pub(super) enum Event {
    /// A value begins; the walk's path is its pointer.
    Enter { start: usize },
    /// The value of the walk's path ended before `end`.
    Leave { end: usize },
}

/// One open object or array.
struct Open {
    /// Length of the path of the container itself.
    path_len: usize,
    /// The index of the next element; `None` in an object.
    index: Option<usize>,
}

/// A tolerant walk over a JSON text: it ends where the text stops to be JSON.
pub(super) struct Walk<'a> {
    text: &'a [u8],
    at: usize,
    pub(super) path: String,
    open: Vec<Open>,
    /// Where the key of the value entered last begins; at or after its start in arrays.
    key_start: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Value,
    /// A scalar ends at this offset, its Leave is due.
    Scalar(usize),
    /// Inside a container, before a key, an element or the end.
    Next,
    Done,
}

impl<'a> Walk<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            at: 0,
            path: String::new(),
            open: Vec::new(),
            key_start: usize::MAX,
            state: State::Value,
        }
    }

    /// How many lists and objects are open, the one just entered among them.
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Length of the path of the container around the current value.
    fn parent_len(&self) -> usize {
        self.open.last().map_or(0, |open| open.path_len)
    }

    pub(super) fn next_event(&mut self) -> Option<Event> {
        match self.state {
            State::Done => None,
            State::Value => self.value(),
            State::Scalar(end) => {
                self.state = if self.open.is_empty() { State::Done } else { State::Next };
                self.at = end;
                Some(Event::Leave { end })
            }
            State::Next => self.next_in_container(),
        }
    }

    fn value(&mut self) -> Option<Event> {
        self.skip_space();
        let start = self.at;
        match self.text.get(start)? {
            b'{' | b'[' => {
                let index = (self.text.get(start) == Some(&b'[')).then_some(0);
                self.open.push(Open { path_len: self.path.len(), index });
                self.at += 1;
                self.state = State::Next;
            }
            b'"' => {
                let end = self.string_end(start);
                self.state = State::Scalar(end);
            }
            _ => {
                let rest = self.text.get(start..)?;
                let len = rest.iter().take_while(|byte| is_scalar(**byte)).count();
                if len == 0 {
                    self.state = State::Done;
                    return None;
                }
                self.state = State::Scalar(start + len);
            }
        }
        Some(Event::Enter { start })
    }

    fn next_in_container(&mut self) -> Option<Event> {
        let path_len = self.parent_len();
        self.path.truncate(path_len);
        self.skip_space();
        if self.text.get(self.at) == Some(&b',') {
            self.at += 1;
            self.skip_space();
        }
        match self.text.get(self.at)? {
            b'}' | b']' => {
                self.open.pop();
                self.at += 1;
                self.state = if self.open.is_empty() { State::Done } else { State::Next };
                Some(Event::Leave { end: self.at })
            }
            _ => {
                self.name_next()?;
                self.value()
            }
        }
    }

    /// Appends the key or the index of the next value to the path.
    fn name_next(&mut self) -> Option<()> {
        let open = self.open.last_mut()?;
        if let Some(index) = &mut open.index {
            let _ = write!(self.path, "[{index}]");
            *index += 1;
            self.key_start = usize::MAX;
            return Some(());
        }
        if self.text.get(self.at) != Some(&b'"') {
            return None;
        }
        let (start, end) = (self.at, self.string_end(self.at));
        if !self.path.is_empty() {
            self.path.push('.');
        }
        let key = self.text.get(start + 1..end.saturating_sub(1)).unwrap_or_default();
        self.path.push_str(&String::from_utf8_lossy(key));
        self.key_start = start;
        self.at = end;
        self.skip_space();
        if self.text.get(self.at) == Some(&b':') {
            self.at += 1;
            return Some(());
        }
        None
    }

    fn string_end(&self, start: usize) -> usize {
        let mut at = start + 1;
        while let Some(byte) = self.text.get(at) {
            match byte {
                b'"' => return at + 1,
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        self.text.len()
    }

    fn skip_space(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }
}

fn is_scalar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = br#"{
  "process": {"user": {"uid": "x"}, "args": ["a", 7,
    null]},
  "x": null
}"#;

    fn at(needle: &str) -> usize {
        let text = std::str::from_utf8(TEXT).unwrap();
        text.find(needle).unwrap() + needle.len()
    }

    #[test]
    fn a_byte_leads_to_the_innermost_value() {
        assert_eq!(pointer_at(TEXT, at("\"x\"")), "process.user.uid");
        assert_eq!(pointer_at(TEXT, at("7")), "process.args[1]");
        assert_eq!(pointer_at(TEXT, at("\"x\"}")), "process.user");
        assert_eq!(pointer_at(TEXT, TEXT.len()), "");
        assert_eq!(pointer_at(b"", 0), "");
        assert_eq!(pointer_at(b"{\"a\": {\"b\": tru", 15), "a.b");
    }

    #[test]
    fn a_pointer_leads_to_its_line_or_its_parents() {
        for (pointer, line) in [
            ("", 1),
            ("process", 2),
            ("process.user.uid", 2),
            ("process.args[2]", 3),
            ("process.args[9]", 2),
            ("x", 4),
            ("xy", 1),
            ("linux.seccomp", 1),
        ] {
            assert_eq!(line_of(TEXT, pointer), line, "{pointer}");
        }
    }

    #[test]
    fn null_members_are_blanked_and_nothing_moves() {
        let blanked = without_nulls(TEXT).unwrap();
        assert_eq!(blanked.len(), TEXT.len());
        let value: serde_json::Value = serde_json::from_slice(&blanked).unwrap();
        assert_eq!(value["process"]["args"][2], serde_json::Value::Null);
        assert!(value.get("x").is_none());
        for text in [
            "{\"a\":null}",
            "{\"a\":null,\"b\":1}",
            "{\"b\":1,\"a\":null}",
            "{\"a\":null,\"b\":null,\"c\":null}",
            "{\"a\":{\"b\":null , \"c\":2}}",
        ] {
            let blanked = without_nulls(text.as_bytes()).unwrap();
            assert!(serde_json::from_slice::<serde_json::Value>(&blanked).is_ok(), "{text}");
        }
        assert!(without_nulls(b"{\"a\":[null]}").is_none());
    }

    #[test]
    fn deep_nesting_and_broken_text_end_the_walk() {
        let deep = "[".repeat(100_000);
        assert!(pointer_at(deep.as_bytes(), 3).starts_with("[0]"));
        for text in ["{", "{\"", "{\"a\"", "{\"a\":", "[1,,]", "\u{0}", "}", "{]"] {
            let _ = pointer_at(text.as_bytes(), text.len());
            let _ = line_of(text.as_bytes(), "a.b");
        }
    }
}

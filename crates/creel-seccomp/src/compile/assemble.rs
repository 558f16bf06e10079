//! Writes a program from its end to its start.
//!
//! Jumps of BPF go forward only, so whoever writes the end first knows every target. Equal code
//! behind equal targets is written once. A target further than a jump reaches (255) is copied if it
//! returns, else reached by an unconditional jump.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use super::Instruction;

/// A place in the program, counted from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label(usize);

/// A comparison of the accumulator with a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    /// Equal.
    Eq,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
}

pub(super) const LOAD: u16 = 0x20;
pub(super) const AND: u16 = 0x54;
pub(super) const RETURN: u16 = 0x06;
pub(super) const JUMP: u16 = 0x05;
const JUMP_MAX: usize = u8::MAX as usize;

#[derive(Debug, Default)]
pub(super) struct Assembler {
    reversed: Vec<Instruction>,
    /// Code with its targets, and where it stands.
    known: HashMap<Key, Label, BuildHasherDefault<KeyHasher>>,
}

/// Multiplies and turns: nobody chooses keys to make it slow, the number of instructions is bounded.
#[derive(Debug, Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(23) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0.rotate_left(32)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    code: u16,
    k: u32,
    yes: Option<Label>,
    no: Option<Label>,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let place = |label: Option<Label>| label.map_or(u64::MAX, |label| label.0 as u64);
        state.write_u64(u64::from(self.code) << 32 | u64::from(self.k));
        state.write_u64(place(self.yes) ^ place(self.no).rotate_left(32));
    }
}

impl Assembler {
    /// `return k`
    pub(super) fn ret(&mut self, k: u32) -> Label {
        let key = Key { code: RETURN, k, yes: None, no: None };
        if let Some(label) = self.known.get(&key)
            && self.distance(*label) < JUMP_MAX / 2
        {
            return *label;
        }
        self.push_as(key, 0, 0)
    }

    /// `A = data[offset]`, then `next`.
    pub(super) fn load(&mut self, offset: u32, next: Label) -> Label {
        self.straight(LOAD, offset, next)
    }

    /// `A &= mask`, then `next`.
    pub(super) fn and(&mut self, mask: u32, next: Label) -> Label {
        self.straight(AND, mask, next)
    }

    /// `if A test k then yes else no`
    pub(super) fn branch(&mut self, test: Test, k: u32, yes: Label, no: Label) -> Label {
        if yes == no {
            return yes;
        }
        let code = match test {
            Test::Eq => 0x15,
            Test::Gt => 0x25,
            Test::Ge => 0x35,
        };
        let key = Key { code, k, yes: Some(yes), no: Some(no) };
        if let Some(label) = self.known.get(&key) {
            return *label;
        }
        // What is put in for the second target moves the first one away by one.
        let yes = self.within_reach(yes, 1);
        let no = self.within_reach(no, 0);
        let (jt, jf) = (self.short(yes), self.short(no));
        self.push_as(key, jt, jf)
    }

    /// The program that starts at `start`, which is the last thing written or is jumped to.
    pub(super) fn finish(mut self, start: Label) -> Vec<Instruction> {
        self.follow(start);
        self.reversed.reverse();
        self.reversed
    }

    fn straight(&mut self, code: u16, k: u32, next: Label) -> Label {
        let key = Key { code, k, yes: Some(next), no: None };
        if let Some(label) = self.known.get(&key) {
            return *label;
        }
        self.follow(next);
        self.push_as(key, 0, 0)
    }

    /// Makes `target` what the next instruction falls through to.
    fn follow(&mut self, target: Label) {
        if self.distance(target) > 0 {
            self.reach(target);
        }
    }

    /// A label for `target` that a jump reaches after `more` instructions have come between.
    fn within_reach(&mut self, target: Label, more: usize) -> Label {
        if self.distance(target) + more <= JUMP_MAX { target } else { self.reach(target) }
    }

    /// Writes what leads to `target` from here: a copy if it returns, else a jump.
    fn reach(&mut self, target: Label) -> Label {
        match self.reversed.get(target.0).copied() {
            Some(found) if found.code == RETURN => {
                self.push_as(Key { code: RETURN, k: found.k, yes: None, no: None }, 0, 0)
            }
            _ => {
                let k = u32::try_from(self.distance(target)).unwrap_or(u32::MAX);
                self.push(Instruction { code: JUMP, jt: 0, jf: 0, k })
            }
        }
    }

    /// How many instructions the next one skips to get to `label`.
    fn distance(&self, label: Label) -> usize {
        self.reversed.len() - label.0 - 1
    }

    fn short(&self, label: Label) -> u8 {
        u8::try_from(self.distance(label)).unwrap_or(u8::MAX)
    }

    fn push_as(&mut self, key: Key, jt: u8, jf: u8) -> Label {
        let label = self.push(Instruction { code: key.code, jt, jf, k: key.k });
        self.known.insert(key, label);
        label
    }

    fn push(&mut self, instruction: Instruction) -> Label {
        self.reversed.push(instruction);
        Label(self.reversed.len() - 1)
    }
}

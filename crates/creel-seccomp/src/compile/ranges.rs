//! All numbers of one `AUDIT_ARCH`, cut into ranges with one answer each.

use super::rules::{self, Call, Decision};
use crate::table::ARM_PRIVATE;
use crate::{Action, Arch};

/// The first number of a range and its answer; the range ends where the next one starts.
pub(super) type Range = (u32, Decision);

/// The ranges from 0 to `u32::MAX`, neighbours differ.
///
/// `archs` share one `AUDIT_ARCH`: one of them, or x86-64 and x32.
pub(super) fn ranges(calls: &[Call<'_>], archs: &[Arch], default: Action) -> Vec<Range> {
    let mut ranges = Ranges { list: vec![(0, Decision::always(default))] };
    for arch in archs {
        let (_, end) = rules::span(*arch);
        let decisions = rules::by_number(calls, *arch, default);
        let unknown = rules::unknown_from(calls, *arch, default);
        for (number, decision) in decisions {
            ranges.put(number, number, decision);
        }
        match unknown {
            Some(first) if *arch == Arch::Arm => {
                // No kernel adds to the private calls: what the profile says of them holds.
                ranges.put(first, ARM_PRIVATE.start - 1, rules::enosys());
                ranges.put(ARM_PRIVATE.end, end, rules::enosys());
            }
            Some(first) => ranges.put(first, end, rules::enosys()),
            None => {}
        }
        // A kernel that does not know a call leaves 0 there, the number of the long gone setup(2).
        if unknown.is_some() && matches!(arch, Arch::S390 | Arch::S390X) {
            ranges.put(0, 0, rules::enosys());
        }
    }
    if archs.contains(&Arch::X86_64) && !archs.contains(&Arch::X32) {
        // As a foreign architecture. -1 is what a tracer leaves in place of a call it took away.
        let (first, last) = rules::span(Arch::X32);
        ranges.put(first, last - 1, Decision::always(super::BAD_ARCH));
    }
    ranges.list.dedup_by(|next, previous| next.1 == previous.1);
    ranges.list
}

struct Ranges {
    list: Vec<Range>,
}

impl Ranges {
    /// Gives `first..=last` that answer.
    fn put(&mut self, first: u32, last: u32, decision: Decision) {
        let from = self.cut(first);
        let to = last.checked_add(1).map_or(self.list.len(), |next| self.cut(next));
        self.list.splice(from..to, [(first, decision)]);
    }

    /// Makes a range start at `number`; returns its index.
    fn cut(&mut self, number: u32) -> usize {
        match self.list.binary_search_by_key(&number, |range| range.0) {
            Ok(index) => index,
            Err(index) => {
                let before = index.checked_sub(1).and_then(|before| self.list.get(before));
                if let Some((_, decision)) = before {
                    let decision = decision.clone();
                    self.list.insert(index, (number, decision));
                }
                index
            }
        }
    }
}

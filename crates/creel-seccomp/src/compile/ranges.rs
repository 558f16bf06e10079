//! All numbers of one `AUDIT_ARCH`, cut into ranges with one answer each.

use super::BAD_ARCH;
use super::rules::{self, Call, Decision, UNKNOWN};
use crate::table::ARM_PRIVATE;
use crate::{Action, Arch};

/// The first number of a range and its answer; the range ends where the next one starts.
pub(super) type Range = (u32, Decision);

/// The ranges from 0 to `u32::MAX`, neighbours differ.
///
/// `archs` share one `AUDIT_ARCH`: one of them, or x86-64 and x32.
pub(super) fn ranges(calls: &[Call<'_>], archs: &[Arch], default: Action) -> Vec<Range> {
    let mut archs = archs.to_vec();
    archs.sort_by_key(|arch| rules::span(*arch).0);
    let mut ranges = Ranges { list: Vec::with_capacity(calls.len()) };
    // Numbers below x32's, where x86-64 is not filtered.
    ranges.push(0, Decision::always(BAD_ARCH));
    for arch in &archs {
        let decisions = rules::by_number(calls, *arch, default);
        let unknown = rules::unknown_from(calls, *arch, default);
        let grounds = grounds(*arch, unknown, default);
        ranges.put(&grounds, decisions);
    }
    if archs == [Arch::X86_64] {
        // As a foreign architecture. -1 is what a tracer leaves in place of a call it took away.
        let (first, last) = rules::span(Arch::X32);
        ranges.push(first, Decision::always(BAD_ARCH));
        ranges.push(last, Decision::always(default));
    }
    ranges.list
}

/// What numbers get that no rule is about, and whether it holds for those with a rule too.
struct Ground {
    first: u32,
    action: Action,
    unknown: bool,
}

/// The grounds of one architecture, from the first of its numbers on.
fn grounds(arch: Arch, unknown: Option<u32>, default: Action) -> Vec<Ground> {
    let known = |first| Ground { first, action: default, unknown: false };
    let (begin, _) = rules::span(arch);
    let mut grounds = vec![known(begin)];
    let Some(first) = unknown else { return grounds };
    let unknown = |first| Ground { first, action: UNKNOWN, unknown: true };
    if matches!(arch, Arch::S390 | Arch::S390X) {
        // A kernel that does not know a call leaves 0 there, the number of the long gone setup(2).
        grounds = vec![unknown(0), known(1)];
    }
    grounds.push(unknown(first));
    if arch == Arch::Arm {
        // No kernel adds to the private calls: what the profile says of them holds.
        grounds.extend([known(ARM_PRIVATE.start), unknown(ARM_PRIVATE.end)]);
    }
    grounds
}

struct Ranges {
    list: Vec<Range>,
}

impl Ranges {
    /// Adds the numbers of one architecture: both lists are in their order.
    fn put(&mut self, grounds: &[Ground], decisions: Vec<Range>) {
        let mut decisions = decisions.into_iter().peekable();
        for (i, ground) in grounds.iter().enumerate() {
            let next = grounds.get(i + 1).map_or(u32::MAX, |next| next.first);
            self.push(ground.first, Decision::always(ground.action));
            while let Some((number, decision)) = decisions.next_if(|(number, _)| *number < next) {
                if !ground.unknown {
                    self.push(number, decision);
                    self.push(number + 1, Decision::always(ground.action));
                }
            }
        }
    }

    /// From `first` on it is this.
    fn push(&mut self, first: u32, decision: Decision) {
        self.list.pop_if(|last| last.0 == first);
        if self.list.last().is_none_or(|last| last.1 != decision) {
            self.list.push((first, decision));
        }
    }
}

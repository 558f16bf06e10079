//! The functions of a program, from its symbol table.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result};

use crate::repo::{self, Repo};

/// Functions by address.
pub(super) struct Symbols {
    /// Sorted; several names may have one address.
    list: Vec<(u64, String)>,
}

impl Symbols {
    /// What `nm` knows of a program that is not stripped.
    pub(super) fn of(repo: &Repo, program: &Path) -> Result<Self> {
        let mut nm = repo.command("nm");
        Ok(Self::parse(&repo::output(nm.args(["--numeric-sort", "--defined-only"]).arg(program))?))
    }

    fn parse(text: &str) -> Self {
        let symbol = |line: &str| {
            let mut words = line.splitn(3, ' ');
            let (address, kind, name) = (words.next()?, words.next()?, words.next()?);
            let is_function = matches!(kind, "t" | "T" | "w" | "W" | "i");
            let address = u64::from_str_radix(address, 16).ok()?;
            is_function.then(|| (address, name.to_owned()))
        };
        Self { list: text.lines().filter_map(symbol).collect() }
    }

    /// From the first to the last function.
    pub(super) fn range(&self) -> Result<Range<u64>> {
        let first = self.list.first().context("the program has no symbols")?.0;
        Ok(first..self.list.last().map_or(first, |last| last.0 + 1))
    }

    /// The functions that `addresses` are in, each once, in the order of `addresses`. Names that several functions have
    /// are left out: the linker could not tell which is meant.
    pub(super) fn names(&self, addresses: &[u64]) -> Vec<&str> {
        let mut count = HashMap::<&str, usize>::new();
        for (_, name) in &self.list {
            *count.entry(name).or_default() += 1;
        }
        let mut names = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for address in addresses {
            let end = self.list.partition_point(|(start, _)| start <= address);
            let Some((start, _)) = end.checked_sub(1).and_then(|at| self.list.get(at)) else {
                continue;
            };
            if seen.insert(*start) {
                let from = self.list.partition_point(|(other, _)| other < start);
                let all = self.list.get(from..end).unwrap_or_default();
                names.extend(all.iter().map(|(_, name)| name.as_str()));
            }
        }
        names.retain(|name| count.get(name) == Some(&1));
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_function_is_named_once_in_the_order_of_its_first_address() {
        let text = "10 T one\n20 t two\n20 t alias\n30 t twice\n38 r data\n40 t twice\n50 T last";
        let symbols = Symbols::parse(text);
        assert_eq!(symbols.range().unwrap(), 0x10..0x51);
        let names = symbols.names(&[0x22, 0x12, 0x39, 0x11, 0x45, 0x50]);
        assert_eq!(names, ["two", "alias", "one", "last"]);
    }
}

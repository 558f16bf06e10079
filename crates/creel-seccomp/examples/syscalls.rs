//! Prints `syscalls.csv` with the calls of newer kernel headers added.
//!
//! ```text
//! cargo run -p creel-seccomp --example syscalls -- \
//!     x86_64=/usr/include/x86_64-linux-gnu/asm/unistd_64.h \
//!     x86=/usr/include/x86_64-linux-gnu/asm/unistd_32.h > new.csv
//! ```
//!
//! Each argument is a column and a header that `make headers` writes for it. A number that the
//! table has already must be the header's. A call that the table does not have at all, above 402, is
//! given to every column: from there on the architectures share their numbers.
#![allow(clippy::print_stdout, reason = "the table is the output")]

use std::collections::BTreeMap;
use std::error::Error;
use std::{env, fs};

/// Name to the numbers of each column, as text.
type Table = BTreeMap<String, Vec<String>>;

const SHARED_FROM: u32 = 403;

fn main() -> Result<(), Box<dyn Error>> {
    let csv = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/syscalls.csv"))?;
    let mut lines = csv.lines();
    let head = lines.next().ok_or("syscalls.csv is empty")?;
    let columns: Vec<&str> = head.split(',').skip(1).collect();
    let mut table = Table::new();
    for line in lines {
        let mut fields = line.split(',').map(Into::into);
        table.insert(fields.next().ok_or("a line without a name")?, fields.collect());
    }
    for argument in env::args().skip(1) {
        let (column, header) = argument.split_once('=').ok_or("an argument is COLUMN=HEADER")?;
        let index = columns.iter().position(|known| *known == column).ok_or("no such column")?;
        for (name, number) in read_header(&fs::read_to_string(header)?) {
            add(&mut table, columns.len(), (name, index, number))
                .map_err(|has| format!("{name} is {has} on {column}, {header} says {number}"))?;
        }
    }
    println!("{head}");
    for (name, numbers) in table {
        println!("{name},{}", numbers.join(","));
    }
    Ok(())
}

/// The calls of a header, with numbers less the offset of the architecture.
fn read_header(header: &str) -> impl Iterator<Item = (&str, u32)> {
    header.lines().filter_map(|line| {
        let (name, value) = line.strip_prefix("#define __NR_")?.split_once(char::is_whitespace)?;
        let digits = value.trim_matches(|c: char| !c.is_ascii_digit());
        let number = digits.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
        let is_call = !["Linux", "syscalls", "reserved"].iter().any(|part| name.contains(part));
        is_call.then_some((name, number))
    })
}

/// Adds a number; the error is another one that is there.
fn add(table: &mut Table, columns: usize, call: (&str, usize, u32)) -> Result<(), String> {
    let (name, index, number) = call;
    let text = number.to_string();
    let numbers = table.entry(name.into()).or_insert_with(|| {
        let everywhere = if number >= SHARED_FROM { text.clone() } else { String::new() };
        vec![everywhere; columns]
    });
    match numbers.get_mut(index) {
        Some(there) if there.is_empty() => there.clone_from(&text),
        Some(there) if *there != text => return Err(there.clone()),
        Some(_) | None => {}
    }
    Ok(())
}

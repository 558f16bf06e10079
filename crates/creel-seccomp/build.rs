//! Packs `syscalls.csv` into arrays: one text of all names, one row of numbers for each column.

use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

/// Numbers from here on are ARM's private calls; they are kept as `PRIVATE_PACKED + (n - PRIVATE)`.
const PRIVATE: u32 = 0xf_0000;
const PRIVATE_PACKED: u32 = 0xf000;
/// No such call.
const NONE: u32 = 0xffff;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=syscalls.csv");
    println!("cargo::rerun-if-changed=build.rs");
    let csv = fs::read_to_string("syscalls.csv")?;
    let mut lines = csv.lines();
    let columns = lines.next().ok_or("syscalls.csv is empty")?.split(',').count() - 1;
    let mut names = String::new();
    let mut starts = vec![0];
    let mut numbers = vec![String::new(); columns];
    let mut last = "";
    for line in lines {
        let mut fields = line.split(',');
        let name = fields.next().ok_or("a line without a name")?;
        if name <= last {
            return Err(format!("syscalls.csv: {name} is not sorted").into());
        }
        last = name;
        names.push_str(name);
        starts.push(names.len());
        for row in &mut numbers {
            let field =
                fields.next().ok_or_else(|| format!("syscalls.csv: {name} lacks columns"))?;
            write!(row, "{},", pack(field)?)?;
        }
    }
    let count = starts.len() - 1;
    let mut out = String::new();
    writeln!(out, "static NAMES: &str = {names:?};")?;
    writeln!(out, "static STARTS: [u16; {}] = {starts:?};", count + 1)?;
    writeln!(out, "static NUMBERS: [[u16; {count}]; {columns}] = [")?;
    for row in numbers {
        writeln!(out, "[{row}],")?;
    }
    writeln!(out, "];")?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("table.rs"), out)?;
    Ok(())
}

fn pack(field: &str) -> Result<u32, Box<dyn Error>> {
    if field.is_empty() {
        return Ok(NONE);
    }
    let number: u32 = field.parse()?;
    let packed = if number >= PRIVATE { PRIVATE_PACKED + (number - PRIVATE) } else { number };
    if packed >= NONE {
        return Err(format!("{number} does not fit the table").into());
    }
    Ok(packed)
}

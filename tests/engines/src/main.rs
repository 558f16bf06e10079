//! Real container engines driven through a runtime.

fn main() {}

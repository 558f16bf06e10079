//! Paired measurements of OCI runtimes.

fn main() {}

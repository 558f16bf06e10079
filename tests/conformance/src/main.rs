//! The OCI runtime spec as tests.

fn main() {}

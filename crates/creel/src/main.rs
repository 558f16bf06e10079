//! OCI container runtime: the command.

fn main() {}

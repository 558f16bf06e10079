//! Reports what a container's process sees.

fn main() {}

//! System calls that rustix lacks.

pub(crate) mod bpf;

//! Test frame that drives any OCI runtime.

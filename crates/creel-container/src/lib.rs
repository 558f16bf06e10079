//! OCI containers: bundle, plan, processes, state.

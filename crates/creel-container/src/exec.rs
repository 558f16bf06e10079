//! exec: another process in a running container.

/// What the caller of exec decides.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ExecOptions {}

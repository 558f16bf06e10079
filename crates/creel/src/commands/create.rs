//! `creel create`.

use std::path::PathBuf;

use creel_cli::{CgroupManager, Create, Launch};
use creel_container::{Bundle, ContainerId, CreateOptions};

use super::Done;
use crate::Context;
use crate::exit::ExitCode;

pub(super) fn run(context: &Context<'_>, args: Create) -> Done {
    let id = ContainerId::parse(&args.id)?;
    let bundle = Bundle::open(&args.launch.bundle, args.launch.config.as_deref())?;
    if args.launch.no_subreaper {
        tracing::debug!("--no-subreaper has no effect on create: it waits for no process");
    }
    let options = options(context, args.launch);
    context.runtime()?.create(&id, &bundle, options)?;
    Ok(ExitCode::SUCCESS)
}

/// What `create` and `run` share.
pub(super) fn options(context: &Context<'_>, args: Launch) -> CreateOptions {
    let mut options = CreateOptions::default();
    options.pid_file = args.pid_file;
    options.console_socket = args.console_socket;
    options.pidfd_socket = args.pidfd_socket;
    options.no_pivot = args.no_pivot;
    options.no_new_keyring = args.no_new_keyring;
    options.no_cgroup = context.cli.cgroup_manager == Some(CgroupManager::Disabled);
    options.preserve_fds = args.preserve_fds;
    options.listen_fds = listen_fds();
    options.listen_fd_names = listen_fd_names();
    options.notify_socket = notify_socket();
    options
}

/// The service manager's socket, if there is one.
pub(super) fn notify_socket() -> Option<PathBuf> {
    std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()).map(PathBuf::from)
}

/// `LISTEN_FDNAMES`, which counts only with `LISTEN_FDS`.
pub(super) fn listen_fd_names() -> Option<String> {
    std::env::var("LISTEN_FDNAMES").ok().filter(|names| !names.is_empty())
}

/// `LISTEN_FDS`, if it is meant for this process (`sd_listen_fds(3)`).
pub(super) fn listen_fds() -> u32 {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u32>().ok());
    match number("LISTEN_PID") {
        Some(pid) if pid == std::process::id() => number("LISTEN_FDS").unwrap_or(0),
        Some(_) | None => 0,
    }
}

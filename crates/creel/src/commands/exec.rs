//! `creel exec`.

use std::path::Path;

use creel_cli::Exec;
use creel_container::{Capabilities, Container, ExecOptions, Process, read_process};

use super::{Done, create};
use crate::Context;
use crate::exit::ExitCode;
use crate::failure::{Failure, NOT_EXECUTED};
use crate::foreground::Foreground;

pub(super) fn run(context: &Context<'_>, args: &Exec) -> Done {
    execute(context, args).map_err(|failure| Failure { code: NOT_EXECUTED, ..failure })
}

fn execute(context: &Context<'_>, args: &Exec) -> Done {
    let container = context.open(&args.id)?;
    let mut options = options(args);
    let config = options.config.insert(container.config()?);
    let base = config.spec.process.take();
    let mut process = match &args.process {
        Some(file) => from_file(base, file, args)?,
        None => from_line(&container, base, args)?,
    };
    if args.detach {
        container.exec(&process, options)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut foreground = Foreground::prepare(false)?;
    if process.terminal && options.console_socket.is_none() {
        options.console = Some(foreground.make_terminal(&mut process)?);
    }
    let launched = container.exec(&process, options)?;
    context.log.flush();
    let code = foreground.accompany(&launched)?;
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

fn options(args: &Exec) -> ExecOptions {
    let mut options = ExecOptions::default();
    options.console_socket.clone_from(&args.console_socket);
    options.pidfd_socket.clone_from(&args.pidfd_socket);
    options.pid_file.clone_from(&args.pid_file);
    options.cgroups.clone_from(&args.cgroup);
    options.ignore_paused = args.ignore_paused;
    options.preserve_fds = args.preserve_fds;
    options.listen_fds = create::listen_fds();
    options.listen_fd_names = create::listen_fd_names();
    options
}

/// What the file does not tell is that of the container's own process, as far as it limits and schedules: no limit
/// goes away because an engine leaves it out. podman passes `--tty` beside the file.
fn from_file(base: Option<Process>, file: &Path, args: &Exec) -> Result<Process, Failure> {
    let mut process = read_process(file)?;
    process.terminal |= args.tty;
    let Some(base) = base else { return Ok(process) };
    process.capabilities = process.capabilities.or(base.capabilities);
    process.apparmor_profile = given(process.apparmor_profile).or(base.apparmor_profile);
    process.selinux_label = given(process.selinux_label).or(base.selinux_label);
    process.rlimits = process.rlimits.filter(|limits| !limits.is_empty()).or(base.rlimits);
    process.oom_score_adj = process.oom_score_adj.or(base.oom_score_adj);
    process.scheduler = process.scheduler.or(base.scheduler);
    process.io_priority = process.io_priority.or(base.io_priority);
    process.exec_cpu_affinity = process.exec_cpu_affinity.or(base.exec_cpu_affinity);
    Ok(process)
}

fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// The process of the container's config, changed by the command line as runc does.
fn from_line(
    container: &Container,
    base: Option<Process>,
    args: &Exec,
) -> Result<Process, Failure> {
    let mut process = base.ok_or_else(|| {
        Failure::new(format!("container {} has no process: give --process", container.id()))
    })?;
    process.terminal = args.tty;
    process.args = Some(args.command.clone());
    process.env.get_or_insert_default().extend(args.env.iter().cloned());
    if let Some(cwd) = &args.cwd {
        process.cwd.clone_from(cwd);
    }
    if let Some(profile) = &args.apparmor {
        process.apparmor_profile = Some(profile.clone());
    }
    if let Some(label) = &args.process_label {
        process.selinux_label = Some(label.clone());
    }
    process.no_new_privileges |= args.no_new_privs;
    if let Some(user) = args.user {
        process.user.set_uid(user.uid);
        if let Some(gid) = user.gid {
            process.user.set_gid(gid);
        }
    }
    if !args.additional_gids.is_empty() {
        let mut gids = process.user.additional_gids().clone().unwrap_or_default();
        gids.extend(&args.additional_gids);
        process.user.set_additional_gids(Some(gids));
    }
    add_capabilities(&mut process, &args.cap);
    Ok(process)
}

/// Into every set, as runc does; inheritable stays as it is (CVE-2022-29162).
fn add_capabilities(process: &mut Process, names: &[String]) {
    if names.is_empty() {
        return;
    }
    let sets = process.capabilities.get_or_insert_with(Capabilities::default);
    for set in [&mut sets.bounding, &mut sets.effective, &mut sets.permitted] {
        let set = set.get_or_insert_default();
        for name in names {
            if !set.contains(name) {
                set.push(name.clone());
            }
        }
    }
}

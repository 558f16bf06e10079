//! `creel exec`.

use std::path::PathBuf;

use clap::Args;

use crate::values::User;

/// Runs another process in a running container.
///
/// What the options do not say is taken from the container's own process, or, with --process, from that file. The exit status is that of the process, 128 and the number of the signal that ended it, or 255 if it could not be run.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Exec {
    /// Read the process from FILE, an object like the configuration's process.
    #[arg(long, short, value_name = "FILE", conflicts_with = "command")]
    pub process: Option<PathBuf>,

    /// Send the master of the process' terminal to the unix socket at PATH.
    #[arg(long, value_name = "PATH")]
    pub console_socket: Option<PathBuf>,

    /// Send a pidfd of the process to the unix socket at PATH.
    #[arg(long, value_name = "PATH")]
    pub pidfd_socket: Option<PathBuf>,

    /// Run the process in DIR of the container.
    #[arg(long, value_name = "DIR")]
    pub cwd: Option<PathBuf>,

    /// Add a variable to the environment of the container's process, or replace it there.
    #[arg(long, short, value_name = "NAME=VALUE")]
    pub env: Vec<String>,

    /// Give the process a terminal.
    #[arg(long, short)]
    pub tty: bool,

    /// Run the process as this user and group.
    #[arg(long, short, value_name = "UID[:GID]")]
    pub user: Option<User>,

    /// Add the process to one more group.
    #[arg(long, short = 'g', value_name = "GID")]
    pub additional_gids: Vec<u32>,

    /// Return as soon as the process runs.
    #[arg(long, short)]
    pub detach: bool,

    /// Write the process id to FILE.
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,

    /// Run the process with this SELinux label.
    #[arg(long, value_name = "LABEL")]
    pub process_label: Option<String>,

    /// Run the process under this AppArmor profile.
    #[arg(long, value_name = "PROFILE")]
    pub apparmor: Option<String>,

    /// Let the process gain no privileges by execve(2).
    #[arg(long)]
    pub no_new_privs: bool,

    /// Give the process one more capability, by name.
    #[arg(long, short = 'c', value_name = "CAP")]
    pub cap: Vec<String>,

    /// Pass N more file descriptors, from 3 on and after those of $LISTEN_FDS, to the process.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub preserve_fds: u32,

    /// Run the process in a cgroup below the container's, of one v1 controller or of all.
    #[arg(long, value_name = "[CONTROLLER:]PATH")]
    pub cgroup: Vec<String>,

    /// Do not refuse a paused container; the process runs when that is resumed.
    #[arg(long)]
    pub ignore_paused: bool,

    /// Name of the container.
    #[arg(value_name = "ID")]
    pub id: String,

    /// The program and its arguments.
    #[arg(
        value_name = "COMMAND",
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required_unless_present = "process"
    )]
    pub command: Vec<String>,
}

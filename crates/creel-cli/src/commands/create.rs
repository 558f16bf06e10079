//! `creel create`, and the options it shares with `run`.

use std::path::PathBuf;

use clap::Args;

/// Makes a container from a bundle, without running its process yet.
///
/// The command start runs the process, delete removes what was made.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Create {
    /// How the container is made.
    #[command(flatten)]
    pub launch: Launch,

    /// Name for the container, unique below --root.
    #[arg(value_name = "ID")]
    pub id: String,
}

/// How a container is made from a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Launch {
    /// Take the container from the bundle in DIR.
    #[arg(long, short, value_name = "DIR", default_value = ".")]
    pub bundle: PathBuf,

    /// Read the configuration from FILE instead of the bundle's config.json.
    #[arg(long, short = 'f', value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Send the master of the container's terminal to the unix socket at PATH.
    #[arg(long, value_name = "PATH")]
    pub console_socket: Option<PathBuf>,

    /// Send a pidfd of the container's process to the unix socket at PATH.
    #[arg(long, value_name = "PATH")]
    pub pidfd_socket: Option<PathBuf>,

    /// Write the process id of the container's process to FILE.
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,

    /// Move the root filesystem over / instead of calling pivot_root(2), which a host on an initramfs refuses.
    #[arg(long)]
    pub no_pivot: bool,

    /// Keep the caller's session keyring instead of giving the container a new one.
    #[arg(long)]
    pub no_new_keyring: bool,

    /// Pass N more file descriptors, from 3 on and after those of $LISTEN_FDS, to the process.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub preserve_fds: u32,

    /// Leave orphans of the container's process to the caller's reaper instead of reaping them.
    #[arg(long)]
    pub no_subreaper: bool,
}

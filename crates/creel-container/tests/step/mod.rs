//! Steps on the real kernel: each test forks, enters namespaces of its own, executes steps, and looks at what the
//! kernel shows. Everything it makes dies with the namespaces.

mod device;
mod links;
mod mask;
mod mount;
mod old_kernel;
mod process;
mod program;
mod root;
mod rootfs;
mod sandbox;
mod terminal;
mod user_namespace;

use sandbox::{Sandbox, sandbox, text};

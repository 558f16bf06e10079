//! `NOTIFY_SOCKET` of the caller: the program gets a socket of its own in its place (`sd_notify(3)`).

use std::os::unix::ffi::OsStrExt;

use super::compiler::Compiler;
use super::options;
use crate::notify::{DIRECTORY_INSIDE, SOCKET_INSIDE};
use crate::pointer::Pointer;
use crate::step::{Attributes, Bind, Links, Mount, MountKind, Step, Text};

const VARIABLE: &str = "NOTIFY_SOCKET=";

/// Mounts the socket's directory. An engine that has put a socket there by the config keeps its own.
pub(super) fn directory(c: &mut Compiler<'_>) {
    let Some(source) = c.options.notify.clone() else { return };
    let Some(process) = &c.spec.process else { return };
    let is_set = process.env.iter().flatten().any(|variable| variable.starts_with(VARIABLE));
    let mut mounts = c.spec.mounts.iter().flatten();
    if is_set || mounts.any(|mount| mount.destination().starts_with(DIRECTORY_INSIDE)) {
        return;
    }
    let at = Pointer::new("process.env");
    let path = c.text(&at, source.as_os_str().as_bytes());
    let destination = c.text(&at, DIRECTORY_INSIDE);
    let step = Mount {
        kind: MountKind::Bind(Bind {
            source: path,
            recursive: false,
            links: Links::default(),
            ignored: Vec::new(),
        }),
        destination,
        attributes: options::harmless(),
        recursive: Attributes::default(),
        propagation: Vec::new(),
    };
    c.plan.notify = Some(source);
    c.step(at, Step::Mount(Box::new(step)));
}

/// Tells the program.
pub(super) fn variable(c: &mut Compiler<'_>) {
    let Some(program) = c.plan.program.as_mut().filter(|_| c.plan.notify.is_some()) else { return };
    program.env.extend(Text::new(format!("{VARIABLE}{SOCKET_INSIDE}")));
}

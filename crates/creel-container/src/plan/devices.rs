//! Device nodes, and the links of `/dev`.

use std::os::unix::ffi::OsStrExt;

use oci_spec::runtime::{LinuxDevice, LinuxDeviceType};

use super::compiler::Compiler;
use super::mounts::dev_is_the_hosts;
use crate::pointer::Pointer;
use crate::step::{Device, DeviceKind, DeviceLink, Step};

/// The devices every container has (config-linux.md#default-devices), with the kernel's numbers. `/dev/console` and
/// `/dev/ptmx` are made otherwise.
const DEFAULT_DEVICES: [(&str, (u32, u32)); 6] = [
    ("/dev/null", (1, 3)),
    ("/dev/zero", (1, 5)),
    ("/dev/full", (1, 7)),
    ("/dev/random", (1, 8)),
    ("/dev/urandom", (1, 9)),
    ("/dev/tty", (5, 0)),
];

/// The links every container has (runtime-linux.md#dev-symbolic-links), and `/dev/ptmx` of its own devpts.
const LINKS: [(&str, &str); 6] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/core", "/proc/kcore"),
    ("/dev/ptmx", "pts/ptmx"),
];

/// The default devices, then those of the config, which replace a default one of the same path.
pub(super) fn nodes(c: &mut Compiler<'_>) {
    let listed = c.linux.and_then(|linux| linux.devices().as_deref()).unwrap_or_default();
    let hosts_dev = dev_is_the_hosts(c);
    for (path, number) in DEFAULT_DEVICES {
        if hosts_dev
            || listed.iter().any(|device| device.path().as_os_str().as_bytes() == path.as_bytes())
        {
            continue;
        }
        let at = Pointer::new("linux.devices");
        let path = c.text(&at, path);
        let kind = DeviceKind::Char;
        let device = Device { path, kind, number, mode: 0o666, uid: 0, gid: 0, default: true };
        c.step(at, Step::Device(device));
    }
    for (i, device) in listed.iter().enumerate() {
        let at = Pointer::item("linux.devices", i);
        if hosts_dev && device.path().starts_with("/dev") {
            let path = device.path().display();
            c.plan.warnings.push(format!("{at}: {path} is not made, as /dev is the host's"));
            continue;
        }
        let device = node(c, &at, device);
        c.step(at, Step::Device(device));
    }
}

fn node(c: &mut Compiler<'_>, at: &Pointer, device: &LinuxDevice) -> Device {
    let kind = match device.typ() {
        LinuxDeviceType::B => DeviceKind::Block,
        LinuxDeviceType::P => DeviceKind::Fifo,
        LinuxDeviceType::A | LinuxDeviceType::C | LinuxDeviceType::U => DeviceKind::Char,
    };
    let number = match kind {
        DeviceKind::Fifo => (0, 0),
        DeviceKind::Char | DeviceKind::Block => {
            // `validate` has seen that both fit.
            (u32::try_from(device.major()).unwrap_or(0), u32::try_from(device.minor()).unwrap_or(0))
        }
    };
    Device {
        path: c.text(at, device.path().as_os_str().as_bytes()),
        kind,
        number,
        // Engines copy the type's bits from the host's `st_mode` too.
        mode: device.file_mode().map_or(0o666, |mode| mode & 0o7777),
        uid: device.uid().unwrap_or(0),
        gid: device.gid().unwrap_or(0),
        default: false,
    }
}

/// The links of `/dev`.
pub(super) fn links(c: &mut Compiler<'_>) {
    if dev_is_the_hosts(c) {
        return;
    }
    for (path, target) in LINKS {
        let at = Pointer::new("linux");
        let link = DeviceLink { path: c.text(&at, path), target: c.text(&at, target) };
        c.step(at, Step::DeviceLink(link));
    }
}

//! User namespaces: the container's root is nobody on the host.

use harness::{Cases, Outcome, ensure_contains, ensure_eq};

use super::{Podman, case, rows};
use crate::row::{Gives, Row, clean};

const ROWS: &[Row] = &[
    Row {
        name: "ids are mapped",
        flags: &["--uidmap=0:100000:5000", "--gidmap=0:200000:5000"],
        command: &[
            "sh",
            "-c",
            "tr -s ' ' </proc/self/uid_map; tr -s ' ' </proc/self/gid_map; id -u; id -g",
        ],
        gives: Gives::Text("0 100000 5000\n 0 200000 5000\n0\n0"),
    },
    Row {
        name: "the files of the image belong to the mapped root",
        flags: &["--uidmap=0:100000:5000"],
        command: &["stat", "-c", "%u %g", "/bin/busybox"],
        gives: Gives::Text("0 0"),
    },
    Row {
        name: "the mapped root may mount and write",
        flags: &["--uidmap=0:100000:5000", "--cap-add=sys_admin"],
        command: &[
            "sh",
            "-c",
            "mount -t tmpfs x /mnt && touch /mnt/x /new && stat -c %u /mnt/x /new",
        ],
        gives: Gives::Text("0\n0"),
    },
    Row {
        name: "the usual devices are there with mapped ids",
        flags: &["--uidmap=0:100000:5000"],
        command: &["sh", "-c", "echo x >/dev/null && head -c 3 /dev/zero | wc -c"],
        gives: Gives::Text("3"),
    },
];

pub(super) fn register(cases: &mut Cases) {
    cases.section("podman#users", "");
    rows(cases, ROWS);
    case(cases, "a command joins the container with mapped ids", exec);
}

fn exec(podman: &Podman<'_>) -> Outcome {
    let maps = ["--uidmap=0:100000:5000", "--gidmap=0:100000:5000"];
    std::os::unix::fs::chown(podman.share(), Some(100_000), Some(100_000))?;
    podman.service("box", &maps)?;
    let output =
        podman.podman(&["exec", "box", "sh", "-c", "id -u; cat /proc/self/uid_map"])?.ok()?;
    let text = clean(&output.stdout());
    ensure_contains("output", &text, "100000")?;
    ensure_eq("uid", text.lines().next(), Some("0"))
}

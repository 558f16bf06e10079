//! What every user of `podman run` sees: output, exit codes, errors, terminal, streams.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use harness::{Cases, Outcome, ensure_contains, ensure_eq};

use super::{Podman, case, rows};
use crate::row::{Gives, Row, clean};

const ROWS: &[Row] = &[
    Row {
        name: "the command's output is podman's",
        flags: &[],
        command: &["echo", "hello"],
        gives: Gives::Text("hello"),
    },
    Row {
        name: "the exit code is podman's",
        flags: &[],
        command: &["sh", "-c", "exit 42"],
        gives: Gives::Code(42),
    },
    Row {
        name: "a process that a signal ended gives 128 and its number",
        flags: &["--pid=host"],
        command: &["sh", "-c", "kill -TERM $$"],
        gives: Gives::Code(143),
    },
    Row {
        name: "a missing command gives 127",
        flags: &[],
        command: &["/no-such-program"],
        gives: Gives::Error(127, &["no such file or directory", "not found"]),
    },
    Row {
        name: "a command that is in no directory of PATH gives 127",
        flags: &[],
        command: &["no-such-program"],
        gives: Gives::Error(127, &["executable file", "no such file or directory"]),
    },
    Row {
        name: "a file that must not be executed gives 126",
        flags: &[],
        command: &["/bin/no-program"],
        gives: Gives::Error(126, &["permission denied"]),
    },
    Row {
        name: "a directory is no command and gives 126",
        flags: &[],
        command: &["/bin"],
        gives: Gives::Error(126, &["permission denied", "is a directory"]),
    },
    Row {
        name: "the environment is the one of the image and the flags",
        flags: &["--env=COLOUR=blue", "--env=EMPTY="],
        command: &["sh", "-c", "echo $COLOUR-$EMPTY-$PATH; env | grep -c ^EMPTY="],
        gives: Gives::Text("blue--/bin\n1"),
    },
    Row {
        name: "the command starts in the working directory",
        flags: &["--workdir=/usr/bin"],
        command: &["sh", "-c", "pwd"],
        gives: Gives::Text("/usr/bin"),
    },
    Row {
        name: "the user is a number",
        flags: &["--user=1234:5678"],
        command: &["sh", "-c", "id -u; id -g"],
        gives: Gives::Text("1234\n5678"),
    },
    Row {
        name: "the user is a name of the image",
        flags: &["--user=user"],
        command: &["sh", "-c", "id -u; id -g"],
        gives: Gives::Text("1000\n1000"),
    },
    Row {
        name: "the user gets additional groups",
        flags: &["--user=1000:1000", "--group-add=77", "--group-add=88"],
        command: &["sh", "-c", "grep ^Groups /proc/self/status"],
        gives: Gives::Words(&["77", "88"]),
    },
    Row {
        name: "the command is not the leader's child: it is process 1",
        flags: &[],
        command: &["sh", "-c", "echo $$"],
        gives: Gives::Text("1"),
    },
    Row {
        name: "arguments arrive as they are",
        flags: &[],
        command: &["sh", "-c", "for a; do echo \"<$a>\"; done", "x", "a b", "", "*", "$HOME"],
        gives: Gives::Text("<a b>\n<>\n<*>\n<$HOME>"),
    },
];

pub(super) fn register(cases: &mut Cases) {
    cases.section("podman#run", "");
    rows(cases, ROWS);
    case(cases, "standard error is not mixed with standard output", streams);
    case(cases, "standard input reaches the command", input);
    case(cases, "a terminal is the command's", terminal);
    case(cases, "files that are to be kept are passed on", preserved);
    case(cases, "a directory is the root filesystem", rootfs);
    case(cases, "an init of the user's is the first process", init);
    case(cases, "a lot of output arrives whole", much);
}

fn streams(podman: &Podman<'_>) -> Outcome {
    let output = podman.run(&[], &["sh", "-c", "echo one; echo two >&2"])?.ok()?;
    ensure_eq("output", clean(&output.stdout()).as_str(), "one")?;
    ensure_eq("errors", clean(&output.stderr()).as_str(), "two")
}

fn input(podman: &Podman<'_>) -> Outcome {
    let words = podman.container("run", &["--rm", "-i"]);
    let call = podman.call(&words).args(["cat"]).stdin("through the pipe\n");
    let output = podman.rt.finish(call)?.ok()?;
    ensure_eq("output", clean(&output.stdout()).as_str(), "through the pipe")
}

/// `script` gives podman the terminal that this test has not.
fn terminal(podman: &Podman<'_>) -> Outcome {
    let mut words = vec![String::from("/usr/bin/podman")];
    words.extend(podman.words());
    words.extend(podman.container("run", &["--rm", "-t"]));
    words.push(String::from("sh -c 'tty; test -t 0 && test -t 1 && test -t 2 && exit 9'"));
    let mut call = super::environment(podman.rt, podman.rt.program("/usr/bin/script"));
    call = call.args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"]);
    let output = podman.rt.finish(call)?.exits(9)?;
    ensure_contains("output", &clean(&output.stdout()), "/dev/pts/0")
}

fn preserved(podman: &Podman<'_>) -> Outcome {
    let mut words = vec![String::from("exec 3<<X\nkept\nX\nexec /usr/bin/podman")];
    words.extend(podman.words());
    words.extend(podman.container("run", &["--rm", "--preserve-fds=1"]));
    words.push(String::from("sh -c 'cat <&3; ls /proc/self/fd | wc -l'"));
    let call = super::environment(podman.rt, podman.rt.program("/bin/sh"));
    let output = podman.rt.finish(call.args(["-c", &words.join(" ")]))?.ok()?;
    // The four that the shell has, and the directory which `ls` reads.
    ensure_eq("output", clean(&output.stdout()).as_str(), "kept\n5")
}

fn rootfs(podman: &Podman<'_>) -> Outcome {
    let root = podman.image.root().display().to_string();
    let output = podman.run(&["--rootfs", &root], &["/bin/echo", "from a directory"])?.ok()?;
    ensure_eq("output", clean(&output.stdout()).as_str(), "from a directory")
}

/// podman calls the init as `/run/podman-init -- COMMAND`.
fn init(podman: &Podman<'_>) -> Outcome {
    let file = podman.rt.directory().join("init");
    fs::write(&file, "#!/bin/sh\nshift\n\"$@\"\nexit $?\n")?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    let path = format!("--init-path={}", file.display());
    let script = "tr '\\0' ' ' </proc/1/cmdline; exit 3";
    let output = podman.run(&["--init", &path], &["sh", "-c", script])?.exits(3)?;
    ensure_contains("the first process", &output.stdout(), "/run/podman-init -- sh -c")
}

fn much(podman: &Podman<'_>) -> Outcome {
    let output = podman.run(&[], &["seq", "1", "100000"])?.ok()?;
    let text = output.stdout();
    ensure_eq("lines", text.lines().count(), 100_000)?;
    ensure_eq("the last line", text.lines().last(), Some("100000"))
}

//! `podman exec`: further processes in a running container.

use harness::{Cases, Outcome, ensure_contains, ensure_eq};

use super::{Podman, case};
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
        command: &["sh", "-c", "exit 43"],
        gives: Gives::Code(43),
    },
    Row {
        name: "a process that a signal ended gives 128 and its number",
        flags: &[],
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
        name: "a file that must not be executed gives 126",
        flags: &[],
        command: &["/bin/no-program"],
        gives: Gives::Error(126, &["permission denied"]),
    },
    Row {
        name: "user, directory and environment are the command's own",
        flags: &["--user=1000", "--workdir=/usr", "--env=COLOUR=red"],
        command: &["sh", "-c", "id -u; pwd; echo $COLOUR"],
        gives: Gives::Text("1000\n/usr\nred"),
    },
    Row {
        name: "the command is in the container's process tree",
        flags: &[],
        command: &["sh", "-c", "tr '\\0' ' ' </proc/1/cmdline | grep -c ready"],
        gives: Gives::Text("1"),
    },
    Row {
        name: "the container's filter, capabilities and limits bind the command",
        flags: &[],
        command: &[
            "sh",
            "-c",
            "grep -E '^(Seccomp|NoNewPrivs|CapEff):' /proc/self/status; ulimit -n",
        ],
        gives: Gives::Text("CapEff:\t0000000000000400\nNoNewPrivs:\t1\nSeccomp:\t2\n321"),
    },
    Row {
        name: "a privileged command has more capabilities",
        flags: &["--privileged"],
        command: &["sh", "-c", "grep CapEff /proc/self/status"],
        gives: Gives::Words(&["000001ff"]),
    },
];

pub(super) fn register(cases: &mut Cases) {
    cases.section("podman#exec", "");
    for row in ROWS {
        cases.cli(&[], row.name, move |rt| {
            super::with(rt, |podman| {
                let flags = ["--ulimit=nofile=321:321", "--security-opt=no-new-privileges"];
                let caps = ["--cap-drop=all", "--cap-add=net_bind_service"];
                podman.service("box", &[flags, caps].concat())?;
                let words = [&["exec"], row.flags, &["box"], row.command].concat();
                row.judge(podman.podman(&words)?)
            })
        });
    }
    case(cases, "standard input reaches the command", input);
    case(cases, "a terminal is the command's", terminal);
    case(cases, "a detached command runs on its own", detached);
    case(cases, "the command is in the container's cgroups and namespaces", same_place);
    case(cases, "a command in a container that has ended is refused", ended);
    case(cases, "commands at once get their own exit codes", many);
}

fn input(podman: &Podman<'_>) -> Outcome {
    podman.service("box", &[])?;
    let call = podman.call(&["exec", "-i", "box", "cat"]).stdin("through the pipe\n");
    let output = podman.rt.finish(call)?.ok()?;
    ensure_eq("output", clean(&output.stdout()).as_str(), "through the pipe")
}

fn terminal(podman: &Podman<'_>) -> Outcome {
    podman.service("box", &[])?;
    let mut words = vec![String::from("/usr/bin/podman")];
    words.extend(podman.words());
    words.push(String::from("exec -t box sh -c 'tty; test -t 0 && test -t 1 && exit 9'"));
    let call = super::environment(podman.rt, podman.rt.program("/usr/bin/script"));
    let call = call.args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"]);
    let output = podman.rt.finish(call)?.exits(9)?;
    ensure_contains("output", &clean(&output.stdout()), "/dev/pts/")
}

fn detached(podman: &Podman<'_>) -> Outcome {
    podman.service("box", &[])?;
    podman.podman(&["exec", "-d", "box", "touch", "/share/detached"])?.ok()?;
    podman.shared("detached")
}

fn same_place(podman: &Podman<'_>) -> Outcome {
    podman.service("box", &[])?;
    let script = "for n in net pid ipc uts mnt cgroup; do \
        test $(readlink /proc/1/ns/$n) = $(readlink /proc/self/ns/$n) || echo $n differs; done; \
        cat /proc/1/cgroup >/share/first; cat /proc/self/cgroup >/share/second";
    let output = podman.podman(&["exec", "box", "sh", "-c", script])?.ok()?;
    ensure_eq("namespaces", clean(&output.stdout()).as_str(), "")?;
    let read = |name| std::fs::read_to_string(podman.share().join(name));
    ensure_eq("cgroups", read("second")?, read("first")?)
}

fn ended(podman: &Podman<'_>) -> Outcome {
    podman.detached("box", &[], &["true"])?;
    podman.wait("box")?;
    let output = podman.podman(&["exec", "box", "true"])?;
    ensure_eq("exec succeeds", output.code == 0, false)
}

fn many(podman: &Podman<'_>) -> Outcome {
    podman.service("box", &[])?;
    let mut running = Vec::new();
    for code in 0..5 {
        let script = format!("exit {code}");
        running.push(podman.call(&["exec", "box", "sh", "-c", &script]).spawn()?);
    }
    for (number, one) in running.into_iter().enumerate() {
        ensure_eq("exit code", usize::try_from(one.wait()?.code)?, number)?;
    }
    Ok(())
}

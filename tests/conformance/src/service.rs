//! A container that is a service of systemd: it tells when it is ready, and gets sockets.

use std::fs;
use std::io::Write;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::{Path, PathBuf};

use anyhow::Context;
use harness::{
    Bundle, Call, Cases, Outcome, Output, Report, Runtime, ensure_contains, ensure_eq, skip, wait,
};

pub(crate) fn register(cases: &mut Cases) {
    cases.section("cli#service", "");
    let first = cases.list.len();
    for access in ["main", "all"] {
        cases.cli(
            &["C27"],
            format!("a service with NotifyAccess={access} is up once its program is ready"),
            move |rt| up_once_ready(rt, access),
        );
    }
    cases.cli(&["C27"], "systemctl kill reaches the program of a service", |rt| {
        let (unit, _) = running(rt, &[])?;
        unit.control(&["kill", "--kill-whom=main", "--signal=USR1"])?;
        unit.ended()?;
        ensure_eq("exit code", unit.show("ExecMainStatus")?.as_str(), "138")
    });
    cases.cli(&["C27"], "run --detach hands the program over to the service manager", detached);
    cases.cli(
        &["C27"],
        "a program can wait until the service manager has heard it (BARRIER)",
        |rt| {
            let (_unit, service) = running(rt, &[])?;
            service.say("--status=heard")
        },
    );
    cases.cli(
        &["C27"],
        "what a running program says of itself reaches the service manager",
        |rt| {
            let (unit, service) = running(rt, &[])?;
            for (said, property, value) in [
                ("STATUS=at work", "StatusText", "at work"),
                ("ERRNO=2", "StatusErrno", "2"),
                ("STOPPING=1", "ActiveState", "deactivating"),
            ] {
                service.say(said)?;
                ensure_eq(said, unit.show(property)?.as_str(), value)?;
            }
            Ok(())
        },
    );
    cases.cli(
        &["C27"],
        "a program does not say who is the service, or who may speak for it",
        |rt| {
            let (unit, service) = running(rt, &[])?;
            let main = unit.show("MainPID")?;
            for said in ["MAINPID=1", "FDSTORE=1", "NOTIFYACCESS=none"] {
                service.say(said)?;
            }
            service.say("STATUS=still heard")?;
            ensure_eq("StatusText", unit.show("StatusText")?.as_str(), "still heard")?;
            ensure_eq("MainPID", unit.show("MainPID")?, main)
        },
    );
    cases
        .cli(
            &["C27"],
            "podman --sdnotify=container: a service is up once its program is ready",
            |rt| podman(rt, true),
        )
        .slow();
    cases
        .cli(&["C27"], "podman --sdnotify=conmon: a service is up once its program runs", |rt| {
            podman(rt, false)
        })
        .slow();
    cases.cli(&["C28"], "a service that is started by its socket gets it", sockets);
    for case in cases.list.iter_mut().skip(first) {
        case.limit(240);
    }
}

fn needed() -> Outcome {
    if !Path::new("/run/systemd/system").is_dir() {
        return skip("needs systemd");
    }
    Ok(())
}

/// A unit of the machine's service manager, which is gone after this.
#[derive(Debug)]
struct Unit<'a> {
    rt: &'a Runtime,
    name: String,
}

impl<'a> Unit<'a> {
    fn new(rt: &'a Runtime) -> Self {
        Self { rt, name: format!("{}.service", rt.id()) }
    }

    /// Has the runtime started in the case's mount namespace, by `systemd-run` with these flags.
    fn call(&self, flags: &[&str], words: &[&str]) -> Call {
        self.program(flags)
            .args([self.rt.binary()])
            .args([Path::new("--root"), &self.rt.root()])
            .args(words)
    }

    /// The same for the program that is the first of the arguments to come.
    fn program(&self, flags: &[&str]) -> Call {
        let mount = format!("--mount=/proc/{}/ns/mnt", std::process::id());
        self.rt
            .program("/usr/bin/systemd-run")
            .args(["--quiet", "--unit", &self.name])
            .args(flags)
            .args(["/usr/bin/nsenter", &mount, "--"])
    }

    fn control(&self, words: &[&str]) -> anyhow::Result<Output> {
        let call = self.rt.program("/usr/bin/systemctl").args(words).args([&self.name]);
        self.rt.finish(call)
    }

    fn show(&self, property: &str) -> anyhow::Result<String> {
        let output = self.control(&["show", "--value", "--property", property])?.ok()?;
        Ok(String::from(output.stdout().trim()))
    }

    /// Waits until the service's process has ended, and the manager knows.
    fn ended(&self) -> Outcome {
        if let Ok(pid @ 1..) = self.show("MainPID")?.parse::<i32>() {
            wait::ended(pid)?;
        }
        // A job of its own comes after what the manager has to do with the end.
        self.control(&["stop"]).map(drop)
    }
}

impl Drop for Unit<'_> {
    fn drop(&mut self) {
        let _may_be_gone = self.control(&["stop"]);
        let _may_be_gone = self.control(&["reset-failed"]);
        let _may_be_gone = self.rt.command(&["delete", "--force", self.rt.id()]);
    }
}

/// Says what it reads from a FIFO, by `systemd-notify`, which waits until the service manager has heard it.
const SCRIPT: &str = "trap 'exit 138' USR1; trap 'exit 143' TERM; touch /share/up; n=0; while :; do \
    read -r word < /share/say; n=$((n+1)); /usr/bin/systemd-notify \"$word\" && touch /share/said$n; done";

/// A container that says what it is told to, by `systemd-notify` of the host.
#[derive(Debug)]
struct Service {
    share: PathBuf,
}

impl Service {
    /// Its program says that it is ready once it was told so.
    fn new(rt: &Runtime) -> anyhow::Result<(Self, Bundle)> {
        needed()?;
        let share = rt.directory().join("share");
        fs::create_dir(&share)?;
        let mode = rustix::fs::Mode::from(0o600);
        rustix::fs::mkfifoat(rustix::fs::CWD, share.join("say"), mode)?;
        let mut bundle = rt.bundle()?;
        for name in ["lib", "lib64"] {
            symlink(format!("usr/{name}"), bundle.rootfs().join(name))?;
        }
        bundle
            .mount("/usr", "bind", "/usr", &["rbind", "ro"])
            .mount("/share", "bind", &share.to_string_lossy(), &["bind"])
            .shell(SCRIPT);
        Ok((Self { share }, bundle))
    }

    fn up(&self) -> Outcome {
        self.file("up")
    }

    fn file(&self, name: &str) -> Outcome {
        let file = self.share.join(name);
        wait::directory(&self.share, || Ok(file.exists().then_some(())))
    }

    /// Has the program say this, and waits until the service manager has heard it.
    fn say(&self, word: &str) -> Outcome {
        let count =
            (1..).find(|n| !self.share.join(format!("said{n}")).exists()).context("count")?;
        self.tell(word)?;
        self.file(&format!("said{count}"))
    }

    fn tell(&self, word: &str) -> Outcome {
        let mut fifo = fs::File::options().write(true).open(self.share.join("say"))?;
        Ok(writeln!(fifo, "{word}")?)
    }
}

const NOTIFY: [&str; 1] = ["--property=Type=notify"];

fn run_words<'w>(rt: &'w Runtime, bundle: &'w Bundle) -> [&'w str; 4] {
    ["run", "--bundle", bundle.path().to_str().unwrap_or_default(), rt.id()]
}

/// A service that is up.
fn running<'r>(rt: &'r Runtime, flags: &[&str]) -> anyhow::Result<(Unit<'r>, Service)> {
    let (service, bundle) = Service::new(rt)?;
    rt.write(&bundle)?;
    let unit = Unit::new(rt);
    let flags: Vec<&str> = NOTIFY.iter().chain(flags).copied().collect();
    let starting = unit.call(&flags, &run_words(rt, &bundle)).spawn()?;
    service.up()?;
    service.tell("READY=1")?;
    rt.remember(&starting.wait()?.ok()?);
    Ok((unit, service))
}

fn up_once_ready(rt: &Runtime, access: &str) -> Outcome {
    let (service, bundle) = Service::new(rt)?;
    rt.write(&bundle)?;
    let unit = Unit::new(rt);
    let access = format!("--property=NotifyAccess={access}");
    let flags: Vec<&str> = NOTIFY.iter().copied().chain([access.as_str()]).collect();
    let starting = unit.call(&flags, &run_words(rt, &bundle)).spawn()?;
    service.up()?;
    ensure_eq("ActiveState", unit.show("ActiveState")?.as_str(), "activating")?;
    service.tell("READY=1")?;
    rt.remember(&starting.wait()?.ok()?);
    ensure_eq("ActiveState", unit.show("ActiveState")?.as_str(), "active")?;
    let main: i32 = unit.show("MainPID")?.parse()?;
    let line = fs::read_to_string(format!("/proc/{main}/cmdline"))?;
    ensure_contains("command line of MainPID", &line, rt.id())?;
    unit.control(&["stop"])?.ok()?;
    ensure_eq("exit code", unit.show("ExecMainStatus")?.as_str(), "143")?;
    ensure_eq("result", unit.show("Result")?.as_str(), "exit-code")?;
    rt.command(&["state", rt.id()])?.refused().map(drop)
}

fn detached(rt: &Runtime) -> Outcome {
    let (service, bundle) = Service::new(rt)?;
    rt.write(&bundle)?;
    let unit = Unit::new(rt);
    let mut words = vec!["run", "--detach"];
    words.extend(run_words(rt, &bundle).into_iter().skip(1));
    let starting = unit.call(&NOTIFY, &words).spawn()?;
    service.up()?;
    service.tell("READY=1")?;
    rt.remember(&starting.wait()?.ok()?);
    let main: i32 = unit.show("MainPID")?.parse()?;
    ensure_eq("MainPID", main, rt.pid()?)?;
    ensure_eq("ActiveState", unit.show("ActiveState")?.as_str(), "active")?;
    // The shell goes on only when what it waits for has come.
    unit.control(&["kill", "--signal=KILL"])?.ok()?;
    unit.ended()?;
    ensure_eq("signal", unit.show("ExecMainStatus")?.as_str(), "9")?;
    ensure_eq("status", rt.status()?.as_str(), "stopped")?;
    rt.command(&["delete", rt.id()])?.ok().map(drop)
}

fn sockets(rt: &Runtime) -> Outcome {
    needed()?;
    let mut bundle = rt.bundle()?;
    bundle.probe(&["sleep-until-signal"]);
    rt.write(&bundle)?;
    let unit = Unit::new(rt);
    let listen = format!("--socket-property=ListenStream=@{}", rt.id());
    let out = format!("--property=StandardOutput=truncate:/run/{}.out", rt.id());
    rt.finish(unit.call(&[&listen, &out], &run_words(rt, &bundle)))?.ok()?;
    let address = SocketAddr::from_abstract_name(rt.id())?;
    let _connection = UnixStream::connect_addr(&address)?;
    let file = PathBuf::from(format!("/run/{}.out", rt.id()));
    let seen = wait::directory(Path::new("/run"), || {
        Ok(fs::read_to_string(&file).ok().and_then(|text| Report::parse(&text).ok()))
    });
    let socket = rt.program("/usr/bin/systemctl").args(["stop", &format!("{}.socket", rt.id())]);
    rt.finish(socket)?;
    let _kept_in_a_failure = fs::remove_file(&file);
    let seen = seen?;
    ensure_contains("fd 3", seen.text("/fds/3"), "socket:")?;
    for variable in ["LISTEN_FDS=1", "LISTEN_PID=1"] {
        ensure_eq(variable, seen.texts("/env").contains(&variable), true)?;
    }
    Ok(())
}

const CONF: &str = "[containers]\napparmor_profile = \"unconfined\"\nlabel = false\nlog_driver = \"k8s-file\"\n\
    netns = \"none\"\n[engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\nlock_type = \"file\"\n";

/// Podman in the foreground of a service; `by_program`: it is the program that tells when it is ready.
fn podman(rt: &Runtime, by_program: bool) -> Outcome {
    needed()?;
    if !Path::new("/usr/bin/podman").exists() {
        return skip("needs podman");
    }
    let (service, bundle) = Service::new(rt)?;
    let directory = rt.directory().display();
    fs::write(rt.directory().join("containers.conf"), CONF)?;
    let environment = [
        format!("--setenv=HOME={directory}"),
        format!("--setenv=TMPDIR={directory}"),
        format!("--setenv=CONTAINERS_CONF={directory}/containers.conf"),
    ];
    let binary = format!("--runtime={}", rt.binary().display());
    let parts = [("root", "store"), ("runroot", "runroot"), ("tmpdir", "tmpdir")];
    let mut podman: Vec<String> =
        parts.iter().map(|(flag, name)| format!("--{flag}={directory}/{name}")).collect();
    podman.extend([binary, String::from("--cgroup-manager=cgroupfs")]);
    let share = format!("--volume={}:/share", service.share.display());
    let name = format!("--name={}", rt.id());
    let parent = format!("--cgroup-parent=/{}", rt.id());
    let rootfs = bundle.rootfs();
    let run = [
        "run",
        if by_program { "--sdnotify=container" } else { "--sdnotify=conmon" },
        &name,
        &parent,
        &share,
        "--volume=/usr:/usr:ro",
        "--rootfs",
        rootfs.to_str().unwrap_or_default(),
        "/bin/sh",
        "-c",
        SCRIPT,
    ];
    let unit = Unit::new(rt);
    let mut flags = vec!["--property=Type=notify", "--property=NotifyAccess=all"];
    flags.extend(environment.iter().map(String::as_str));
    let starting =
        unit.program(&flags).args(["/usr/bin/podman"]).args(&podman).args(run).spawn()?;
    let judged = (|| {
        service.up()?;
        if by_program {
            ensure_eq("ActiveState", unit.show("ActiveState")?.as_str(), "activating")?;
            service.tell("READY=1")?;
        }
        rt.remember(&starting.wait()?.ok()?);
        ensure_eq("ActiveState", unit.show("ActiveState")?.as_str(), "active")?;
        let main = unit.show("MainPID")?;
        ensure_eq("MainPID", fs::read_to_string(format!("/proc/{main}/comm"))?.trim(), "conmon")
    })();
    let mut removal = rt.program("/usr/bin/podman").args(&podman);
    removal = removal.args(["rm", "--force", "--time=0", rt.id()]).env("HOME", rt.directory());
    removal = removal.env("CONTAINERS_CONF", rt.directory().join("containers.conf"));
    let removed = rt.finish(removal);
    drop(unit);
    let parent = harness::cgroup::hierarchy("").join(rt.id());
    let _kept_if_in_use = fs::remove_dir(parent.join("conmon"));
    let _kept_if_in_use = fs::remove_dir(parent);
    judged.and(removed.and_then(Output::ok).map(drop))
}

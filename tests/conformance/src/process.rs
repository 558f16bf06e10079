//! `config.md#process`: arguments, environment, working directory, user.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use harness::{Bundle, Cases, Outcome, Report, Runtime, bundle, ensure_eq};
use serde_json::{Value, json};

pub(crate) fn register(cases: &mut Cases) {
    cases.section("config.md#process", "1.0.0");
    arguments(cases);
    environment(cases);
    working_directory(cases);
    cases.section("config.md#user", "1.0.0");
    user(cases);
}

fn arguments(cases: &mut Cases) {
    cases.must(&["E04"], "the program gets its arguments unchanged", exact_arguments);
    cases
        .must(&["C35"], "a program without a slash is looked up in PATH of process.env", |rt| {
            let mut bundle = rt.bundle()?;
            fs::hard_link(bundle.rootfs().join("checker"), bundle.rootfs().join("home/only-here"))?;
            bundle.set("/process/env", json!(["PATH=/nowhere:/home"])).args(&["only-here"]);
            rt.report(&bundle).map(drop)
        })
        .mutation(|config| config["process"]["env"] = json!(["PATH=/nowhere:/bin"]));
    cases
        .must(&["C35"], "PATH of the caller is not used", |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set("/process/env", json!(["PATH=/nowhere"])).args(&["true"]);
            rt.run(&bundle, &[])?.refused().map(drop)
        })
        .mutation(|config| config["process"]["env"] = json!(["PATH=/bin"]));
    cases
        .must(&["C35"], "a relative program with a slash is taken from process.cwd", |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set("/process/cwd", "/bin").args(&["./true"]);
            rt.run(&bundle, &[])?.ok().map(drop)
        })
        .mutation(|config| config["process"]["cwd"] = json!("/"));
    cases
        .must(&["E04"], "empty args are refused", |rt| refuse(rt, "/process/args", json!([])))
        .mutation(|config| config["process"]["args"] = json!(["/bin/true"]));
    cases
        .must(&["E04"], "absent args are refused", |rt| {
            let mut bundle = rt.bundle()?;
            bundle.remove("/process/args");
            rt.run(&bundle, &[])?.refused().map(drop)
        })
        .mutation(|config| config["process"]["args"] = json!(["/bin/true"]));
    cases
        .must(&["C32"], "a program that does not exist is refused", |rt| {
            refuse(rt, "/process/args", json!(["/no-such-program"]))
        })
        .mutation(|config| config["process"]["args"] = json!(["/bin/true"]));
    cases
        .must(&["C32"], "a program that may not be executed is refused", not_executable)
        .mutation(|config| config["process"]["args"] = json!(["/bin/true"]));
    cases
        .must(&["C32"], "a directory is refused as the program", |rt| {
            refuse(rt, "/process/args", json!(["/etc"]))
        })
        .mutation(|config| config["process"]["args"] = json!(["/bin/true"]));
    cases
        .must(&["E04"], "a script is run by its interpreter", |rt| {
            let mut bundle = rt.bundle()?;
            let script = bundle.file("/script", "#!/bin/sh\nexit 9\n")?;
            fs::set_permissions(script, fs::Permissions::from_mode(0o755))?;
            bundle.args(&["/script"]);
            rt.run(&bundle, &[])?.exits(9).map(drop)
        })
        .mutation(|config| config["process"]["args"] = json!(["/bin/true"]));
}

fn exact_arguments(rt: &Runtime) -> Outcome {
    let arguments = vec![
        "/checker",
        "stat",
        "",
        "stat",
        "two words",
        "stat",
        "\"'$\\",
        "stat",
        "ü\n",
        "stat",
        "-x",
    ];
    let mut bundle = rt.bundle()?;
    bundle.args(&arguments);
    ensure_eq("arguments", rt.report(&bundle)?.texts("/args"), arguments)
}

fn not_executable(rt: &Runtime) -> Outcome {
    let mut bundle = rt.bundle()?;
    bundle.file("/plain", "no program")?;
    bundle.args(&["/plain"]);
    rt.run(&bundle, &[])?.refused().map(drop)
}

fn refuse(rt: &Runtime, pointer: &str, value: Value) -> Outcome {
    let mut bundle = rt.bundle()?;
    bundle.set(pointer, value);
    rt.run(&bundle, &[])?.refused().map(drop)
}

fn environment(cases: &mut Cases) {
    cases
        .must(&["E04"], "the program has the environment of the config", exact_environment)
        .mutation(|config| bundle::remove(config, "/process/env"));
    cases.must(&["E04"], "nothing of the caller's environment reaches the program", |rt| {
        let bundle = rt.bundle()?;
        rt.write(&bundle)?;
        let call = rt.bundle_call("run", rt.id(), &bundle, &[]).env("FROM_THE_CALLER", "1");
        let output = rt.finish(call)?.ok()?;
        let seen = Report::parse(&output.stdout())?;
        let leaked: Vec<&str> =
            seen.texts("/env").into_iter().filter(|v| v.contains("FROM_THE_CALLER")).collect();
        ensure_eq("the caller's variables", leaked, Vec::<&str>::new())
    });
    cases.section("cli#environment", "");
    cases
        .cli(&["C34"], "HOME is taken from the container's passwd if the config has none", |rt| {
            home(rt, 1000, json!(["A=b"]), "HOME=/home/user")
        })
        .mutation(|config| config["process"]["user"]["uid"] = json!(4242));
    cases
        .cli(&["C34"], "HOME of the config is kept", |rt| {
            home(rt, 1000, json!(["HOME=/mine"]), "HOME=/mine")
        })
        .mutation(|config| bundle::remove(config, "/process/env"));
    cases.cli(&["C34"], "HOME of a user without a passwd entry is /", |rt| {
        home(rt, 4242, json!(["A=b"]), "HOME=/")
    });
    cases.section("config.md#process", "1.0.0");
}

fn exact_environment(rt: &Runtime) -> Outcome {
    let expected =
        vec!["PATH=/bin", "HOME=/root", "EMPTY=", "WORDS=two words", "EQUALS=a=b=c", "LINES=1\n2"];
    let mut bundle = rt.bundle()?;
    bundle.set("/process/env", json!(expected));
    let seen = rt.report(&bundle)?;
    let mut found = seen.texts("/env");
    let mut expected = expected;
    // The order is not specified.
    found.sort_unstable();
    expected.sort_unstable();
    ensure_eq("environment", found, expected)
}

fn home(rt: &Runtime, uid: u32, env: Value, expected: &str) -> Outcome {
    let mut bundle = rt.bundle()?;
    bundle.set("/process/env", env).set("/process/user/uid", uid);
    let seen = rt.report(&bundle)?;
    let found: Vec<&str> =
        seen.texts("/env").into_iter().filter(|v| v.starts_with("HOME=")).collect();
    ensure_eq("HOME", found, vec![expected])
}

fn working_directory(cases: &mut Cases) {
    cases
        .must(&["E03"], "the program starts in process.cwd", |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set("/process/cwd", "/home/user");
            ensure_eq("cwd", rt.report(&bundle)?.text("/cwd"), "/home/user")
        })
        .mutation(|config| config["process"]["cwd"] = json!("/"));
    cases
        .must(&["E03"], "a relative process.cwd is refused", |rt| {
            refuse(rt, "/process/cwd", json!("home"))
        })
        .mutation(|config| config["process"]["cwd"] = json!("/"));
    cases
        .must(&["E03"], "an empty process.cwd is refused", |rt| {
            refuse(rt, "/process/cwd", json!(""))
        })
        .mutation(|config| config["process"]["cwd"] = json!("/"));
    cases
        .must(&["E03"], "a process.cwd that is a file is refused", |rt| {
            refuse(rt, "/process/cwd", json!("/etc/passwd"))
        })
        .mutation(|config| config["process"]["cwd"] = json!("/"));
    cases
        .must(&["E03"], "an absent process.cwd is refused", |rt| {
            let mut bundle = rt.bundle()?;
            bundle.remove("/process/cwd");
            rt.run(&bundle, &[])?.refused().map(drop)
        })
        .mutation(|config| config["process"]["cwd"] = json!("/"));
    cases.section("cli#cwd", "");
    cases
        .cli(&["T05"], "a process.cwd that is missing is made", |rt| {
            let mut bundle = rt.bundle()?;
            bundle.set("/root/readonly", false).set("/process/cwd", "/new/directory");
            ensure_eq("cwd", rt.report(&bundle)?.text("/cwd"), "/new/directory")
        })
        .mutation(|config| config["process"]["cwd"] = json!("/"));
    cases
        .cli(&["C33"], "a process.cwd that leads out of the container stays inside", |rt| {
            let mut bundle = rt.bundle()?;
            std::os::unix::fs::symlink("/../../../../tmp", bundle.rootfs().join("out"))?;
            bundle.set("/process/cwd", "/out");
            ensure_eq("cwd", rt.report(&bundle)?.text("/cwd"), "/tmp")
        })
        .mutation(|config| config["process"]["cwd"] = json!("/"));
    cases.section("config.md#process", "1.0.0");
}

fn user(cases: &mut Cases) {
    for (name, uid, gid) in
        [("root", 0, 0), ("a listed user", 1000, 1000), ("an unlisted user", 12345, 54321)]
    {
        let case = cases.must(
            &["E18"],
            format!("all user and group ids are those of {name}"),
            move |rt| {
                let mut bundle = rt.bundle()?;
                bundle.set("/process/user/uid", uid).set("/process/user/gid", gid);
                let seen = rt.report(&bundle)?;
                for (kind, expected) in [("uid", uid), ("gid", gid)] {
                    for prefix in ["", "e", "s", "fs"] {
                        let id = format!("{prefix}{kind}");
                        ensure_eq(&id, seen.at(&format!("/ids/{id}")).as_u64(), Some(expected))?;
                    }
                }
                Ok(())
            },
        );
        if uid > 0 {
            case.mutation(|config| config["process"]["user"] = json!({ "uid": 0, "gid": 0 }));
        }
    }
    cases
        .must(
            &["E19"],
            "the process has the additional groups of the config, and no others",
            |rt| {
                let mut bundle = rt.bundle()?;
                bundle.set("/process/user/additionalGids", json!([5, 1000, 70000]));
                groups(rt, &bundle, &json!([5, 1000, 70000]))
            },
        )
        .mutation(|config| bundle::remove(config, "/process/user/additionalGids"));
    cases.must(&["E19"], "without additional groups the process has none of the caller's", |rt| {
        let seen = run_with_groups(rt, &rt.bundle()?)?;
        let left = seen.at("/ids/groups").as_array().into_iter().flatten();
        let left: Vec<u64> = left.filter_map(Value::as_u64).filter(|group| *group > 0).collect();
        ensure_eq("groups", left, Vec::<u64>::new())
    });
    for (mask, text) in [(0o077, "0077"), (0o027, "0027"), (0o000, "0000"), (0o777, "0777")] {
        let case =
            cases.must(&["E18"], format!("the umask {text} of the config is set"), move |rt| {
                let mut bundle = rt.bundle()?;
                bundle.set("/process/user/umask", mask);
                ensure_eq("umask", rt.report(&bundle)?.text("/ids/umask"), text)
            });
        case.mutation(|config| bundle::remove(config, "/process/user/umask"));
    }
    cases.may(&["E18"], "without umask in the config it is 0022", |rt| {
        ensure_eq("umask", rt.report(&rt.bundle()?)?.text("/ids/umask"), "0022")
    });
}

fn groups(rt: &Runtime, bundle: &Bundle, expected: &Value) -> Outcome {
    let seen = rt.report(bundle)?;
    // The primary group may be among them, as with login programs.
    let own = seen.at("/ids/gid");
    let found: Vec<&Value> =
        seen.at("/ids/groups").as_array().into_iter().flatten().filter(|g| *g != own).collect();
    ensure_eq("groups", json!(found), expected.clone())
}

/// What the checker reports when the caller of `run` has the additional groups 7777 and 8888.
pub(crate) fn run_with_groups(rt: &Runtime, bundle: &Bundle) -> anyhow::Result<Report> {
    rt.write(bundle)?;
    let call = rt.bundle_call("run", rt.id(), bundle, &[]);
    let words: Vec<_> = std::iter::once(call.command.get_program())
        .chain(call.command.get_args())
        .map(ToOwned::to_owned)
        .collect();
    let caller = rt.program("/usr/bin/setpriv").args(["--groups", "7777,8888"]).args(words);
    Report::parse(&rt.finish(caller)?.ok()?.stdout())
}

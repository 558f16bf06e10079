//! `config.md#linux-process`: capabilities as the kernel's rules make them, warnings, session keyrings.

use anyhow::Context;
use harness::{Bundle, Cases, Outcome, Report, Runtime, ensure_contains, ensure_eq};
use serde_json::{Value, json};

use crate::exec::{container, plain_process, process, report};

pub(crate) fn register(cases: &mut Cases) {
    cases.section("config.md#linux-process", "1.0.0");
    sets(cases);
    unknown(cases);
    groups(cases);
    cases.section("cli#keyring", "");
    keyrings(cases);
}

/// Sets of the config (bounding, permitted, effective, inheritable, ambient), and those of the program as root and as
/// another user: permitted, effective, inheritable, ambient. A letter stands for a capability.
const SETS: [([&str; 5], [&str; 4], [&str; 4]); 7] = [
    (["CK", "CK", "CK", "", ""], ["CK", "CK", "", ""], ["", "", "", ""]),
    (["CKN", "K", "K", "", ""], ["CKN", "CKN", "", ""], ["", "", "", ""]),
    (["CK", "CK", "CK", "CK", ""], ["CK", "CK", "CK", ""], ["", "", "CK", ""]),
    (["CK", "CK", "CK", "CK", "CK"], ["CK", "CK", "CK", "CK"], ["CK", "CK", "CK", "CK"]),
    (["CKN", "CKN", "CKN", "CK", "C"], ["CKN", "CKN", "CK", "C"], ["C", "C", "CK", "C"]),
    (["C", "C", "", "", ""], ["C", "C", "", ""], ["", "", "", ""]),
    (["", "", "", "", ""], ["", "", "", ""], ["", "", "", ""]),
];
const NAMES: [&str; 5] = ["bounding", "permitted", "effective", "inheritable", "ambient"];

fn names(letters: &str) -> Value {
    let name = |letter| match letter {
        'C' => "CAP_CHOWN",
        'K' => "CAP_KILL",
        _ => "CAP_NET_BIND_SERVICE",
    };
    letters.chars().map(name).collect()
}

fn give(bundle: &mut Bundle, sets: [&str; 5]) {
    for (name, letters) in NAMES.into_iter().zip(sets) {
        bundle.set(&format!("/process/capabilities/{name}"), names(letters));
    }
}

fn has(seen: &Report, bounding: &str, sets: [&str; 4]) -> Outcome {
    for (name, letters) in NAMES.into_iter().zip(std::iter::once(bounding).chain(sets)) {
        ensure_eq(name, seen.at(&format!("/capabilities/{name}")), &names(letters))?;
    }
    Ok(())
}

fn sets(cases: &mut Cases) {
    for (given, as_root, as_user) in SETS {
        for (uid, expected) in [(0, as_root), (1000, as_user)] {
            let title = format!("capability sets {given:?} are {expected:?} for uid {uid}");
            cases.must(&["E09"], title.clone(), move |rt| {
                let mut bundle = rt.bundle()?;
                give(&mut bundle, given);
                bundle.set("/process/user/uid", uid).set("/process/noNewPrivileges", false);
                has(&rt.report(&bundle)?, given[0], expected)
            });
            cases.must(&["E09", "B32"], format!("exec: {title}"), move |rt| {
                container(rt, |bundle| {
                    give(bundle, given);
                    bundle.set("/process/user/uid", uid).set("/process/noNewPrivileges", false);
                })?;
                has(&report(rt, &[], &[])?, given[0], expected)
            });
        }
    }
}

fn unknown(cases: &mut Cases) {
    cases.must(&["E10"], "an unknown capability is named in a warning", |rt| {
        let mut bundle = rt.bundle()?;
        bundle.capabilities(&["CAP_KILL", "CAP_OF_THE_FUTURE"]);
        let output = rt.run(&bundle, &[])?.ok()?;
        ensure_contains("warnings", &output.errors(), "CAP_OF_THE_FUTURE")
    });
    cases.must(&["E10"], "exec: an unknown capability is left out", |rt| {
        container(rt, |_| {})?;
        let mut wanted = plain_process(&["/checker"]);
        for set in ["bounding", "effective", "permitted"] {
            wanted["capabilities"][set] = json!(["CAP_KILL", "CAP_OF_THE_FUTURE"]);
        }
        let seen = Report::parse(&process(rt, &wanted)?.ok()?.stdout())?;
        ensure_eq("bounding", seen.texts("/capabilities/bounding"), vec!["CAP_KILL"])
    });
    cases.must(
        &["E09"],
        "an ambient capability that is not inheritable is left out or refused",
        |rt| {
            let mut bundle = rt.bundle()?;
            give(&mut bundle, ["CK", "CK", "CK", "", "K"]);
            bundle.set("/process/user/uid", 1000);
            let output = rt.run(&bundle, &[])?;
            if output.code != 0 {
                return output.refused().map(drop);
            }
            has(&Report::parse(&output.stdout())?, "CK", ["", "", "", ""])
        },
    );
}

fn groups(cases: &mut Cases) {
    for (what, member, value) in [
        ("umask", "/ids/umask", json!("0027")),
        ("group list", "/ids/groups", json!([5, 6, 100_000])),
    ] {
        cases.must(&["E18", "E19"], format!("exec: the {what} is that of the config"), move |rt| {
            container(rt, |bundle| {
                bundle.set("/process/user/umask", 0o027);
                bundle.set("/process/user/additionalGids", json!([5, 6, 100_000]));
            })?;
            let seen = report(rt, &[], &[])?;
            let mut found = seen.at(member).clone();
            if let Some(list) = found.as_array_mut() {
                list.retain(|gid| gid != 0);
            }
            ensure_eq(what, found, value.clone())
        });
    }
    cases.must(&["E19"], "exec: the caller's groups do not reach the program", |rt| {
        rustix::thread::set_thread_groups(&[rustix::process::Gid::from_raw(4711)])?;
        container(rt, |_| {})?;
        let seen = report(rt, &[], &[])?;
        let found = seen.at("/ids/groups").as_array().cloned().unwrap_or_default();
        ensure_eq("has the caller's", found.contains(&json!(4711)), false)
    });
}

fn keyring(seen: &Report) -> anyhow::Result<i64> {
    seen.at("/keyring/id").as_i64().context("no session keyring")
}

/// The session keyring of the test itself.
fn own(rt: &Runtime, bundle: &Bundle) -> anyhow::Result<i64> {
    let checker = bundle.rootfs().join("checker");
    let output = rt.finish(rt.program(&checker.to_string_lossy()))?.ok()?;
    keyring(&Report::parse(&output.stdout())?)
}

fn keyrings(cases: &mut Cases) {
    cases.cli(&["B08", "B09"], "two containers do not share a session keyring", |rt| {
        let first = keyring(&rt.report(&rt.bundle()?)?)?;
        let bundle = rt.bundle()?;
        rt.write(&bundle)?;
        let other = format!("{}-other", rt.id());
        let output = rt.finish(rt.bundle_call("run", &other, &bundle, &[]))?.ok()?;
        let second = keyring(&Report::parse(&output.stdout())?)?;
        ensure_eq("are the same", first == second, false)
    });
    cases.cli(&["B09"], "the session keyring is named after the container", |rt| {
        let seen = rt.report(&rt.bundle()?)?;
        let name = format!("_ses.{}", rt.id());
        ensure_contains("description", seen.text("/keyring/description"), &name)
    });
    for (flags, same) in [(&[][..], false), (&["--no-new-keyring"][..], true)] {
        let title = format!("exec: the caller's session keyring is kept: {same} with {flags:?}");
        cases.cli(&["B08", "B09"], title, move |rt| {
            let mut bundle = rt.bundle()?;
            bundle.probe(&["sleep-until-signal"]);
            let created = rt.create(&bundle, flags)?.ok()?;
            rt.start()?.ok()?;
            rt.report_of(&created)?;
            let inside = keyring(&report(rt, &[], &[])?)?;
            ensure_eq("is the caller's", inside == own(rt, &bundle)?, same)
        });
    }
}

//! `hostname` and `domainname`.

use std::path::PathBuf;

use harness::{Cases, Outcome, Runtime, bundle, ensure_eq};

pub(crate) fn register(cases: &mut Cases) {
    cases.section("config.md#hostname", "1.0.0");
    cases
        .must(&["E22"], "the container has the hostname of the config", hostname)
        .mutation(|config| bundle::remove(config, "/hostname"));
    cases.must(
        &["E22"],
        "a container without hostname keeps the one of its new uts namespace",
        unset,
    );
    cases.must(&["E22", "F05"], "the host keeps its own hostname", host_unchanged);
    cases.must(&["E22"], "a hostname without a new uts namespace is refused", needs_uts);
    cases.cli(
        &["E22", "F05"],
        "a hostname in the host's uts namespace, joined by its path, is refused (no peer does)",
        hosts_uts,
    );
    cases.section("config.md#domainname", "1.1.0");
    cases
        .must(&["E22"], "the container has the domainname of the config", domainname)
        .mutation(|config| bundle::remove(config, "/domainname"));
}

fn hostname(rt: &Runtime) -> Outcome {
    let mut bundle = rt.bundle()?;
    bundle.set("/hostname", "a-name.of.its-own");
    ensure_eq("hostname", rt.report(&bundle)?.text("/hostname"), "a-name.of.its-own")
}

fn unset(rt: &Runtime) -> Outcome {
    let mut bundle = rt.bundle()?;
    bundle.remove("/hostname");
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    ensure_eq("hostname", rt.report(&bundle)?.text("/hostname"), host.as_str())
}

fn host_unchanged(rt: &Runtime) -> Outcome {
    let before = rustix::system::uname().nodename().to_owned();
    rt.report(&rt.bundle()?)?;
    ensure_eq("hostname of the host", rustix::system::uname().nodename(), before.as_c_str())
}

fn needs_uts(rt: &Runtime) -> Outcome {
    let mut bundle = rt.bundle()?;
    bundle.without_namespace("uts");
    rt.run(&bundle, &[])?.refused()?;
    Ok(())
}

fn hosts_uts(rt: &Runtime) -> Outcome {
    let mut bundle = rt.bundle()?;
    // The name that is there, so that a runtime that sets it does no harm.
    bundle.set("/hostname", rustix::system::uname().nodename().to_string_lossy());
    let own = PathBuf::from(format!("/proc/{}/ns/uts", std::process::id()));
    bundle.namespace("uts", Some(&own));
    rt.run(&bundle, &[])?.refused().map(drop)
}

fn domainname(rt: &Runtime) -> Outcome {
    let mut bundle = rt.bundle()?;
    bundle.set("/ociVersion", "1.1.0").set("/domainname", "example.org");
    ensure_eq("domainname", rt.report(&bundle)?.text("/domainname"), "example.org")
}

//! What a profile may say, and where an error says it is wrong.

use std::path::Path;

use creel_seccomp::{
    Action, ActionKind, ActionSet, Arch, Arg, Error, FilterFlags, Host, Operator, Options, Profile,
    compile, parse_raw,
};
use oci_spec::runtime::LinuxSeccomp;
use serde_json::{Value, json};

use crate::common::{options, profile};

fn error(seccomp: &Value) -> String {
    match Profile::from_json(seccomp) {
        Ok(profile) => compile(&profile, &options(Arch::X86_64)).unwrap_err().to_string(),
        Err(error) => error.to_string(),
    }
}

/// A profile with one rule that is `rule`.
fn with_rule(rule: Value) -> Value {
    let mut whole = json!({ "names": ["read"], "action": "SCMP_ACT_ALLOW" });
    whole.as_object_mut().unwrap().extend(rule.as_object().unwrap().clone());
    json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [whole] })
}

macro_rules! refused {
    ($($name:ident: $profile:expr => $error:literal;)*) => { $(
        #[test]
        fn $name() {
            let found = error(&$profile);
            assert!(found.contains($error), "{found}");
        }
    )* };
}

refused! {
    an_unknown_action_is_refused:
        json!({ "defaultAction": "SCMP_ACT_MAYBE" }) => "defaultAction: expected one of SCMP_ACT_KILL,";
    an_unknown_architecture_is_refused:
        json!({ "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86", "SCMP_ARCH_VAX"] })
        => "architectures[1]: expected the name of an architecture, found \"SCMP_ARCH_VAX\"";
    an_unknown_flag_is_refused:
        json!({ "defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_NEW_LISTENER"] })
        => "flags[0]: expected one of SECCOMP_FILTER_FLAG_TSYNC,";
    an_unknown_operator_is_refused:
        with_rule(json!({ "args": [{ "index": 0, "value": 1, "op": "SCMP_CMP_LIKE" }] }))
        => "syscalls[0].args[0].op: expected one of SCMP_CMP_NE,";
    a_seventh_argument_is_refused:
        with_rule(json!({ "args": [{ "index": 6, "value": 1, "op": "SCMP_CMP_EQ" }] }))
        => "syscalls[0].args[0].index: expected 0 to 5, found 6";
    errno_for_an_action_without_one_is_refused:
        with_rule(json!({ "errnoRet": 1 }))
        => "syscalls[0].errnoRet: expected no value, for SCMP_ACT_ALLOW returns none, found 1";
    default_errno_for_an_action_without_one_is_refused:
        json!({ "defaultAction": "SCMP_ACT_KILL", "defaultErrnoRet": 1 })
        => "defaultErrnoRet: expected no value, for SCMP_ACT_KILL returns none, found 1";
    an_errno_that_the_kernel_would_cut_is_refused:
        with_rule(json!({ "action": "SCMP_ACT_ERRNO", "errnoRet": 4096 }))
        => "syscalls[0].errnoRet: expected at most 4095, found 4096";
    a_rule_without_names_is_refused:
        with_rule(json!({ "names": [] })) => "syscalls[0].names: expected at least one name, found none";
    an_empty_name_is_refused:
        with_rule(json!({ "names": ["read", ""] })) => "syscalls[0].names[1]: expected the name of a system call";
    notify_as_default_is_refused:
        json!({ "defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": "/s" })
        => "defaultAction: SCMP_ACT_NOTIFY cannot be used as default action";
    notify_for_write_is_refused:
        with_rule(json!({ "names": ["mkdir", "write"], "action": "SCMP_ACT_NOTIFY" }))
        => "syscalls[0].names[1]: SCMP_ACT_NOTIFY cannot be used for the write syscall";
    notify_without_an_agent_is_refused:
        with_rule(json!({ "action": "SCMP_ACT_NOTIFY" })) => "listenerPath: expected the socket of an agent";
    a_profile_that_is_no_object_is_refused:
        json!([]) => "linux.seccomp: expected a seccomp profile";
    a_missing_default_is_refused:
        json!({}) => "missing field `defaultAction`";
}

#[test]
fn every_name_of_the_specification_is_known() {
    let archs: Vec<&str> = Arch::ALL.iter().map(|arch| arch.name()).collect();
    for kind in ActionKind::ALL {
        for op in Operator::ALL {
            let arg = json!({ "index": 5, "value": u64::MAX, "valueTwo": 7, "op": op.name() });
            let rule = json!({ "names": ["read"], "action": kind.name(), "args": [arg] });
            let seccomp = json!({
                "defaultAction": "SCMP_ACT_TRAP",
                "architectures": archs,
                "flags": FilterFlags::KNOWN.map(|(name, _)| name),
                "syscalls": [rule],
            });
            let read = Profile::from_json(&seccomp).unwrap();
            assert_eq!(
                read.rules[0].action.kind().name().replace("_THREAD", ""),
                kind.name().replace("_THREAD", "")
            );
            assert_eq!(read.rules[0].args, [Arg { index: 5, op, value: u64::MAX, value_two: 7 }]);
            assert_eq!(read.architectures, Arch::ALL);
        }
    }
}

#[test]
fn the_types_of_oci_spec_say_the_same_as_the_text() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/profiles");
    for name in ["docker", "podman", "podman-custom", "cri-localhost"] {
        let json = std::fs::read(path.join(format!("{name}.json"))).unwrap();
        let typed: LinuxSeccomp = serde_json::from_slice(&json).unwrap();
        assert_eq!(Profile::from_oci(&typed).unwrap(), profile(name));
    }
}

#[test]
fn every_architecture_of_oci_spec_is_ours() {
    for arch in Arch::ALL {
        let json = json!({ "defaultAction": "SCMP_ACT_ALLOW", "architectures": [arch.name()] });
        let typed: LinuxSeccomp = serde_json::from_value(json).unwrap();
        assert_eq!(Profile::from_oci(&typed).unwrap().architectures, [arch]);
    }
}

#[test]
fn the_types_of_oci_spec_are_checked_as_the_text_is() {
    for (json, error) in [
        (with_rule(json!({ "errnoRet": 1 })), "syscalls[0].errnoRet: "),
        (with_rule(json!({ "names": [] })), "syscalls[0].names: "),
        (
            with_rule(json!({ "args": [{ "index": 6, "value": 1, "op": "SCMP_CMP_EQ" }] })),
            "syscalls[0].args[0].index: ",
        ),
        (json!({ "defaultAction": "SCMP_ACT_LOG", "defaultErrnoRet": 1 }), "defaultErrnoRet: "),
    ] {
        let typed: LinuxSeccomp = serde_json::from_value(json).unwrap();
        let found = Profile::from_oci(&typed).unwrap_err().to_string();
        assert!(found.starts_with(error), "{found}");
    }
}

#[test]
fn values_of_actions_are_eperm_unless_named() {
    let read = |value: Value| Profile::from_json(&value).unwrap().default_action;
    assert_eq!(read(json!({ "defaultAction": "SCMP_ACT_ERRNO" })), Action::Errno(1));
    assert_eq!(
        read(json!({ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 0 })),
        Action::Errno(0)
    );
    assert_eq!(read(json!({ "defaultAction": "SCMP_ACT_TRACE" })), Action::Trace(1));
    assert_eq!(
        read(json!({ "defaultAction": "SCMP_ACT_TRACE", "defaultErrnoRet": 65535 })),
        Action::Trace(65535)
    );
}

#[test]
fn no_flags_means_spec_allow_and_an_empty_list_means_none() {
    let flags = |value: Value| {
        let profile = Profile::from_json(&value).unwrap();
        compile(&profile, &options(Arch::X86_64)).unwrap().flags
    };
    let allow = "SCMP_ACT_ALLOW";
    assert_eq!(flags(json!({ "defaultAction": allow })), FilterFlags::SPEC_ALLOW);
    assert_eq!(flags(json!({ "defaultAction": allow, "flags": [] })), FilterFlags::EMPTY);
    let log = json!({ "defaultAction": allow, "flags": ["SECCOMP_FILTER_FLAG_LOG"] });
    assert_eq!(flags(log), FilterFlags::LOG);
}

#[test]
fn a_rule_that_notifies_asks_for_a_listener() {
    let mut profile =
        Profile::from_json(&with_rule(json!({ "names": ["mkdir"], "action": "SCMP_ACT_NOTIFY" })))
            .unwrap();
    profile.listener_path = Some("/run/agent".into());
    profile.listener_metadata = Some("who".into());
    profile.flags = Some(FilterFlags::TSYNC.with(FilterFlags::WAIT_KILLABLE_RECV));
    let compiled = compile(&profile, &options(Arch::X86_64)).unwrap();
    let listener = compiled.listener.unwrap();
    assert_eq!(
        (listener.path.to_str(), listener.metadata.as_deref()),
        (Some("/run/agent"), Some("who"))
    );
    assert!(compiled.flags.has(FilterFlags::NEW_LISTENER.with(FilterFlags::TSYNC_ESRCH)));
    assert!(compiled.flags.has(FilterFlags::WAIT_KILLABLE_RECV));
    profile.rules.clear();
    let compiled = compile(&profile, &options(Arch::X86_64)).unwrap();
    assert_eq!((compiled.flags, compiled.listener), (FilterFlags::TSYNC, None));
    assert_eq!(compiled.warnings.len(), 1);
}

#[test]
fn an_unknown_name_is_skipped_and_named() {
    let profile =
        Profile::from_json(&with_rule(json!({ "names": ["read", "frobnicate"] }))).unwrap();
    let mut options = options(Arch::X86_64);
    let compiled = compile(&profile, &options).unwrap();
    assert_eq!(
        compiled.warnings,
        ["syscalls[0].names[1]: unknown system call \"frobnicate\" is skipped"]
    );
    options.fail_unknown_syscall = true;
    let found = compile(&profile, &options).unwrap_err();
    assert_eq!(
        found,
        Error::UnknownSyscall { at: "syscalls[0].names[1]".into(), name: "frobnicate".into() }
    );
}

#[test]
fn what_the_kernel_lacks_is_refused_by_name() {
    let mut host = Host::newest(Arch::X86_64);
    host.actions = ActionSet::EMPTY.with(ActionKind::Allow).with(ActionKind::Errno);
    host.flags = FilterFlags::EMPTY;
    let mut profile = Profile::from_json(&with_rule(json!({ "action": "SCMP_ACT_LOG" }))).unwrap();
    let found = compile(&profile, &Options::new(host)).unwrap_err().to_string();
    assert_eq!(found, "syscalls[0].action: SCMP_ACT_LOG is not supported by this kernel");
    profile.rules.clear();
    assert_eq!(compile(&profile, &Options::new(host)).unwrap().flags, FilterFlags::EMPTY);
    profile.flags = Some(FilterFlags::WAIT_KILLABLE_RECV);
    let found = compile(&profile, &Options::new(host)).unwrap_err().to_string();
    assert_eq!(
        found,
        "flags: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV is not supported by this kernel"
    );
}

#[test]
fn raw_programs_are_read_from_base64() {
    let program = parse_raw("BgAAAAAA/38=").unwrap();
    assert_eq!((program.len(), program[0].code, program[0].k), (1, 6, 0x7fff_0000));
    assert_eq!(parse_raw("IAAAAAAAAAAGAAAA\nAAD/fw==").unwrap().len(), 2);
    for bad in ["", "BgAAAAAA/38", "BgAAAAAA/3==", "BgAAAAAA", "BgAA*AAA/38=", "=", "B", "===="] {
        let found = parse_raw(bad).unwrap_err();
        assert!(matches!(found, Error::Raw { .. }), "{bad}: {found}");
    }
    assert!(parse_raw(&"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".repeat(1366)).is_err());
}

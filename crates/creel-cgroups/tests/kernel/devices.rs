//! What may be opened: by `devices.allow` on v1, by a program on v2.

use creel_cgroups::{
    Cgroup, Hierarchies, Resources,
    devices::{Access, DEFAULT_RULES, DeviceType, Rule},
};

use crate::{Guard, Shell};

const DENY_ALL: Rule =
    Rule { allow: false, kind: DeviceType::All, major: None, minor: None, access: Access::ALL };

const ZERO: Rule = Rule {
    allow: true,
    kind: DeviceType::Char,
    major: Some(1),
    minor: Some(5),
    access: Access::READ,
};

fn apply(cgroup: &Cgroup, devices: &[Rule]) {
    let resources = Resources { devices: devices.to_owned(), ..Resources::default() };
    cgroup.apply(&resources.compile(cgroup.hierarchies()).unwrap()).unwrap();
}

/// Which of these can be opened: null and zero for reading, zero for writing.
fn opened(shell: &mut Shell) -> String {
    let open = |redirection: &str| format!("(: {redirection}) 2>&- && printf y || printf n; ");
    let line: String = ["</dev/null", "</dev/zero", ">/dev/zero"].into_iter().map(open).collect();
    shell.answer(&(line + "echo"))
}

fn rules_decide_what_can_be_opened_and_new_ones_replace_them(hierarchies: &Hierarchies) {
    let guard = Guard::empty(hierarchies);
    let mut shell = Shell::within(&guard.0);
    assert_eq!(opened(&mut shell), "yyy");
    for (rules, expected) in [
        (vec![DENY_ALL], "nnn"),
        (vec![DENY_ALL, ZERO], "nyn"),
        (vec![ZERO, Rule { allow: false, ..ZERO }], "nnn"),
        (vec![Rule { allow: true, ..DENY_ALL }, Rule { allow: false, ..ZERO }], "yny"),
        (vec![Rule { allow: true, ..DENY_ALL }], "yyy"),
        ([DENY_ALL].into_iter().chain(DEFAULT_RULES).collect(), "yyy"),
    ] {
        apply(&guard.0, &rules);
        assert_eq!(opened(&mut shell), expected, "{rules:?}");
    }
}

fn nodes_can_be_made_of_devices_that_cannot_be_opened(hierarchies: &Hierarchies) {
    let guard = Guard::empty(hierarchies);
    apply(&guard.0, &[DENY_ALL].into_iter().chain(DEFAULT_RULES).collect::<Vec<_>>());
    let directory = tempfile::tempdir().unwrap();
    let mut shell = Shell::within(&guard.0);
    let at = directory.path().display();
    let line =
        format!("mknod {at}/n c 1 11 && echo made; (: <{at}/n) 2>&- && echo open || echo denied");
    assert_eq!(shell.answer(&line), "made");
    assert_eq!(shell.answer(""), "denied");
}

on_each_layout!(
    rules_decide_what_can_be_opened_and_new_ones_replace_them,
    nodes_can_be_made_of_devices_that_cannot_be_opened,
);

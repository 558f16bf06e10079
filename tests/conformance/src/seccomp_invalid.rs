//! `config-linux.md#seccomp`: profiles that are refused.

use harness::{Cases, Outcome, Runtime};
use serde_json::{Value, json};

use crate::seccomp::profile;

pub(crate) fn register(cases: &mut Cases) {
    cases.section("config-linux.md#seccomp", "1.0.0");
    let refuse = |rt: &Runtime, profile: Value| -> Outcome {
        let mut bundle = rt.bundle()?;
        bundle.set("/linux/seccomp", profile);
        rt.run(&bundle, &[])?.refused().map(drop)
    };
    cases.must(&["C25"], "an unknown default action is refused", move |rt| {
        refuse(rt, json!({ "defaultAction": "SCMP_ACT_NONE" }))
    });
    cases.must(&["C25"], "an unknown action is refused", move |rt| {
        refuse(rt, profile(json!([{ "names": ["dup"], "action": "SCMP_ACT_NONE" }])))
    });
    cases.must(&["C25"], "an unknown operator is refused", move |rt| {
        let argument = json!({ "index": 0, "value": 1, "op": "SCMP_CMP_NONE" });
        refuse(
            rt,
            profile(json!([{ "names": ["dup"], "action": "SCMP_ACT_ERRNO", "args": [argument] }])),
        )
    });
    cases.must(&["C25"], "an argument beyond the sixth is refused", move |rt| {
        let argument = json!({ "index": 6, "value": 1, "op": "SCMP_CMP_EQ" });
        refuse(
            rt,
            profile(json!([{ "names": ["dup"], "action": "SCMP_ACT_ERRNO", "args": [argument] }])),
        )
    });
    cases.must(&["C25"], "an unknown architecture is refused", move |rt| {
        let mut profile = profile(json!([]));
        profile["architectures"] = json!(["SCMP_ARCH_NONE"]);
        refuse(rt, profile)
    });
    cases.must(&["C25"], "an unknown flag is refused", move |rt| {
        let mut profile = profile(json!([]));
        profile["flags"] = json!(["SECCOMP_FILTER_FLAG_NONE"]);
        refuse(rt, profile)
    });
    cases.must(&["C25"], "a profile without a default action is refused", move |rt| {
        refuse(rt, json!({ "syscalls": [] }))
    });
    cases.must(&["K03"], "errnoRet of an action without errno is refused", move |rt| {
        refuse(rt, profile(json!([{ "names": ["dup"], "action": "SCMP_ACT_KILL", "errnoRet": 1 }])))
    });
}

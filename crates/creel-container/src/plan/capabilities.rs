//! `process.capabilities` as bits, with a warning for each that cannot be given.

use super::compiler::Compiler;
use crate::bundle::Capabilities;
use crate::step;
use crate::validate::capability;

/// The five sets. What the kernel does not know or the caller does not have is left out with a warning, as the
/// specification wants it (config.md#linux-process); so is what the kernel would refuse beside the other sets.
pub(super) fn sets(c: &mut Compiler<'_>, asked: Option<&Capabilities>) -> step::Capabilities {
    let Some(asked) = asked else { return step::Capabilities::default() };
    let bounding = set(c, "bounding", asked.bounding.as_deref());
    let permitted = set(c, "permitted", asked.permitted.as_deref());
    let inheritable = set(c, "inheritable", asked.inheritable.as_deref());
    let effective = set(c, "effective", asked.effective.as_deref());
    let ambient = set(c, "ambient", asked.ambient.as_deref());
    step::Capabilities {
        bounding,
        permitted,
        inheritable,
        effective: within(c, "effective", effective, permitted, "not permitted"),
        ambient: within(
            c,
            "ambient",
            ambient,
            permitted & inheritable,
            "not both permitted and inheritable",
        ),
    }
}

fn set(c: &mut Compiler<'_>, key: &str, names: Option<&[String]>) -> u64 {
    let mut bits = 0;
    for (i, name) in names.unwrap_or_default().iter().enumerate() {
        let place = format!("process.capabilities.{key}[{i}]");
        match capability(name) {
            None => c
                .plan
                .warnings
                .push(format!("{place}: {name:?} is no capability that is known, left out")),
            Some(number) if c.host.capabilities & (1 << number) == 0 => {
                c.plan
                    .warnings
                    .push(format!("{place}: {name} is not the caller's to give, left out"));
            }
            Some(number) => bits |= 1 << number,
        }
    }
    bits
}

/// What of `bits` the kernel would take; one warning names the rest.
fn within(c: &mut Compiler<'_>, key: &str, bits: u64, allowed: u64, why: &str) -> u64 {
    let names = crate::validate::CAPABILITIES.iter().enumerate();
    let refused: Vec<&str> = names
        .filter(|(number, _)| bits & !allowed & (1 << number) != 0)
        .map(|(_, name)| *name)
        .collect();
    if !refused.is_empty() {
        let refused = refused.join(", ");
        c.plan.warnings.push(format!("process.capabilities.{key}: {why}, left out: {refused}"));
    }
    bits & allowed
}

//! `hooks`: their programs as the kernel takes them, and the points at which the child waits for them.

use std::os::unix::ffi::OsStrExt;

use oci_spec::runtime;

use super::Hook;
use super::compiler::Compiler;
use crate::pointer::Pointer;
use crate::step::Step;
use crate::validate::hook_lists;

/// All hooks, by kind.
pub(super) fn all(c: &mut Compiler<'_>) {
    let Some(hooks) = &c.spec.hooks else { return };
    let [prestart, create_runtime, create_container, start_container, poststart, poststop] =
        hook_lists(hooks).map(|(key, list)| compiled(c, key, list));
    c.plan.hooks = super::Hooks {
        prestart,
        create_runtime,
        create_container,
        start_container,
        poststart,
        poststop,
    };
}

fn compiled(c: &mut Compiler<'_>, key: &str, list: &[runtime::Hook]) -> Vec<Hook> {
    let one = |(i, hook): (usize, &runtime::Hook)| {
        let at = Pointer::item(key, i);
        Hook {
            path: c.text(&at.field("path"), hook.path().as_os_str().as_bytes()),
            args: c.texts(at.field("args").as_str(), hook.args().as_deref().unwrap_or_default()),
            env: c.texts(at.field("env").as_str(), hook.env().as_deref().unwrap_or_default()),
            timeout: hook.timeout().and_then(|seconds| u32::try_from(seconds).ok()),
            at,
        }
    };
    list.iter().enumerate().map(one).collect()
}

/// prestart and createRuntime run in the creator's namespaces, createContainer in the container's, all before the
/// pivot (config.md#posix-platform-hooks).
pub(super) fn requests(c: &mut Compiler<'_>) {
    let hooks = &c.plan.hooks;
    let runtime = !hooks.prestart.is_empty() || !hooks.create_runtime.is_empty();
    let container = !hooks.create_container.is_empty();
    if runtime {
        c.step(Pointer::new("hooks"), Step::RequestHooks);
    }
    if container {
        c.step(Pointer::new("hooks.createContainer"), Step::CreateContainerHooks);
    }
}

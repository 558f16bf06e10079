//! `process`: who it is, what it may use, what it runs.

use std::os::unix::ffi::OsStrExt;

use oci_spec::runtime::{
    IOPriorityClass, LinuxPersonalityDomain, LinuxSchedulerPolicy, MemoryPolicyModeType,
};
use oci_spec::runtime::{LinuxMemoryPolicy, MemoryPolicyFlagType};

use super::compiler::Compiler;
use super::{capabilities, rlimits, security};
use crate::bundle::{self, Process};
use crate::pointer::Pointer;
use crate::step::{
    Affinity, Console, DropBounding, Home, Identity, IoPriority, LookUpProgram, MemoryPolicy,
    NoNewPrivileges, OomScoreAdj, Personality, Program, Scheduler, SetCapabilities, Step, Streams,
    Text, Umask, WorkingDirectory,
};
use crate::validate::{annotation_is_on, number_list};

/// Where programs are looked for when `process.env` has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The terminal, while `/dev` can still be changed.
pub(super) fn console(c: &mut Compiler<'_>) {
    let process = c.spec.process.as_ref();
    terminal(c, process, true);
}

fn terminal(c: &mut Compiler<'_>, process: Option<&Process>, dev_console: bool) {
    let Some(process) = process.filter(|process| process.terminal) else { return };
    let size = process.console_size.map_or((0, 0), |size| {
        // `validate` has seen that both fit.
        (u16::try_from(size.width()).unwrap_or(0), u16::try_from(size.height()).unwrap_or(0))
    });
    c.plan.terminal = true;
    let console = Console { size, uid: process.user.uid(), dev_console };
    c.step(Pointer::new("process.terminal"), Step::Console(console));
}

/// Everything else, in the order in which each can still be done.
pub(super) fn all(c: &mut Compiler<'_>) {
    let Some(process) = &c.spec.process else { return };
    // The caller's own binding to CPUs is not the container's.
    c.step(Pointer::new("process"), Step::Affinity(Affinity { cpus: Vec::new() }));
    becoming(c, process, true);
}

/// The steps of a process that joins a container: those that a new one makes for itself, in the same order.
pub(super) fn joining(c: &mut Compiler<'_>, process: &Process) {
    let cpus = |list: &Option<String>| list.as_deref().and_then(|list| number_list(list, 8191));
    let affinity = process.exec_cpu_affinity.as_ref();
    if let Some(cpus) = affinity.and_then(|affinity| cpus(&affinity.initial)) {
        c.step(Pointer::new("process.execCPUAffinity.initial"), Step::Affinity(Affinity { cpus }));
    }
    c.step(Pointer::new("linux.cgroupsPath"), Step::AwaitGo);
    if let Some(cpus) = affinity.and_then(|affinity| cpus(&affinity.after)) {
        c.step(Pointer::new("process.execCPUAffinity.final"), Step::Affinity(Affinity { cpus }));
    } else if affinity.is_none() {
        c.step(Pointer::new("process"), Step::Affinity(Affinity { cpus: Vec::new() }));
    }
    super::namespaces::keyring(c, Some(process));
    terminal(c, Some(process), false);
    becoming(c, process, false);
}

fn becoming(c: &mut Compiler<'_>, process: &Process, create: bool) {
    // With the caller's privileges.
    limits(c, process);
    execution_domain(c);
    if let Some(policy) = c.linux.and_then(|linux| linux.memory_policy().as_ref()) {
        memory_policy(c, policy);
    }
    let at = Pointer::new("process.cwd");
    let path = c.text(&at, process.cwd.as_os_str().as_bytes());
    c.step(at, Step::WorkingDirectory(WorkingDirectory { path, create }));
    if !process.terminal {
        c.step(
            Pointer::new("process.user.uid"),
            Step::Streams(Streams { uid: process.user.uid() }),
        );
    }
    // The user.
    let sets = capabilities::sets(c, process.capabilities.as_ref());
    let at = || Pointer::new("process.capabilities");
    c.step(at(), Step::DropBounding(DropBounding { keep: sets.bounding }));
    identity(c, process);
    program(c, process, sets.effective);
    security::labels(c, process.apparmor_profile.as_deref(), process.selinux_label.as_deref());
    let set_capabilities = Step::SetCapabilities(SetCapabilities { sets });
    if process.no_new_privileges {
        c.step(at(), set_capabilities);
        c.step(Pointer::new("process.noNewPrivileges"), Step::NoNewPrivileges(NoNewPrivileges));
        // Last: the filter may forbid what the steps before it do.
        security::seccomp(c);
    } else {
        // Without no_new_privs a filter needs CAP_SYS_ADMIN, which the next step may take away.
        security::seccomp(c);
        c.step(at(), set_capabilities);
    }
}

fn limits(c: &mut Compiler<'_>, process: &Process) {
    if let Some(value) = process.oom_score_adj {
        c.step(Pointer::new("process.oomScoreAdj"), Step::OomScoreAdj(OomScoreAdj { value }));
    }
    for (i, limit) in process.rlimits.iter().flatten().enumerate() {
        c.step(Pointer::item("process.rlimits", i), Step::Rlimit(rlimits::rlimit(limit)));
    }
    if let Some(scheduler) = &process.scheduler {
        c.step(Pointer::new("process.scheduler"), Step::Scheduler(scheduling(scheduler)));
    }
    if let Some(io) = process.io_priority {
        let class = match io.class {
            IOPriorityClass::IoprioClassRt => 1,
            IOPriorityClass::IoprioClassBe => 2,
            IOPriorityClass::IoprioClassIdle => 3,
        };
        let priority = u32::try_from(io.priority).unwrap_or(0);
        c.step(
            Pointer::new("process.ioPriority"),
            Step::IoPriority(IoPriority { class, priority }),
        );
    }
}

fn scheduling(scheduler: &bundle::Scheduler) -> Scheduler {
    // The numbers of include/uapi/linux/sched.h.
    let policy = match scheduler.policy {
        LinuxSchedulerPolicy::SchedOther => 0,
        LinuxSchedulerPolicy::SchedFifo => 1,
        LinuxSchedulerPolicy::SchedRr => 2,
        LinuxSchedulerPolicy::SchedBatch => 3,
        LinuxSchedulerPolicy::SchedIso => 4,
        LinuxSchedulerPolicy::SchedIdle => 5,
        LinuxSchedulerPolicy::SchedDeadline => 6,
    };
    Scheduler {
        policy,
        flags: scheduler.flags.iter().flatten().fold(0, |all, flag| all | *flag as u64),
        nice: scheduler.nice.unwrap_or(0),
        priority: scheduler.priority.and_then(|priority| u32::try_from(priority).ok()).unwrap_or(0),
        runtime: scheduler.runtime.unwrap_or(0),
        deadline: scheduler.deadline.unwrap_or(0),
        period: scheduler.period.unwrap_or(0),
    }
}

fn execution_domain(c: &mut Compiler<'_>) {
    let Some(personality) = c.linux.and_then(|linux| linux.personality().as_ref()) else { return };
    let domain = match personality.domain() {
        LinuxPersonalityDomain::PerLinux => 0,
        LinuxPersonalityDomain::PerLinux32 => 8,
    };
    c.step(Pointer::new("linux.personality"), Step::Personality(Personality { domain }));
}

fn memory_policy(c: &mut Compiler<'_>, policy: &LinuxMemoryPolicy) {
    // The numbers of include/uapi/linux/mempolicy.h.
    let mode = match policy.mode() {
        MemoryPolicyModeType::MpolDefault => 0,
        MemoryPolicyModeType::MpolPreferred => 1,
        MemoryPolicyModeType::MpolBind => 2,
        MemoryPolicyModeType::MpolInterleave => 3,
        MemoryPolicyModeType::MpolLocal => 4,
        MemoryPolicyModeType::MpolPreferredMany => 5,
        MemoryPolicyModeType::MpolWeightedInterleave => 6,
    };
    let flags = policy.flags().iter().flatten().fold(0, |all, flag| {
        all | match flag {
            MemoryPolicyFlagType::MpolFNumaBalancing => 1 << 13,
            MemoryPolicyFlagType::MpolFRelativeNodes => 1 << 14,
            MemoryPolicyFlagType::MpolFStaticNodes => 1 << 15,
        }
    });
    let mut nodes: Vec<u64> = Vec::new();
    for node in
        policy.nodes().as_deref().and_then(|nodes| number_list(nodes, 1023)).unwrap_or_default()
    {
        let word = usize::try_from(node / 64).unwrap_or(0);
        if nodes.len() <= word {
            nodes.resize(word + 1, 0);
        }
        if let Some(bits) = nodes.get_mut(word) {
            *bits |= 1 << (node % 64);
        }
    }
    let step = MemoryPolicy { mode: mode | flags, nodes };
    c.step(Pointer::new("linux.memoryPolicy"), Step::MemoryPolicy(step));
}

fn identity(c: &mut Compiler<'_>, process: &Process) {
    let user = &process.user;
    let mask = user.umask().unwrap_or(0o022);
    c.step(Pointer::new("process.user.umask"), Step::Umask(Umask { mask }));
    let keep = annotation_is_on(c.spec, "run.oci.keep_original_groups");
    let groups = (!keep).then(|| user.additional_gids().clone().unwrap_or_default());
    let identity = Identity { uid: user.uid(), gid: user.gid(), groups };
    c.step(Pointer::new("process.user"), Step::Identity(identity));
}

/// `process.args` and `process.env`, and where the program may be.
fn program(c: &mut Compiler<'_>, process: &Process, effective: u64) {
    let args = c.texts("process.args", process.args.as_deref().unwrap_or_default());
    let env = c.texts("process.env", process.env.as_deref().unwrap_or_default());
    let at = Pointer::item("process.args", 0);
    if !env.iter().any(|variable| variable.as_bytes().starts_with(b"HOME=")) {
        let uid = process.user.uid();
        c.step(Pointer::new("process.env"), Step::Home(Home { uid }));
    }
    if let Some(name) = args.first().cloned() {
        let candidates = candidates(c, &at, &name, &env);
        c.step(at, Step::LookUpProgram(LookUpProgram { name, candidates, effective }));
    }
    c.plan.program = Some(Program { args, env });
}

/// A name with a slash is a path; any other is looked for along the last `PATH` of the environment.
fn candidates(c: &mut Compiler<'_>, at: &Pointer, name: &Text, env: &[Text]) -> Vec<Text> {
    let name = name.as_bytes();
    if name.contains(&b'/') {
        return vec![c.text(at, name)];
    }
    if name.is_empty() {
        return Vec::new();
    }
    let path = env.iter().rev().find_map(|variable| variable.as_bytes().strip_prefix(b"PATH="));
    let directories = path.unwrap_or(DEFAULT_PATH.as_bytes()).split(|byte| *byte == b':');
    directories
        .map(|directory| {
            // An empty part of PATH is the working directory.
            let directory = if directory.is_empty() { &b"."[..] } else { directory };
            c.text(at, [directory, b"/", name].concat())
        })
        .collect()
}

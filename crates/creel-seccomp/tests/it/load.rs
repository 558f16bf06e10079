//! Programs in the running kernel, each in a forked child.

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};

use creel_seccomp::{
    Action, ActionKind, Arch, FilterFlags, Host, Options, Profile, compile, load, parse_raw,
    supported_actions, supported_flags,
};
use rustix::io::Errno;
use serde_json::{Value, json};

use crate::common::profile;

/// How a child ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Exit(i32),
    Signal(i32),
}

/// Forks; the child runs `body` and exits with what it returns. It must not allocate: another thread
/// of the tests may have held the allocator's lock.
fn child(body: impl FnOnce() -> i32) -> libc::pid_t {
    // SAFETY: the child only makes system calls and ends by _exit.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        let code = body();
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(code) };
    }
    pid
}

fn wait(pid: libc::pid_t) -> End {
    let mut status = 0;
    // SAFETY: `status` is written; the child is ours.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    if libc::WIFEXITED(status) {
        End::Exit(libc::WEXITSTATUS(status))
    } else {
        End::Signal(libc::WTERMSIG(status))
    }
}

fn no_new_privs() {
    // SAFETY: takes numbers only.
    unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
}

/// The errno of a raw call with numbers, 0 if it succeeds.
fn errno_of(number: libc::c_long, args: [libc::c_long; 3]) -> i32 {
    // SAFETY: the calls made here take numbers or fail on addresses.
    let result = unsafe { libc::syscall(number, args[0], args[1], args[2]) };
    if result >= 0 { 0 } else { std::io::Error::last_os_error().raw_os_error().unwrap_or(-1) }
}

fn read(seccomp: &Value) -> Profile {
    Profile::from_json(seccomp).unwrap()
}

/// Loads the profile in a child and then makes the call.
fn after_loading(profile: &Profile, number: libc::c_long, args: [libc::c_long; 3]) -> End {
    let compiled = compile(profile, &Options::new(Host::ask())).unwrap();
    wait(child(|| {
        no_new_privs();
        match load(&compiled.program, compiled.flags) {
            Ok(None) => errno_of(number, args),
            Ok(Some(_)) => 250,
            Err(errno) => 200 + errno.raw_os_error().min(40),
        }
    }))
}

fn one_rule(action: &str, errno: Option<u32>, names: &[&str]) -> Profile {
    let mut rule = json!({ "names": names, "action": action });
    if let Some(errno) = errno {
        rule["errnoRet"] = errno.into();
    }
    read(&json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] }))
}

#[test]
fn the_kernel_does_what_each_action_says() {
    let end = |action, errno| {
        after_loading(&one_rule(action, errno, &["getppid"]), libc::SYS_getppid, [0; 3])
    };
    assert_eq!(end("SCMP_ACT_ERRNO", Some(77)), End::Exit(77));
    assert_eq!(end("SCMP_ACT_ERRNO", None), End::Exit(libc::EPERM));
    assert_eq!(end("SCMP_ACT_ALLOW", None), End::Exit(0));
    assert_eq!(end("SCMP_ACT_LOG", None), End::Exit(0));
    assert_eq!(end("SCMP_ACT_TRACE", None), End::Exit(libc::ENOSYS));
    for action in
        ["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"]
    {
        assert_eq!(end(action, None), End::Signal(libc::SIGSYS), "{action}");
    }
}

#[test]
fn arguments_decide_in_the_kernel() {
    let arg = json!({ "index": 0, "value": 1_u64 << 32, "op": "SCMP_CMP_GE" });
    let rule =
        json!({ "names": ["close"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77, "args": [arg] });
    let profile = read(&json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] }));
    assert_eq!(after_loading(&profile, libc::SYS_close, [1 << 32, 0, 0]), End::Exit(77));
    assert_eq!(after_loading(&profile, libc::SYS_close, [-1, 0, 0]), End::Exit(77));
    assert_eq!(
        after_loading(&profile, libc::SYS_close, [0xffff_ffff, 0, 0]),
        End::Exit(libc::EBADF)
    );
}

#[test]
fn engines_profiles_load_and_give_enosys_for_calls_they_cannot_know() {
    for name in ["docker", "podman"] {
        assert_eq!(
            after_loading(&profile(name), libc::SYS_getppid, [0; 3]),
            End::Exit(0),
            "{name}"
        );
        assert_eq!(after_loading(&profile(name), 9999, [0; 3]), End::Exit(libc::ENOSYS), "{name}");
        assert_eq!(
            after_loading(&profile(name), libc::SYS_acct, [0; 3]),
            End::Exit(libc::EPERM),
            "{name}"
        );
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_call_of_x32_kills_unless_the_profile_has_x32() {
    let x32 = 0x4000_0000 + libc::SYS_getpid;
    let mut profile = one_rule("SCMP_ACT_ERRNO", Some(77), &["getpid"]);
    assert_eq!(after_loading(&profile, x32, [0; 3]), End::Signal(libc::SIGSYS));
    profile.architectures = vec![Arch::X32];
    assert_eq!(after_loading(&profile, x32, [0; 3]), End::Exit(77));
}

#[test]
fn flags_are_taken_by_the_kernel() {
    let mut profile = one_rule("SCMP_ACT_ERRNO", Some(77), &["getppid"]);
    for (name, flag) in FilterFlags::KNOWN {
        if flag == FilterFlags::WAIT_KILLABLE_RECV {
            continue;
        }
        profile.flags = Some(flag);
        assert_eq!(after_loading(&profile, libc::SYS_getppid, [0; 3]), End::Exit(77), "{name}");
    }
}

#[test]
fn a_raw_program_loads_and_a_bad_one_is_refused() {
    let load_raw = |base64: &str| {
        let program = parse_raw(base64).unwrap();
        wait(child(|| {
            no_new_privs();
            load(&program, FilterFlags::EMPTY).map_or_else(Errno::raw_os_error, |_| 0)
        }))
    };
    assert_eq!(load_raw("BgAAAAAA/38="), End::Exit(0));
    assert_eq!(load_raw("AAAAAAAAAAA="), End::Exit(libc::EINVAL));
}

#[test]
fn without_privilege_nothing_is_loaded() {
    let compiled = compile(&profile("docker"), &Options::new(Host::ask())).unwrap();
    let end = wait(child(|| {
        // SAFETY: takes numbers only. Root loses its capabilities with its id.
        if unsafe { libc::setresuid(65534, 65534, 65534) } != 0
            && errno_of(libc::SYS_getuid, [0; 3]) == 0
        {
            return libc::EACCES;
        }
        load(&compiled.program, compiled.flags).map_or_else(Errno::raw_os_error, |_| 0)
    }));
    assert_eq!(end, End::Exit(libc::EACCES));
}

#[test]
fn this_kernel_knows_every_action_and_the_old_flags() {
    let actions = supported_actions();
    assert!(ActionKind::ALL.iter().all(|kind| actions.has(*kind)), "{actions:?}");
    let old = FilterFlags::TSYNC.with(FilterFlags::LOG).with(FilterFlags::SPEC_ALLOW);
    assert!(supported_flags().has(old), "{:?}", supported_flags());
}

/// The agent's part: answers the first call with errno 77.
fn answer_with_77(listener: &OwnedFd) -> Option<i32> {
    // SAFETY: zeroes are a valid value; the kernel demands them.
    let mut request: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes one request there.
    let got = unsafe {
        libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut request)
    };
    if got < 0 {
        return None;
    }
    let mut response = libc::seccomp_notif_resp { id: request.id, val: 0, error: -77, flags: 0 };
    // SAFETY: the kernel reads one response there.
    let sent = unsafe {
        libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut response)
    };
    (sent == 0).then_some(request.data.nr)
}

#[test]
fn the_parent_fetches_the_listener_and_its_agent_answers() {
    let mut profile = one_rule("SCMP_ACT_NOTIFY", None, &["mkdir", "mkdirat", "getppid"]);
    profile.listener_path = Some("/run/agent".into());
    profile.flags = Some(supported_flags().without(FilterFlags::TSYNC).without(FilterFlags::LOG));
    let compiled = compile(&profile, &Options::new(Host::ask())).unwrap();
    assert!(compiled.flags.has(FilterFlags::NEW_LISTENER));
    let (mut number, mut from_child) = std::io::pipe().unwrap();
    let pid = child(|| {
        no_new_privs();
        let Ok(Some(listener)) = load(&compiled.program, compiled.flags) else { return 201 };
        if from_child.write_all(&listener.as_raw_fd().to_ne_bytes()).is_err() {
            return 202;
        }
        errno_of(libc::SYS_getppid, [0; 3])
    });
    let mut bytes = [0; 4];
    number.read_exact(&mut bytes).unwrap();
    let process = rustix::process::Pid::from_raw(pid).unwrap();
    let pidfd = rustix::process::pidfd_open(process, rustix::process::PidfdFlags::empty()).unwrap();
    let flags = rustix::process::PidfdGetfdFlags::empty();
    let listener = rustix::process::pidfd_getfd(&pidfd, i32::from_ne_bytes(bytes), flags).unwrap();
    assert_eq!(answer_with_77(&listener), i32::try_from(libc::SYS_getppid).ok());
    assert_eq!(wait(pid), End::Exit(77));
}

#[test]
fn a_program_of_full_length_loads() {
    // Every second number of the table, each with comparisons that have nothing in common.
    let numbers =
        (0..800_u64).map(|i| json!({ "index": i % 6, "value": i << 20 | i, "op": "SCMP_CMP_GT" }));
    let rules: Vec<Value> = numbers
        .map(|arg| json!({ "names": ["getppid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77, "args": [arg] }))
        .collect();
    let profile = read(&json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules }));
    let length = compile(&profile, &Options::new(Host::ask())).unwrap().program.len();
    assert!((3000..=4096).contains(&length), "{length}");
    assert_eq!(after_loading(&profile, libc::SYS_getppid, [1, 0, 0]), End::Exit(77));
    assert_eq!(profile.default_action, Action::Allow);
}

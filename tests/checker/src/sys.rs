//! The system calls that have no safe wrapper here.
#![expect(unsafe_code, reason = "thin wrappers around libc")]

use std::ffi::CString;
use std::io;

/// The errno of the last failed call.
pub(crate) fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// `syscall(2)` with up to six arguments.
pub(crate) fn raw(number: i64, arguments: [i64; 6]) -> Result<i64, i32> {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: the callers pass numbers, null, or pointers to memory that outlives the call.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if result == -1 { Err(errno()) } else { Ok(result) }
}

/// `prctl(2)` with integer arguments.
pub(crate) fn prctl(option: i32, argument: u64) -> Result<i32, i32> {
    // SAFETY: the options used take integers only.
    let result = unsafe { libc::prctl(option, argument, 0, 0, 0) };
    if result == -1 { Err(errno()) } else { Ok(result) }
}

/// Real, effective, saved and filesystem user id, then the same for the group.
pub(crate) fn ids() -> ([u32; 4], [u32; 4]) {
    let (mut u, mut g) = ([0; 4], [0; 4]);
    let [ru, eu, su, fu] = &mut u;
    let [rg, eg, sg, fg] = &mut g;
    // SAFETY: three valid pointers.
    unsafe { libc::getresuid(ru, eu, su) };
    // SAFETY: three valid pointers.
    unsafe { libc::getresgid(rg, eg, sg) };
    // SAFETY: an invalid id changes nothing and returns the current one.
    *fu = unsafe { libc::setfsuid(u32::MAX) }.cast_unsigned();
    // SAFETY: as above.
    *fg = unsafe { libc::setfsgid(u32::MAX) }.cast_unsigned();
    (u, g)
}

/// Supplementary groups.
pub(crate) fn groups() -> Vec<u32> {
    let mut list = vec![0; 65536];
    // SAFETY: the list has room for the number of entries given.
    let count = unsafe { libc::getgroups(65536, list.as_mut_ptr()) };
    list.truncate(usize::try_from(count).unwrap_or(0));
    list
}

/// The file mode creation mask.
pub(crate) fn umask() -> u32 {
    // SAFETY: no memory involved.
    let old = unsafe { libc::umask(0) };
    // SAFETY: as above; puts the old value back.
    unsafe { libc::umask(old) };
    old
}

/// `getrlimit(2)`: soft and hard.
pub(crate) fn rlimit(resource: u32) -> Option<(u64, u64)> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a valid pointer.
    let result = unsafe { libc::getrlimit(resource, &raw mut limit) };
    (result == 0).then_some((limit.rlim_cur, limit.rlim_max))
}

/// Node name and domain name.
pub(crate) fn uname() -> (String, String) {
    // SAFETY: all-zero is a valid utsname.
    let mut names: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: a valid pointer.
    unsafe { libc::uname(&raw mut names) };
    (text(&names.nodename), text(&names.domainname))
}

fn text(field: &[libc::c_char]) -> String {
    let bytes: Vec<u8> = field.iter().take_while(|c| **c != 0).map(|c| c.cast_unsigned()).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Effective, permitted and inheritable capability sets.
pub(crate) fn capget() -> Option<[u64; 3]> {
    let header: [u32; 2] = [0x2008_0522, 0];
    let mut data = [0_u32; 6];
    let arguments = [header.as_ptr() as i64, data.as_mut_ptr() as i64, 0, 0, 0, 0];
    raw(libc::SYS_capget, arguments).ok()?;
    let [e0, p0, i0, e1, p1, i1] = data.map(u64::from);
    Some([e0 | e1 << 32, p0 | p1 << 32, i0 | i1 << 32])
}

/// Fields of `sched_getattr(2)`: policy, flags, nice, priority, runtime, deadline, period.
pub(crate) fn sched_getattr() -> Option<[i64; 7]> {
    let mut attr = [0_u8; 48];
    raw(libc::SYS_sched_getattr, [0, attr.as_mut_ptr() as i64, 48, 0, 0, 0]).ok()?;
    let word = |at: usize, len: usize| {
        let mut bytes = [0; 8];
        for (to, from) in bytes.iter_mut().zip(attr.iter().skip(at).take(len)) {
            *to = *from;
        }
        i64::from_le_bytes(bytes)
    };
    let nice = i64::from(i32::from_le_bytes([attr[16], attr[17], attr[18], attr[19]]));
    Some([word(4, 4), word(8, 8), nice, word(20, 4), word(24, 8), word(32, 8), word(40, 8)])
}

/// Processors this process may run on.
pub(crate) fn affinity() -> Vec<u64> {
    let mut mask = [0_u64; 128];
    if raw(libc::SYS_sched_getaffinity, [0, 1024, mask.as_mut_ptr() as i64, 0, 0, 0]).is_err() {
        return Vec::new();
    }
    let bits = mask.iter().enumerate();
    bits.flat_map(|(i, w)| (0..64).filter(move |b| w >> b & 1 == 1).map(move |b| i as u64 * 64 + b))
        .collect()
}

/// Mode and nodes of `get_mempolicy(2)`.
pub(crate) fn mempolicy() -> Option<(i64, u64)> {
    let (mut mode, mut nodes) = (0_i32, [0_u64; 16]);
    let mode_at = (&raw mut mode) as i64;
    raw(libc::SYS_get_mempolicy, [mode_at, nodes.as_mut_ptr() as i64, 1024, 0, 0, 0]).ok()?;
    Some((i64::from(mode), nodes[0]))
}

/// Description of the session keyring, as `keyctl_describe` gives it.
pub(crate) fn session_keyring() -> Option<(i64, String)> {
    const SESSION: i64 = -3;
    let id = raw(libc::SYS_keyctl, [0, SESSION, 0, 0, 0, 0]).ok()?;
    let mut buffer = [0_u8; 512];
    let length = raw(libc::SYS_keyctl, [6, id, buffer.as_mut_ptr() as i64, 512, 0, 0]).ok()?;
    let bytes = buffer.get(..usize::try_from(length).ok()?.saturating_sub(1))?;
    Some((id, String::from_utf8_lossy(bytes).into_owned()))
}

/// Seconds of a clock.
pub(crate) fn clock(id: libc::clockid_t) -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid pointer.
    unsafe { libc::clock_gettime(id, &raw mut time) };
    time.tv_sec
}

/// Process group, session, and whether fd 0 is a terminal with its size.
pub(crate) fn session() -> (i32, i32, Option<(u16, u16)>) {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: a valid pointer; fails with ENOTTY if fd 0 is no terminal.
    let tty = unsafe { libc::ioctl(0, libc::TIOCGWINSZ, &raw mut size) } == 0;
    // SAFETY: no memory involved.
    let group = unsafe { libc::getpgrp() };
    // SAFETY: no memory involved.
    let session = unsafe { libc::getsid(0) };
    (group, session, tty.then_some((size.ws_row, size.ws_col)))
}

/// Runs `body` in a child and returns what it gave to `exit`, or the signal that ended it.
pub(crate) fn in_child(body: impl FnOnce() -> Result<i64, i32>) -> Result<Result<i64, i32>, i32> {
    let mut pipe = [0_i32; 2];
    // SAFETY: room for two fds.
    unsafe { libc::pipe(pipe.as_mut_ptr()) };
    // SAFETY: this process has one thread.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let words = match body() {
            Ok(value) => [value, 0],
            Err(errno) => [-1, i64::from(errno)],
        };
        // SAFETY: sixteen valid bytes.
        unsafe { libc::write(pipe[1], words.as_ptr().cast(), 16) };
        // SAFETY: ends the child without running anything else.
        unsafe { libc::_exit(0) };
    }
    // SAFETY: an fd made above, used nowhere else.
    unsafe { libc::close(pipe[1]) };
    let mut words = [0_i64; 2];
    // SAFETY: room for sixteen bytes.
    let got = unsafe { libc::read(pipe[0], words.as_mut_ptr().cast(), 16) };
    // SAFETY: as above.
    unsafe { libc::close(pipe[0]) };
    let mut status = 0;
    // SAFETY: a valid pointer, our own child.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    match (got, words) {
        (16, [-1, errno]) if errno != 0 => Ok(Err(i32::try_from(errno).unwrap_or(0))),
        (16, [value, _]) => Ok(Ok(value)),
        _ => Err(libc::WTERMSIG(status)),
    }
}

/// `mknod(2)`.
pub(crate) fn mknod(path: &str, mode: u32, major: u32, minor: u32) -> Result<(), i32> {
    let path = CString::new(path).map_err(|_| libc::EINVAL)?;
    // SAFETY: a valid string.
    let result = unsafe { libc::mknod(path.as_ptr(), mode, libc::makedev(major, minor)) };
    if result == 0 { Ok(()) } else { Err(errno()) }
}

/// Flags and MTU of a network link.
pub(crate) fn link(name: &str) -> Result<(i64, i64), i32> {
    // SAFETY: all-zero is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes().take(15)) {
        *to = from.cast_signed();
    }
    // SAFETY: no memory involved.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    // SAFETY: a valid request.
    let result = unsafe { libc::ioctl(socket, libc::SIOCGIFFLAGS, &raw mut request) };
    let failure = errno();
    // SAFETY: SIOCGIFFLAGS filled this field.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    // SAFETY: a valid request.
    unsafe { libc::ioctl(socket, libc::SIOCGIFMTU, &raw mut request) };
    // SAFETY: SIOCGIFMTU filled this field.
    let mtu = unsafe { request.ifr_ifru.ifru_mtu };
    // SAFETY: an fd made above.
    unsafe { libc::close(socket) };
    if result == 0 { Ok((i64::from(flags), i64::from(mtu))) } else { Err(failure) }
}

fn ending_signals() -> libc::sigset_t {
    // SAFETY: all-zero is a valid sigset_t.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: a valid pointer.
    unsafe { libc::sigfillset(&raw mut set) };
    for signal in [libc::SIGCHLD, libc::SIGURG, libc::SIGWINCH, libc::SIGCONT] {
        // SAFETY: a valid pointer.
        unsafe { libc::sigdelset(&raw mut set, signal) };
    }
    set
}

/// Blocks every signal that [`wait_for_signal`] waits for, so that none is lost before it waits.
pub(crate) fn block_ending_signals() {
    let set = ending_signals();
    // SAFETY: a valid pointer.
    unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
}

/// Waits for a signal and returns its number.
pub(crate) fn wait_for_signal() -> i32 {
    let set = ending_signals();
    loop {
        // SAFETY: a valid pointer.
        let signal = unsafe { libc::sigwaitinfo(&raw const set, std::ptr::null_mut()) };
        if signal > 0 {
            return signal;
        }
    }
}

/// Sends a signal to this process, with its default action.
pub(crate) fn kill_self(signal: i32) {
    // SAFETY: sets the default action.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    let own = std::process::id().cast_signed();
    // SAFETY: no memory involved.
    unsafe { libc::kill(own, signal) };
}

/// Takes every child that has ended from the process table.
pub(crate) fn reap() {
    // SAFETY: a null status is allowed.
    while unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG | libc::__WALL) } > 0 {}
}

/// Whether the process can be attached to (`ptrace(2)`); it is stopped and let go again.
pub(crate) fn attach_and_let_go(pid: i64) -> bool {
    let ptrace = |request: libc::c_uint| {
        raw(libc::SYS_ptrace, [i64::from(request), pid, 0, 0, 0, 0]).is_ok()
    };
    if !ptrace(libc::PTRACE_SEIZE) {
        return false;
    }
    if ptrace(libc::PTRACE_INTERRUPT) {
        let number = i32::try_from(pid).unwrap_or(0);
        // SAFETY: a null status is allowed.
        unsafe { libc::waitpid(number, std::ptr::null_mut(), libc::__WALL) };
    }
    ptrace(libc::PTRACE_DETACH);
    true
}

//! The seal before anything else: the C library's start-up, a quarter of a millisecond, is then run once and not twice.
//!
//! It is a short cut and decides nothing: what it starts asks again whether it is sealed, and when anything fails here,
//! [`seal`](super::seal()) does the whole work, with its other ways and its messages.
//!
//! The C library is not there yet: no memory of the heap, no thread-local variable, no function of another crate, and no
//! copying or comparing that the compiler could make a call of `memcpy` of. So memory is read and written word by
//! word, as volatile.

#![expect(unsafe_code, reason = "system calls, and the words of the initial stack")]

use std::arch::asm;
use std::mem::MaybeUninit;
use std::ptr::{null, read_volatile, write_volatile};

use super::seal::{MARK, MOUNT_ATTR_RDONLY, MountAttr};

/// More variables than that are left to the ordinary way.
const MOST: usize = 1022;
/// Longer than the mark with any number.
const LONGEST: usize = 40;

const OPEN_TREE_CLONE: usize = 1;

type Text = *const u8;

/// Executes this program again from a sealed executable if a word of its command line is one of `commands`. Returns if
/// none is, if it runs sealed already, and if it cannot be done here.
///
/// # Safety
/// `stack` is the stack pointer at the program's entry, and nothing has been changed there.
pub unsafe fn seal_first(stack: *const usize, commands: &[&[u8]]) {
    // There the seal can be switched off: see sys/layer.rs.
    if cfg!(feature = "weak-points") {
        return;
    }
    // SAFETY: the kernel has put the number of arguments there, their list, and after its null that of the environment.
    let count = unsafe { read_volatile(stack) };
    let args = stack.wrapping_add(1).cast::<Text>();
    // SAFETY: the list ends with a null.
    if unsafe { is_any(args, commands) } {
        // SAFETY: both lists end with a null.
        unsafe { execute_sealed(args, args.wrapping_add(count + 1)) };
    }
}

/// Whether one of the list, the first excepted, is one of `words`.
unsafe fn is_any(list: *const Text, words: &[&[u8]]) -> bool {
    let mut at = 0;
    loop {
        // SAFETY: `at` has not passed the null that ends the list.
        let text = unsafe { read_volatile(list.wrapping_add(at)) };
        if text.is_null() {
            return false;
        }
        // SAFETY: the list is of C strings.
        let is = |word: &&[u8]| unsafe { after(text, word) } == Some(0);
        if at > 0 && words.iter().any(is) {
            return true;
        }
        at += 1;
    }
}

/// If `text` starts with `word`, the byte after it.
unsafe fn after(text: Text, word: &[u8]) -> Option<u8> {
    let mut at = 0;
    for byte in word {
        // SAFETY: none of the bytes before was the zero that ends the text.
        if unsafe { read_volatile(text.wrapping_add(at)) } != *byte {
            return None;
        }
        at += 1;
    }
    // SAFETY: as above.
    Some(unsafe { read_volatile(text.wrapping_add(at)) })
}

unsafe fn execute_sealed(args: *const Text, env: *const Text) {
    let mut list = MaybeUninit::<[Text; MOST + 2]>::uninit();
    let list = list.as_mut_ptr().cast::<Text>();
    let mut count = 0;
    loop {
        // SAFETY: `count` has not passed the null that ends the list.
        let text = unsafe { read_volatile(env.wrapping_add(count)) };
        if text.is_null() {
            break;
        }
        // SAFETY: a C string.
        let marked = unsafe { after(text, MARK.as_bytes()) } == Some(b'=');
        if marked || count == MOST {
            return;
        }
        // SAFETY: there is room for so many, and two more.
        unsafe { write_volatile(list.wrapping_add(count), text) };
        count += 1;
    }
    let mut mark = MaybeUninit::<[u8; LONGEST]>::uninit();
    let mark = mark.as_mut_ptr().cast::<u8>();
    // SAFETY: takes nothing.
    let own = unsafe { call(libc::SYS_getpid, [0; 5]) };
    // SAFETY: there is room for the longest.
    unsafe { write_mark(mark, own) };
    // SAFETY: there is room for two more.
    unsafe { write_volatile(list.wrapping_add(count), mark) };
    // SAFETY: as above.
    unsafe { write_volatile(list.wrapping_add(count + 1), null()) };
    // SAFETY: both lists end with a null.
    unsafe { execute(args, list) }
}

/// `MARK=NUMBER`.
unsafe fn write_mark(to: *mut u8, number: libc::c_long) {
    let mut end = 0;
    let mut put = |byte: u8| {
        // SAFETY: there is room for the name, a sign and 20 digits.
        unsafe { write_volatile(to.wrapping_add(end), byte) };
        end += 1;
    };
    for byte in MARK.as_bytes() {
        put(*byte);
    }
    put(b'=');
    let mut unit = 1;
    while number / unit >= 10 {
        unit *= 10;
    }
    while unit > 0 {
        let [digit, ..] = (number / unit % 10).to_le_bytes();
        put(b'0' + digit);
        unit /= 10;
    }
    put(0);
}

/// From a detached read-only clone of the executable's mount. Returns if that fails, with nothing open.
unsafe fn execute(args: *const Text, env: *const Text) {
    let path = c"/proc/self/exe".as_ptr().addr();
    let none = c"".as_ptr().addr();
    let (at_empty, cloexec) = (number(libc::AT_EMPTY_PATH), number(libc::O_CLOEXEC));
    let how = [number(libc::AT_FDCWD), path, number(libc::O_PATH) | cloexec, 0, 0];
    // SAFETY: the path is a C string.
    let Ok(file) = usize::try_from(unsafe { call(libc::SYS_openat, how) }) else { return };
    // SAFETY: as above.
    let tree = unsafe {
        call(libc::SYS_open_tree, [file, none, OPEN_TREE_CLONE | cloexec | at_empty, 0, 0])
    };
    // SAFETY: it is this function's own.
    unsafe { call(libc::SYS_close, [file, 0, 0, 0, 0]) };
    let Ok(tree) = usize::try_from(tree) else { return };
    let attributes =
        MountAttr { attr_set: MOUNT_ATTR_RDONLY, attr_clr: 0, propagation: 0, userns_fd: 0 };
    let (set, size) = ((&raw const attributes).addr(), size_of::<MountAttr>());
    // SAFETY: the struct has the kernel's layout, its size is passed, and it outlives the call.
    if unsafe { call(libc::SYS_mount_setattr, [tree, none, at_empty, set, size]) } == 0 {
        // SAFETY: both lists end with a null.
        unsafe { call(libc::SYS_execveat, [tree, none, args.addr(), env.addr(), at_empty]) };
    }
    // SAFETY: it is this function's own.
    unsafe { call(libc::SYS_close, [tree, 0, 0, 0, 0]) };
}

fn number(flag: libc::c_int) -> usize {
    // Extended by its sign, as the kernel takes it.
    (flag as isize).cast_unsigned()
}

/// A system call, without the C library's `errno`.
#[cfg(target_arch = "x86_64")]
unsafe fn call(name: libc::c_long, [a, b, c, d, e]: [usize; 5]) -> libc::c_long {
    let result;
    // SAFETY: the kernel's convention; what the call itself does is its caller's to answer for.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") name => result,
            in("rdi") a,
            in("rsi") b,
            in("rdx") c,
            in("r10") d,
            in("r8") e,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack)
        );
    }
    result
}

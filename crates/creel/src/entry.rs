//! The program's entry, called by the C library.
//!
//! The standard library's own one reads the memory map and prepares to report stack overflows: at every start, twice
//! for a command that seals itself, and with code that is not in memory yet. What else it does is done here.

#![expect(unsafe_code, reason = "the C library's main, and calls that rustix has not")]

use std::ffi::{c_char, c_int};
use std::io::Write;

#[unsafe(no_mangle)]
extern "C" fn main(_count: c_int, _words: *const *const c_char) -> c_int {
    open_streams();
    // SAFETY: installs no code. A reader that is gone is an error to handle, not the end of this process.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    let code = crate::main();
    // The last line may have no end; nobody is left to tell that it cannot be written.
    let _ = std::io::stdout().flush();
    code.number()
}

/// What is opened later must not take the number of a standard stream that the caller has closed.
fn open_streams() {
    let stream = |fd| libc::pollfd { fd, events: 0, revents: 0 };
    let mut streams = [stream(0), stream(1), stream(2)];
    // SAFETY: the array has as many entries as the call is told.
    unsafe { libc::poll(streams.as_mut_ptr(), 3, 0) };
    for _ in streams.iter().filter(|stream| stream.revents & libc::POLLNVAL != 0) {
        // SAFETY: the path is a C string; the lowest free number is taken, which is the stream's.
        unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
    }
}

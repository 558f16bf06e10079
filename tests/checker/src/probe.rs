//! What the process may do: each probe tries one thing and reports the result.

use std::fs::{self, File, OpenOptions};
use std::io::{Error, Read, Write};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use serde_json::{Value, json};

use crate::{numbers, proc, sys};

const BEGINNING: usize = 4096;

/// A probe with one argument. An unknown name is reported as such.
pub(crate) fn simple(name: &str, argument: &str) -> Value {
    let found = match name {
        "read" => read(argument),
        "write" => write(argument),
        "open" => OpenOptions::new().read(true).write(true).open(argument).map(|_| json!({})),
        "stat" => proc::describe(argument),
        "list" => list(argument),
        "create" => File::create_new(argument).map(|_| json!({})),
        "mkdir" => fs::create_dir(argument).map(|()| json!({})),
        "exec" => exec(argument),
        "notify" => notify(argument),
        "syscall" => Ok(syscall(argument)),
        "link" => sys::link(argument)
            .map(|(flags, mtu)| json!({ "up": flags & 1 == 1, "running": flags & 0x40 != 0, "mtu": mtu }))
            .map_err(Error::from_raw_os_error),
        _ => Ok(json!({ "unknown": true })),
    };
    result(name, argument, found)
}

/// Makes a node, and opens it to see whether the device is allowed.
pub(crate) fn mknod([path, kind, major, minor]: [&str; 4]) -> Value {
    let kind_bits = match kind {
        "c" => libc::S_IFCHR,
        "b" => libc::S_IFBLK,
        _ => libc::S_IFIFO,
    };
    let made =
        sys::mknod(path, kind_bits | 0o600, major.parse().unwrap_or(0), minor.parse().unwrap_or(0));
    let found = made.map_err(Error::from_raw_os_error).map(|()| {
        let opened = OpenOptions::new().read(true).open(path);
        json!({ "opens": opened.is_ok(), "open_errno": opened.err().and_then(|e| e.raw_os_error()) })
    });
    result("mknod", path, found)
}

fn result(name: &str, argument: &str, found: Result<Value, Error>) -> Value {
    match found {
        Ok(value) => json!({ "probe": name, "argument": argument, "ok": true, "value": value }),
        Err(error) => json!({
            "probe": name, "argument": argument, "ok": false, "errno": error.raw_os_error(),
            "error": error.to_string(),
        }),
    }
}

fn read(path: &str) -> Result<Value, Error> {
    if fs::metadata(path)?.is_dir() {
        return list(path);
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(BEGINNING as u64).read_to_end(&mut bytes)?;
    Ok(json!({ "length": bytes.len(), "text": String::from_utf8_lossy(&bytes) }))
}

fn list(path: &str) -> Result<Value, Error> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(json!({ "length": names.len(), "names": names }))
}

/// A directory is written to by making and removing a file in it.
fn write(path: &str) -> Result<Value, Error> {
    if fs::metadata(path)?.is_dir() {
        let inside = format!("{path}/.written-by-the-checker");
        File::create_new(&inside)?;
        fs::remove_file(&inside)?;
        return Ok(json!({}));
    }
    let mut file = OpenOptions::new().append(true).open(path)?;
    // Pseudo files are opened only: a byte would change the machine's settings.
    if file.metadata()?.is_file() && !path.starts_with("/proc/") && !path.starts_with("/sys/") {
        file.write_all(b"x")?;
    }
    Ok(json!({}))
}

fn exec(path: &str) -> Result<Value, Error> {
    let status = Command::new(path).status()?;
    Ok(json!({ "code": status.code(), "signal": status.signal() }))
}

/// Sends a message to `$NOTIFY_SOCKET`, as `sd_notify(3)` does.
fn notify(message: &str) -> Result<Value, Error> {
    let path =
        std::env::var("NOTIFY_SOCKET").map_err(|_| Error::from_raw_os_error(libc::ENOENT))?;
    UnixDatagram::unbound()?.send_to(message.as_bytes(), &path)?;
    Ok(json!({ "socket": path }))
}

/// `NAME:ARG,ARG…`, made in a child so that a filter that kills is reported too.
fn syscall(text: &str) -> Value {
    let (name, list) = text.split_once(':').unwrap_or((text, ""));
    let Some(number) = numbers::syscall(name) else { return json!({ "unknown": true }) };
    let mut arguments = [0_i64; 6];
    for (argument, word) in
        arguments.iter_mut().zip(list.split(',').filter(|word| !word.is_empty()))
    {
        *argument = word.strip_prefix("0x").map_or_else(
            || word.parse().unwrap_or(0),
            |digits| u64::from_str_radix(digits, 16).unwrap_or(0).cast_signed(),
        );
    }
    match sys::in_child(|| sys::raw(number, arguments)) {
        Ok(Ok(value)) => json!({ "returned": value }),
        Ok(Err(errno)) => json!({ "errno": errno }),
        Err(signal) => json!({ "signal": signal }),
    }
}

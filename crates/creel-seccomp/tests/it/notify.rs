//! The agent's end of the socket.

use std::io::{IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use creel_seccomp::{Agent, ContainerProcessState, ContainerState, Error, SECCOMP_FD_NAME};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use serde_json::{Value, json};

fn state(annotation: &str) -> ContainerProcessState {
    ContainerProcessState {
        oci_version: "1.2.0".into(),
        fds: vec![SECCOMP_FD_NAME.into()],
        pid: 42,
        metadata: Some("who".into()),
        state: ContainerState {
            oci_version: "1.2.0".into(),
            id: "web".into(),
            status: "creating".into(),
            pid: 42,
            bundle: "/bundle".into(),
            annotations: [("key".to_string(), annotation.to_string())].into(),
        },
    }
}

/// Everything that comes until the other end closes.
fn receive(mut stream: UnixStream) -> (Value, Vec<OwnedFd>) {
    let mut bytes = vec![0; 4096];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let into = &mut [IoSliceMut::new(&mut bytes)];
    let message =
        rustix::net::recvmsg(&stream, into, &mut control, RecvFlags::CMSG_CLOEXEC).unwrap();
    let fds = control
        .drain()
        .flat_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => fds.collect(),
            _ => Vec::new(),
        })
        .collect();
    bytes.truncate(message.bytes);
    stream.read_to_end(&mut bytes).unwrap();
    (serde_json::from_slice(&bytes).unwrap(), fds)
}

fn exchange(path: &Path, annotation: &str) -> (Value, Vec<OwnedFd>) {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let bound = UnixListener::bind(path).unwrap();
    let agent = thread::spawn(move || receive(bound.accept().unwrap().0));
    Agent::connect(path).unwrap().send(&state(annotation), &[writer.as_fd()]).unwrap();
    let (json, fds) = agent.join().unwrap();
    // The fd that came is the pipe's.
    rustix::io::write(&fds[0], b"x").unwrap();
    let mut byte = [0];
    reader.read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"x");
    (json, fds)
}

#[test]
fn the_agent_gets_the_state_and_the_fd() {
    let dir = tempfile::tempdir().unwrap();
    let (json, fds) = exchange(&dir.path().join("agent"), "value");
    assert_eq!(fds.len(), 1);
    let expected = json!({
        "ociVersion": "1.2.0", "fds": ["seccompFd"], "pid": 42, "metadata": "who",
        "state": {
            "ociVersion": "1.2.0", "id": "web", "status": "creating", "pid": 42, "bundle": "/bundle",
            "annotations": { "key": "value" }
        }
    });
    assert_eq!(json, expected);
}

#[test]
fn a_state_longer_than_the_socket_takes_at_once_arrives_whole() {
    let dir = tempfile::tempdir().unwrap();
    let long = "x".repeat(3_000_000);
    let (json, _) = exchange(&dir.path().join("agent"), &long);
    assert_eq!(json["state"]["annotations"]["key"], long);
}

#[test]
fn an_agent_is_reached_by_a_path_longer_than_an_address() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("d".repeat(120));
    std::fs::create_dir(&deep).unwrap();
    let short = dir.path().join("agent");
    let bound = UnixListener::bind(&short).unwrap();
    std::fs::rename(&short, deep.join("agent")).unwrap();
    let agent = thread::spawn(move || receive(bound.accept().unwrap().0));
    // The connection ends with the statement: the other end reads until then.
    Agent::connect(&deep.join("agent"))
        .unwrap()
        .send(&state("value"), &[std::io::stdin().as_fd()])
        .unwrap();
    assert_eq!(agent.join().unwrap().1.len(), 1);
}

#[test]
fn an_absent_agent_is_an_error_with_its_path() {
    let found = Agent::connect(Path::new("/nonexistent/agent")).unwrap_err();
    let path = "/nonexistent/agent".to_string();
    assert_eq!(found, Error::Listener { operation: "connect", path, errno: Errno::NOENT });
}

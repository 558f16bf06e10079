//! The runtime as processes of a container see it, before init has executed its program.

use std::fs::{self, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::bed::Bed;

#[test]
fn cve_2019_5736_a_container_cannot_write_to_the_runtimes_executable() {
    let Some(bed) = Bed::new() else { return };
    // Its file outlives it in a descriptor.
    let held = fs::File::open(format!("/proc/{}/exe", bed.created("seal"))).unwrap();
    bed.done(&["delete", "--force", "seal"]);
    assert_eq!(write_error(&held), Some(libc::EROFS));
}

#[test]
fn cve_2016_9962_init_cannot_be_looked_into_before_its_program() {
    let Some(mut bed) = Bed::new() else { return };
    bed.config["process"]["user"]["uid"] = json!(1000);
    let pid = bed.created("hidden");
    let owner = |file: &str| fs::metadata(format!("/proc/{pid}/{file}")).unwrap().uid();
    // What belongs to a process that is not dumpable belongs to root, whoever its user is.
    assert_eq!((owner("mem"), owner("environ")), (0, 0));
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(status.contains("\nUid:\t1000\t"), "{status}");
}

/// The errno of opening the file again for writing, once nobody executes it any more.
fn write_error(file: &fs::File) -> Option<i32> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let error = OpenOptions::new().write(true).open(&path).err()?;
        if error.raw_os_error() != Some(libc::ETXTBSY) || Instant::now() > deadline {
            return error.raw_os_error();
        }
        std::thread::yield_now();
    }
}

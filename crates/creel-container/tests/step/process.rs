use std::fs;

use rustix::io::Errno;
use rustix::thread::CapabilitySet;

use super::mount::said;
use super::sandbox::forked;
use super::{sandbox, text};
use crate::step::{
    Affinity, AppArmor, Capabilities, Domainname, DropBounding, Hostname, Identity, IoPriority,
    Loopback, MemoryPolicy, NoNewPrivileges, OomScoreAdj, Op, Personality, Rlimit, Scheduler,
    Selinux, SessionKeyring, SetCapabilities, Step, Sysctl, Umask,
};

/// A line of `/proc/self/status`.
fn status(key: &str) -> String {
    let text = fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.trim_start_matches(':').split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_process_becomes_its_user_with_capabilities_in_order() {
    const KILL: u64 = 1 << 5;
    const BIND: u64 = 1 << 10;
    sandbox(|s| {
        let sets = Capabilities {
            bounding: KILL | BIND,
            effective: KILL,
            permitted: KILL | BIND,
            inheritable: KILL,
            ambient: KILL,
        };
        s.execute(Step::DropBounding(DropBounding { keep: sets.bounding })).unwrap();
        let groups = Some(vec![7, 8]);
        s.execute(Step::Identity(Identity { uid: 1000, gid: 1001, groups })).unwrap();
        let own = rustix::thread::capabilities(None).unwrap();
        assert_eq!(own.effective, own.permitted, "later steps need them");
        s.execute(Step::SetCapabilities(SetCapabilities { sets })).unwrap();
        assert_eq!(status("Uid"), "1000 1000 1000 1000");
        assert_eq!(status("Gid"), "1001 1001 1001 1001");
        assert_eq!(status("Groups"), "7 8");
        let bits = |key| u64::from_str_radix(&status(key), 16).unwrap();
        assert_eq!(bits("CapBnd"), sets.bounding);
        assert_eq!(bits("CapEff"), sets.effective);
        assert_eq!(bits("CapPrm"), sets.permitted);
        assert_eq!(bits("CapInh"), sets.inheritable);
        assert_eq!(bits("CapAmb"), sets.ambient);
    });
}

#[test]
fn an_ambient_capability_that_cannot_be_is_named() {
    forked(|| {
        let sets = Capabilities { ambient: 1 << 5, ..Capabilities::default() };
        let (op, errno, detail) = said(SetCapabilities { sets }.execute());
        assert_eq!((op, errno), (Op::Prctl, Errno::PERM));
        assert_eq!(detail, "capability number 5");
    });
}

#[test]
fn limits_are_set_or_named() {
    sandbox(|s| {
        let limit = |soft, hard| {
            Step::Rlimit(Rlimit {
                resource: libc::RLIMIT_NOFILE,
                name: "RLIMIT_NOFILE",
                soft,
                hard,
            })
        };
        s.execute(limit(100, 200)).unwrap();
        let now = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        assert_eq!((now.current, now.maximum), (Some(100), Some(200)));
        let sets = rustix::thread::capabilities(None).unwrap();
        let effective = sets.effective - CapabilitySet::SYS_RESOURCE;
        rustix::thread::set_capabilities(
            None,
            rustix::thread::CapabilitySets { effective, ..sets },
        )
        .unwrap();
        let (op, errno, detail) = said(s.execute(limit(100, 300)));
        assert_eq!((op, errno), (Op::Setrlimit, Errno::PERM));
        assert!(detail.contains("RLIMIT_NOFILE"), "{detail}");
    });
}

#[test]
fn the_kernel_schedules_it_as_asked() {
    sandbox(|s| {
        let scheduler = Scheduler {
            policy: 3,
            flags: 0,
            nice: 5,
            priority: 0,
            runtime: 0,
            deadline: 0,
            period: 0,
        };
        s.execute(Step::Scheduler(scheduler)).unwrap();
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let after_name: Vec<_> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        assert_eq!((after_name[16], after_name[38]), ("5", "3"));
        s.execute(Step::IoPriority(IoPriority { class: 2, priority: 6 })).unwrap();
        s.execute(Step::Affinity(Affinity { cpus: vec![0] })).unwrap();
        assert_eq!(status("Cpus_allowed_list"), "0");
        s.execute(Step::Affinity(Affinity { cpus: Vec::new() })).unwrap();
        assert_eq!(
            status("Cpus_allowed_list"),
            fs::read_to_string("/sys/devices/system/cpu/online").unwrap().trim()
        );
        let (op, errno, _) = said(s.execute(Step::Affinity(Affinity { cpus: vec![5000] })));
        assert_eq!((op, errno), (Op::SchedSetaffinity, Errno::INVAL));
        s.execute(Step::Personality(Personality { domain: 8 })).unwrap();
        assert_eq!(fs::read_to_string("/proc/self/personality").unwrap().trim(), "00000008");
        match s.execute(Step::MemoryPolicy(MemoryPolicy { mode: 3, nodes: vec![1] })) {
            Ok(()) => {
                let maps = fs::read_to_string("/proc/self/numa_maps").unwrap();
                assert!(maps.contains("interleave:0"), "{maps}");
            }
            Err(failure) => assert_eq!(failure.errno, Errno::NOSYS, "skipped: no NUMA"),
        }
    });
}

#[test]
fn small_things_are_set() {
    sandbox(|s| {
        s.execute(Step::Umask(Umask { mask: 0o027 })).unwrap();
        assert_eq!(status("Umask"), "0027");
        s.execute(Step::OomScoreAdj(OomScoreAdj { value: 321 })).unwrap();
        assert_eq!(fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim(), "321");
        s.execute(Step::NoNewPrivileges(NoNewPrivileges)).unwrap();
        assert_eq!(status("NoNewPrivs"), "1");
        s.execute(Step::Hostname(Hostname { name: text("host") })).unwrap();
        s.execute(Step::Domainname(Domainname { name: text("domain") })).unwrap();
        let names = rustix::system::uname();
        assert_eq!((names.nodename(), names.domainname()), (c"host", c"domain"));
    });
}

#[test]
fn a_session_keyring_has_its_name_and_can_be_searched() {
    sandbox(|s| {
        s.execute(Step::SessionKeyring(SessionKeyring { name: text("_ses.test"), label: None }))
            .unwrap();
        let Ok(keys) = fs::read_to_string("/proc/keys") else {
            println!("skipped: no keyrings");
            return;
        };
        let line = keys.lines().find(|line| line.contains("_ses.test")).unwrap();
        let permissions = line.split_whitespace().nth(4).unwrap();
        let bits = u32::from_str_radix(permissions, 16).unwrap();
        assert_ne!(bits & 0x0008_0000, 0, "{line}");
    });
}

#[test]
fn the_loopback_of_a_new_network_namespace_is_up() {
    sandbox(|s| {
        assert!(std::net::UdpSocket::bind("127.0.0.1:0").is_ok());
        let send = || {
            let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.send_to(b"x", "127.0.0.1:9")
        };
        assert!(send().is_err());
        s.execute(Step::Loopback(Loopback)).unwrap();
        send().unwrap();
    });
}

#[test]
fn a_sysctl_is_written_to_the_namespaces_of_the_caller() {
    sandbox(|s| {
        let host = fs::read_to_string("/proc/sys/net/ipv4/ip_default_ttl");
        let step = |file, value| Step::Sysctl(Sysctl { file: text(file), value: text(value) });
        s.execute(step("net/ipv4/ip_default_ttl", "77")).unwrap();
        s.execute(step("kernel/msgmax", "9999")).unwrap();
        let now = |file| fs::read_to_string(format!("/proc/sys/{file}")).unwrap();
        assert_eq!(now("net/ipv4/ip_default_ttl").trim(), "77");
        assert_eq!(now("kernel/msgmax").trim(), "9999");
        assert!(host.is_ok());
        let (op, errno, _) = said(s.execute(step("net/ipv4/nothing", "1")));
        assert_eq!((op, errno), (Op::Openat2, Errno::NOENT));
        let (op, _, _) = said(s.execute(step("../../etc/passwd", "1")));
        assert_eq!(op, Op::Openat2);
    });
}

#[test]
fn cve_2025_52881_a_procfs_file_that_is_covered_is_not_written() {
    sandbox(|s| {
        fs::write(s.outside("trap"), "").unwrap();
        rustix::mount::mount_bind(s.outside("trap"), "/proc/sys/net/ipv4/ip_forward").unwrap();
        let step = Sysctl { file: text("net/ipv4/ip_forward"), value: text("1") };
        s.execute(Step::Sysctl(step)).unwrap();
        assert_eq!(fs::read_to_string(s.outside("trap")).unwrap(), "");
        rustix::mount::unmount(
            "/proc/sys/net/ipv4/ip_forward",
            rustix::mount::UnmountFlags::DETACH,
        )
        .unwrap();
        assert_eq!(fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap(), "1\n");
    });
}

#[test]
fn a_label_without_its_security_module_is_an_error_that_names_it() {
    sandbox(|s| {
        let modules = fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
        if !modules.contains("apparmor") {
            let step = AppArmor { profile: text("unconfined-not") };
            let (_, _, detail) = said(s.execute(Step::AppArmor(step)));
            assert!(detail.contains("AppArmor"), "{detail}");
        }
        if !modules.contains("selinux") {
            let step = Selinux { label: text("system_u:system_r:container_t:s0") };
            let (_, _, detail) = said(s.execute(Step::Selinux(step)));
            assert!(detail.contains("SELinux"), "{detail}");
        }
    });
}

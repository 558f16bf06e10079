//! Tables: what is asked for, on which layout, and what is written.

use std::path::Path;

use super::*;
use crate::{
    devices::{Access, DEFAULT_RULES, DeviceType},
    hierarchy::{Hierarchies, Hierarchy, Version},
    settings::{IfMissing, Target},
};

fn v1() -> Hierarchies {
    let names = [
        "cpu,cpuacct",
        "cpuset",
        "memory",
        "blkio",
        "pids",
        "devices",
        "freezer",
        "hugetlb",
        "net_cls,net_prio",
        "rdma",
        "systemd",
    ];
    let list = names.iter().map(|name| Hierarchy::new(name, Version::V1)).collect();
    Hierarchies::from_list(Path::new("/c"), list).unwrap()
}

fn v2() -> Hierarchies {
    Hierarchies::from_list(Path::new("/c"), vec![Hierarchy::new(".", Version::V2)]).unwrap()
}

fn hybrid() -> Hierarchies {
    let list = vec![Hierarchy::new("memory", Version::V1), Hierarchy::new("unified", Version::V2)];
    Hierarchies::from_list(Path::new("/c"), list).unwrap()
}

/// One line: `FILE=VALUE; …`, or the refusals. `?` marks a write that may be skipped, `~` one in any order, `|` the file
/// that is taken instead.
fn compiled(hierarchies: &Hierarchies, resources: &Resources) -> String {
    let show = |write: &crate::Write| {
        let instead = match &write.if_missing {
            IfMissing::Fail => String::new(),
            IfMissing::Skip => "?".to_owned(),
            IfMissing::Instead(file, value) => format!("|{file}={value}"),
        };
        let order = if write.any_order { "~" } else { "" };
        let check = write.must_exceed.map(|file| format!(">{file}")).unwrap_or_default();
        format!("{order}{}={}{instead}{check}", write.file, write.value)
    };
    match resources.compile(hierarchies) {
        Ok(settings) => settings.writes.iter().map(show).collect::<Vec<_>>().join("; "),
        Err(refused) => refused
            .iter()
            .map(|r| format!("! {} {}", r.setting, r.reason))
            .collect::<Vec<_>>()
            .join("; "),
    }
}

fn check(resources: &Resources, on_v1: &str, on_v2: &str) {
    assert_eq!(compiled(&v1(), resources), on_v1, "v1");
    assert_eq!(compiled(&v2(), resources), on_v2, "v2");
}

fn memory(limit: i64, swap: i64) -> Resources {
    Resources {
        memory: Memory { limit: Some(limit), swap: Some(swap), ..Memory::default() },
        ..Resources::default()
    }
}

#[test]
fn nothing_asks_for_nothing_and_neither_do_engines_zeros() {
    check(&Resources::default(), "", "");
    let zeros = Resources {
        memory: Memory { limit: Some(0), reservation: Some(0), swap: Some(0), ..Memory::default() },
        cpu: Cpu {
            shares: Some(0),
            quota: Some(0),
            period: Some(0),
            realtime_runtime: Some(0),
            realtime_period: Some(0),
            cpus: Some(String::new()),
            ..Cpu::default()
        },
        block_io: BlockIo { weight: Some(0), leaf_weight: Some(0), ..BlockIo::default() },
        network: Network { class_id: Some(0), ..Network::default() },
        ..Resources::default()
    };
    check(&zeros, "", "");
}

#[test]
fn memory_and_swap() {
    for (limit, swap, on_v1, on_v2) in [
        (100, 0, "~memory.limit_in_bytes=100", "memory.max=100"),
        (
            100,
            300,
            "~memory.limit_in_bytes=100; ~memory.memsw.limit_in_bytes=300",
            "memory.max=100; memory.swap.max=200",
        ),
        (
            100,
            100,
            "~memory.limit_in_bytes=100; ~memory.memsw.limit_in_bytes=100",
            "memory.max=100; memory.swap.max=0?",
        ),
        (
            100,
            -1,
            "~memory.limit_in_bytes=100; ~memory.memsw.limit_in_bytes=-1?",
            "memory.max=100; memory.swap.max=max?",
        ),
        (
            -1,
            0,
            "~memory.limit_in_bytes=-1; ~memory.memsw.limit_in_bytes=-1?",
            "memory.max=max; memory.swap.max=max?",
        ),
        (0, -1, "~memory.memsw.limit_in_bytes=-1?", "memory.swap.max=max?"),
    ] {
        check(&memory(limit, swap), on_v1, on_v2);
    }
}

#[test]
fn memory_that_cannot_be_is_refused_by_name() {
    for (limit, swap, reason) in [
        (0, 100, "! memory.swap needs memory.limit: it counts memory and swap together"),
        (-1, 100, "! memory.swap cannot be limited while memory.limit is unlimited"),
        (
            100,
            50,
            "! memory.swap counts memory and swap together: at least memory.limit (100) is expected",
        ),
        (-2, 0, "! memory.limit is negative: only -1 (unlimited) may be"),
    ] {
        check(&memory(limit, swap), reason, reason);
    }
}

#[test]
fn the_rest_of_memory() {
    let resources = Resources {
        memory: Memory {
            reservation: Some(50),
            swappiness: Some(0),
            disable_oom_killer: true,
            use_hierarchy: Some(true),
            ..Memory::default()
        },
        ..Resources::default()
    };
    check(
        &resources,
        "memory.soft_limit_in_bytes=50; memory.swappiness=0; memory.oom_control=1; memory.use_hierarchy=1?",
        "! memory.swappiness cgroup v2 does not have it; ! memory.disableOOMKiller cgroup v2 does not have it",
    );
    let checked = Memory { limit: Some(100), check_before_update: true, ..Memory::default() };
    let resources = Resources { memory: checked, ..Resources::default() };
    check(&resources, "~memory.limit_in_bytes=100", "memory.max=100>memory.current");
}

#[test]
fn cpu_time() {
    for (cpu, on_v1, on_v2) in [
        (Cpu { shares: Some(1024), ..Cpu::default() }, "~cpu.shares=1024", "~cpu.weight=100"),
        (
            Cpu { shares: Some(1), ..Cpu::default() },
            "! cpu.shares 2 to 262144 is expected",
            "~cpu.weight=1",
        ),
        (Cpu { quota: Some(5000), ..Cpu::default() }, "~cpu.cfs_quota_us=5000", "~cpu.max=5000"),
        (Cpu { quota: Some(-1), ..Cpu::default() }, "~cpu.cfs_quota_us=-1", "~cpu.max=max"),
        (
            Cpu { period: Some(9000), ..Cpu::default() },
            "~cpu.cfs_period_us=9000",
            "~cpu.max=max 9000",
        ),
        (
            Cpu { quota: Some(5000), period: Some(9000), burst: Some(100), ..Cpu::default() },
            "~cpu.cfs_period_us=9000; ~cpu.cfs_quota_us=5000; ~cpu.cfs_burst_us=100",
            "~cpu.max=5000 9000; ~cpu.max.burst=100",
        ),
        (Cpu { idle: Some(1), shares: Some(99), ..Cpu::default() }, "~cpu.idle=1", "~cpu.idle=1"),
        (
            Cpu { idle: Some(2), ..Cpu::default() },
            "! cpu.idle 0 or 1 is expected",
            "! cpu.idle 0 or 1 is expected",
        ),
        (
            Cpu { burst: Some(0), idle: Some(0), ..Cpu::default() },
            "~cpu.idle=0?; ~cpu.cfs_burst_us=0?",
            "~cpu.idle=0?; ~cpu.max.burst=0?",
        ),
        (
            Cpu { realtime_runtime: Some(950), realtime_period: Some(1000), ..Cpu::default() },
            "~cpu.rt_period_us=1000; ~cpu.rt_runtime_us=950",
            "! cpu.realtimeRuntime cgroup v2 has no real-time budget; ! cpu.realtimePeriod cgroup v2 has no real-time budget",
        ),
        (
            Cpu { cpus: Some("0-1".into()), mems: Some("0".into()), ..Cpu::default() },
            "cpuset.cpus=0-1; cpuset.mems=0",
            "cpuset.cpus=0-1; cpuset.mems=0",
        ),
    ] {
        check(&Resources { cpu, ..Resources::default() }, on_v1, on_v2);
    }
}

#[test]
fn zero_pids_is_a_limit() {
    for (limit, written) in [(0, "pids.max=1"), (7, "pids.max=7"), (-1, "pids.max=max")] {
        check(
            &Resources { pids: Pids { limit: Some(limit) }, ..Resources::default() },
            written,
            written,
        );
    }
}

#[test]
fn block_io() {
    let rate = |rate| vec![DeviceRate { major: 8, minor: 0, rate }];
    let device = DeviceWeight { major: 8, minor: 0, weight: Some(100), leaf_weight: None };
    let block_io = BlockIo {
        weight: Some(500),
        weight_device: vec![device],
        throttle_read_bps: rate(1),
        throttle_write_bps: rate(2),
        throttle_read_iops: rate(3),
        throttle_write_iops: rate(0),
        ..BlockIo::default()
    };
    check(
        &Resources { block_io, ..Resources::default() },
        "blkio.weight=500|blkio.bfq.weight=500; blkio.weight_device=8:0 100|blkio.bfq.weight_device=8:0 100; \
         blkio.throttle.read_bps_device=8:0 1; blkio.throttle.write_bps_device=8:0 2; \
         blkio.throttle.read_iops_device=8:0 3; blkio.throttle.write_iops_device=8:0 0",
        "io.bfq.weight=500|io.weight=4950; io.bfq.weight=8:0 100|io.weight=8:0 910; \
         io.max=8:0 rbps=1; io.max=8:0 wbps=2; io.max=8:0 riops=3; io.max=8:0 wiops=max",
    );
    let leaf = DeviceWeight { weight: None, leaf_weight: Some(20), ..device };
    let block_io =
        BlockIo { leaf_weight: Some(10), weight_device: vec![leaf], ..BlockIo::default() };
    check(
        &Resources { block_io, ..Resources::default() },
        "blkio.leaf_weight=10; blkio.leaf_weight_device=8:0 20",
        "! blockIO.leafWeight cgroup v2 has no leaf weight; ! blockIO.weightDevice[0] cgroup v2 has no leaf weight",
    );
    let block_io = BlockIo { weight: Some(9), ..BlockIo::default() };
    let reason = "! blockIO.weight weight 9: 10 to 1000 is expected";
    check(&Resources { block_io, ..Resources::default() }, reason, reason);
}

#[test]
fn huge_pages_are_limited_when_touched_and_when_reserved() {
    let limit = |page_size: &str| HugepageLimit { page_size: page_size.into(), limit: 4096 };
    check(
        &Resources { hugepage_limits: vec![limit("2MB")], ..Resources::default() },
        "hugetlb.2MB.limit_in_bytes=4096; hugetlb.2MB.rsvd.limit_in_bytes=4096?",
        "hugetlb.2MB.max=4096; hugetlb.2MB.rsvd.max=4096?",
    );
    for bad in ["2", "MB", "02MB", "2mb", "../x"] {
        let refused =
            Resources { hugepage_limits: vec![limit("1GB"), limit(bad)], ..Resources::default() };
        assert!(compiled(&v1(), &refused).starts_with("! hugepageLimits[1] page size"), "{bad}");
    }
}

#[test]
fn network_and_rdma() {
    let priorities = vec![InterfacePriority { name: "eth0".into(), priority: 5 }];
    check(
        &Resources {
            network: Network { class_id: Some(0x10_0001), priorities },
            ..Resources::default()
        },
        "net_cls.classid=1048577; net_prio.ifpriomap=eth0 5",
        "! network.classID no v1 cgroup hierarchy has the net_cls controller; \
         ! network.priorities[0] no v1 cgroup hierarchy has the net_prio controller",
    );
    let rdma = vec![
        Rdma { device: "mlx5_1".into(), hca_handles: Some(3), hca_objects: Some(10_000) },
        Rdma { device: "rxe3".into(), hca_handles: None, hca_objects: Some(1) },
        Rdma { device: "none".into(), hca_handles: None, hca_objects: None },
    ];
    let written = "rdma.max=mlx5_1 hca_handle=3 hca_object=10000; rdma.max=rxe3 hca_object=1";
    check(&Resources { rdma, ..Resources::default() }, written, written);
}

#[test]
fn unified_files_are_written_line_by_line() {
    let unified = |key: &str, value: &str| Resources {
        unified: vec![(key.into(), value.into())],
        ..Resources::default()
    };
    let no_v2 = |key| format!("! unified[{key}] needs cgroup v2, which is not mounted");
    for (key, value, expected) in [
        ("memory.high", "100", "memory.high=100"),
        ("io.max", "8:0 rbps=1\n8:16 rbps=2\n", "io.max=8:0 rbps=1; io.max=8:16 rbps=2"),
        ("cgroup.max.depth", "3", "cgroup.max.depth=3"),
        ("cgroup.procs", "1", "! unified[cgroup.procs] moves or stops processes, it is no setting"),
        ("nope.max", "1", "! unified[nope.max] there is no controller nope"),
        ("memory", "1", "! unified[memory] CONTROLLER.FILE is expected"),
        ("memory./../x", "1", "! unified[memory./../x] is not the name of a file"),
    ] {
        check(&unified(key, value), &no_v2(key), expected);
    }
    let hidden = "! unified[memory.high] controller memory is on v1 on this host";
    assert_eq!(compiled(&hybrid(), &unified("memory.high", "1")), hidden);
    assert_eq!(compiled(&hybrid(), &unified("pids.max", "1")), "pids.max=1");
}

#[test]
fn on_hybrid_each_controller_is_where_it_is_mounted() {
    let resources = Resources { pids: Pids { limit: Some(5) }, ..memory(100, 0) };
    let targets: Vec<_> =
        resources.compile(&hybrid()).unwrap().writes.iter().map(|write| write.target).collect();
    assert_eq!(
        targets,
        [Target::V1(crate::Controller::Memory), Target::V2(Some(crate::Controller::Pids))]
    );
}

#[test]
fn devices_are_writes_on_v1_and_a_program_on_v2() {
    let deny =
        Rule { allow: false, kind: DeviceType::All, major: None, minor: None, access: Access::ALL };
    let devices: Vec<_> = [deny].into_iter().chain(DEFAULT_RULES).collect();
    let resources = Resources { devices, ..Resources::default() };
    let on_v1 = resources.compile(&v1()).unwrap();
    assert_eq!((on_v1.writes.len(), on_v1.device_program.is_some()), (13, false));
    let on_v2 = resources.compile(&v2()).unwrap();
    assert_eq!((on_v2.writes.len(), on_v2.device_program.is_some()), (0, true));
}

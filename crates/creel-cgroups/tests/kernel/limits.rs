//! What the kernel shows after the settings are applied.

use creel_cgroups::{
    Cgroup, CgroupPath, Controller, Cpu, Error, Hierarchies, HugepageLimit, Memory, Pids, Resources,
};

use crate::{Guard, Shell, has, lacks, lacks_on_v2, own_path};

const MIB: i64 = 1 << 20;

fn memory(limit: i64, swap: i64) -> Resources {
    let memory = Memory { limit: Some(limit), swap: Some(swap), ..Memory::default() };
    Resources { memory, ..Resources::default() }
}

fn apply(guard: &Guard, resources: &Resources) -> Result<(), Error> {
    guard.0.apply(&resources.compile(guard.0.hierarchies()).unwrap())
}

fn memory_limits_can_be_raised_and_lowered(hierarchies: &Hierarchies) {
    if lacks(hierarchies, Controller::Memory) {
        return;
    }
    let guard = Guard::new(hierarchies, &memory(100 * MIB, 100 * MIB));
    for (limit, swap) in [(200, 300), (50, 60), (60, 60), (-1, -1), (10, 20)] {
        let bytes = |n: i64| if n < 0 { n } else { n * MIB };
        apply(&guard, &memory(bytes(limit), bytes(swap))).unwrap();
        if limit > 0 {
            let file = if hierarchies.has_v2() && hierarchies.v1(Controller::Memory).is_none() {
                "memory.max"
            } else {
                "memory.limit_in_bytes"
            };
            assert_eq!(guard.read(file), bytes(limit).to_string());
        }
    }
}

fn a_memory_limit_below_what_is_used_says_how_much_that_is(hierarchies: &Hierarchies) {
    if lacks(hierarchies, Controller::Memory) {
        return;
    }
    let guard = Guard::new(hierarchies, &memory(100 * MIB, 100 * MIB));
    let mut shell = Shell::within(&guard.0);
    let line = "x=$(head -c 8000000 /dev/zero | tr '\\0' x); echo ${#x}";
    assert_eq!(shell.answer(line), "8000000");
    let checked = Memory { limit: Some(MIB), check_before_update: true, ..Memory::default() };
    let error = apply(&guard, &Resources { memory: checked, ..Resources::default() }).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("linux.resources.memory.limit: write 1048576 to /sys/fs/cgroup/"),
        "{text}"
    );
    assert!(text.contains("busy: ") && text.ends_with(" bytes are charged already"), "{text}");
    assert!(error.without_setting().starts_with("write 1048576 to"), "{}", error.without_setting());
}

fn a_limit_of_processes_holds(hierarchies: &Hierarchies) {
    if lacks(hierarchies, Controller::Pids) {
        return;
    }
    let guard = Guard::new(
        hierarchies,
        &Resources { pids: Pids { limit: Some(0) }, ..Resources::default() },
    );
    let mut shell = Shell::within(&guard.0);
    assert_eq!(guard.read("pids.max"), "1");
    // The shell gives up when it cannot fork.
    assert_eq!(shell.answer("echo one; (echo two)"), "one");
    assert!(!shell.child.wait().unwrap().success());
}

fn cpu_time_and_idleness_can_be_changed_in_any_order(hierarchies: &Hierarchies) {
    if lacks(hierarchies, Controller::Cpu) {
        return;
    }
    let time = |quota, period, burst| Cpu {
        quota: Some(quota),
        period: Some(period),
        burst: Some(burst),
        ..Cpu::default()
    };
    let guard = Guard::empty(hierarchies);
    let cpu = |cpu| apply(&guard, &Resources { cpu, ..Resources::default() }).unwrap();
    cpu(time(50_000, 100_000, 40_000));
    cpu(time(10_000, 20_000, 5_000));
    cpu(time(800_000, 900_000, 800_000));
    cpu(Cpu { shares: Some(512), ..Cpu::default() });
    cpu(Cpu { idle: Some(1), shares: Some(512), ..Cpu::default() });
    assert_eq!(guard.read("cpu.idle"), "1");
    cpu(Cpu { idle: Some(0), shares: Some(512), ..Cpu::default() });
    assert_eq!(guard.read("cpu.idle"), "0");
    if hierarchies.v1(Controller::Cpu).is_some() {
        let files = ["cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.cfs_burst_us"];
        assert_eq!(files.map(|file| guard.read(file)), ["512", "800000", "900000", "800000"]);
    } else {
        assert_eq!(["cpu.weight", "cpu.max"].map(|file| guard.read(file)), ["59", "800000 900000"]);
    }
}

fn a_cpuset_is_its_parents_unless_it_is_set(hierarchies: &Hierarchies) {
    if lacks(hierarchies, Controller::Cpuset) {
        return;
    }
    let cpu = Cpu { cpus: Some("0".into()), mems: Some("0".into()), ..Cpu::default() };
    let guard = Guard::new(hierarchies, &Resources { cpu, ..Resources::default() });
    assert_eq!(["cpuset.cpus", "cpuset.mems"].map(|file| guard.read(file)), ["0", "0"]);
    if hierarchies.v1(Controller::Cpuset).is_some() {
        let below = CgroupPath::parse(&format!("{}/a/b", guard.0.path())).unwrap();
        let below = Cgroup::create(hierarchies.clone(), below, &creel_cgroups::Settings::default());
        let below = Guard(below.unwrap());
        assert_eq!(["cpuset.cpus", "cpuset.mems"].map(|file| below.read(file)), ["0", "0"]);
    }
}

fn huge_pages_are_limited(hierarchies: &Hierarchies) {
    if lacks(hierarchies, Controller::Hugetlb) {
        return;
    }
    let hugepage_limits = vec![HugepageLimit { page_size: "2MB".into(), limit: 4 << 20 }];
    let guard = Guard::new(hierarchies, &Resources { hugepage_limits, ..Resources::default() });
    let files = match hierarchies.v1(Controller::Hugetlb) {
        Some(_) => ["hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.rsvd.limit_in_bytes"],
        None => ["hugetlb.2MB.max", "hugetlb.2MB.rsvd.max"],
    };
    assert_eq!(files.map(|file| guard.read(file)), ["4194304", "4194304"]);
}

fn a_v2_controller_that_is_not_there_is_named_and_nothing_is_left(hierarchies: &Hierarchies) {
    if has(hierarchies, Controller::Rdma) {
        println!("skipped: there is a controller rdma");
        return;
    }
    let resources = Resources {
        unified: vec![("rdma.max".into(), "x hca_handle=1".into())],
        ..Resources::default()
    };
    let settings = resources.compile(hierarchies).unwrap();
    let path = own_path();
    let error = Cgroup::create(hierarchies.clone(), path.clone(), &settings).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("linux.resources.unified[rdma.max]: controller rdma is not available in"),
        "{text}"
    );
    let left = Cgroup::open(hierarchies.clone(), path).unwrap();
    assert!(!left.paths().any(|(_, path)| path.exists()));
}

fn a_v2_cgroup_with_processes_cannot_pass_controllers_on(hierarchies: &Hierarchies) {
    if lacks_on_v2(hierarchies, Controller::Pids) {
        return;
    }
    let guard = Guard::empty(hierarchies);
    let _shell = Shell::within(&guard.0);
    let path = CgroupPath::parse(&format!("{}/below", guard.0.path())).unwrap();
    let resources = Resources { pids: Pids { limit: Some(5) }, ..Resources::default() };
    let settings = resources.compile(hierarchies).unwrap();
    let error = Cgroup::create(hierarchies.clone(), path, &settings).unwrap_err().to_string();
    let expected = format!(
        "linux.resources.pids.limit: controller pids is not available in /sys/fs/cgroup/{}: it holds processes itself, \
         which a cgroup that passes controllers on must not",
        guard.0.path()
    );
    assert_eq!(error, expected);
}

fn a_limit_of_swap_alone_is_counted_from_the_memory_limit_that_is_there(hierarchies: &Hierarchies) {
    if lacks(hierarchies, Controller::Memory) {
        return;
    }
    let guard = Guard::new(hierarchies, &Resources::default());
    apply(&guard, &memory(100 * MIB, 100 * MIB)).unwrap();
    let swap = |bytes| Resources {
        memory: Memory { swap: Some(bytes), ..Memory::default() },
        ..Resources::default()
    };
    assert_eq!(guard.0.complete(swap(200 * MIB)).unwrap(), memory(100 * MIB, 200 * MIB));
    assert_eq!(guard.0.complete(swap(-1)).unwrap(), swap(-1));
    apply(&guard, &memory(-1, -1)).unwrap();
    assert_eq!(guard.0.complete(swap(200 * MIB)).unwrap(), memory(-1, 200 * MIB));
}

fn a_memory_limit_above_that_of_memory_and_swap_is_refused_by_name(hierarchies: &Hierarchies) {
    if hierarchies.v1(Controller::Memory).is_none() {
        println!("skipped: memory is in no v1 hierarchy");
        return;
    }
    let guard = Guard::new(hierarchies, &Resources::default());
    apply(&guard, &memory(100 * MIB, 100 * MIB)).unwrap();
    let limit = |bytes| Resources {
        memory: Memory { limit: Some(bytes), ..Memory::default() },
        ..Resources::default()
    };
    assert_eq!(guard.0.complete(limit(50 * MIB)).unwrap(), limit(50 * MIB));
    let text = guard.0.complete(limit(200 * MIB)).unwrap_err().to_string();
    assert!(text.starts_with("linux.resources.memory.limit: 209715200 is above"), "{text}");
}

fn a_period_alone_leaves_the_quota(hierarchies: &Hierarchies) {
    if lacks(hierarchies, Controller::Cpu) {
        return;
    }
    let guard = Guard::new(hierarchies, &Resources::default());
    let cpu = |quota, period| Resources {
        cpu: Cpu { quota, period: Some(period), ..Cpu::default() },
        ..Resources::default()
    };
    apply(&guard, &cpu(Some(20_000), 100_000)).unwrap();
    let settings = guard.0.complete(cpu(None, 50_000)).unwrap();
    apply(&guard, &settings).unwrap();
    match hierarchies.v1(Controller::Cpu) {
        Some(_) => assert_eq!(guard.read("cpu.cfs_quota_us"), "20000"),
        None => assert_eq!(guard.read("cpu.max"), "20000 50000"),
    }
}

fn a_v2_controller_is_enabled_when_a_limit_needs_it_later(hierarchies: &Hierarchies) {
    if lacks_on_v2(hierarchies, Controller::Hugetlb) {
        return;
    }
    let guard = Guard::new(hierarchies, &Resources::default());
    let limit = HugepageLimit { page_size: "2MB".to_owned(), limit: 2 << 20 };
    let resources = Resources { hugepage_limits: vec![limit], ..Resources::default() };
    guard.0.enable(&resources.compile(hierarchies).unwrap()).unwrap();
    apply(&guard, &resources).unwrap();
    assert_eq!(guard.read("hugetlb.2MB.max"), "2097152");
}

fn a_change_that_is_refused_at_its_end_changes_nothing(hierarchies: &Hierarchies) {
    let needed = [Controller::Memory, Controller::Cpu, Controller::Cpuset, Controller::Pids];
    if needed.into_iter().any(|controller| lacks(hierarchies, controller)) {
        return;
    }
    let set = |memory, quota, pids, cpus: &str| {
        let bytes = if memory < 0 { memory } else { memory * MIB };
        let memory = Memory { limit: Some(bytes), swap: Some(bytes), ..Memory::default() };
        let cpus = Some(cpus.to_owned()).filter(|cpus| !cpus.is_empty());
        let cpu = Cpu { quota: Some(quota), period: Some(100_000), cpus, ..Cpu::default() };
        Resources { memory, cpu, pids: Pids { limit: Some(pids) }, ..Resources::default() }
    };
    let files = [
        "memory.limit_in_bytes",
        "memory.memsw.limit_in_bytes",
        "memory.max",
        "memory.swap.max",
        "cpu.cfs_quota_us",
        "cpu.max",
        "cpuset.cpus",
        "pids.max",
    ];
    let guard = Guard::new(hierarchies, &set(100, 20_000, 77, ""));
    let values = || files.map(|file| guard.find(file));
    let before = values();
    assert!(before.iter().flatten().count() >= 4, "{before:?}");
    // No machine has this cpu.
    for (memory, quota) in [(50, 10_000), (200, 50_000), (-1, -1)] {
        let settings = set(memory, quota, 5, "8000").compile(hierarchies).unwrap();
        let error = guard.0.change(&settings).unwrap_err();
        assert!(error.to_string().starts_with("linux.resources.cpu.cpus: "), "{error}");
        assert_eq!(values(), before, "{memory}");
    }
    guard.0.change(&set(200, 50_000, 5, "0").compile(hierarchies).unwrap()).unwrap();
    assert_eq!(guard.read("pids.max"), "5");
}

on_each_layout!(
    a_change_that_is_refused_at_its_end_changes_nothing,
    memory_limits_can_be_raised_and_lowered,
    a_memory_limit_below_what_is_used_says_how_much_that_is,
    a_limit_of_processes_holds,
    cpu_time_and_idleness_can_be_changed_in_any_order,
    a_cpuset_is_its_parents_unless_it_is_set,
    huge_pages_are_limited,
    a_limit_of_swap_alone_is_counted_from_the_memory_limit_that_is_there,
    a_period_alone_leaves_the_quota; with v2:
    a_v2_controller_that_is_not_there_is_named_and_nothing_is_left,
    a_v2_cgroup_with_processes_cannot_pass_controllers_on,
    a_v2_controller_is_enabled_when_a_limit_needs_it_later; with v1:
    a_memory_limit_above_that_of_memory_and_swap_is_refused_by_name
);

//! Plain directories stand for files that this kernel does not have.

use std::{fs, path::Path};

use creel_cgroups::{
    BlockIo, Cgroup, CgroupPath, Controllers, Hierarchies, Hierarchy, Memory, Rdma, Resources,
    Version,
};

/// A cgroup `x` with these empty files.
fn tree(root: &Path, version: Version, hierarchy: &str, files: &[&str]) -> Cgroup {
    let directory = root.join(hierarchy).join("x");
    fs::create_dir_all(&directory).unwrap();
    for file in files {
        fs::write(directory.join(file), "").unwrap();
    }
    let hierarchy = Hierarchy {
        name: hierarchy.to_owned(),
        version,
        controllers: if version == Version::V1 {
            Controllers::from_v1_names(hierarchy)
        } else {
            Controllers::EMPTY
        },
    };
    let hierarchies = Hierarchies::from_list(root, vec![hierarchy]).unwrap();
    Cgroup::open(hierarchies, CgroupPath::parse("x").unwrap()).unwrap()
}

/// What is in the file after the settings are applied, or the error without the tree's own path.
fn applied(cgroup: &Cgroup, resources: &Resources, file: &str) -> String {
    let root = cgroup.hierarchies().root();
    let result = cgroup.apply(&resources.compile(cgroup.hierarchies()).unwrap());
    match result {
        Ok(()) => {
            cgroup.paths().map(|(_, path)| fs::read_to_string(path.join(file)).unwrap()).collect()
        }
        Err(error) => error.to_string().replace(&root.display().to_string(), ""),
    }
}

#[test]
fn the_weight_goes_to_the_file_of_the_scheduler_that_is_there() {
    let weight = Resources {
        block_io: BlockIo { weight: Some(500), ..BlockIo::default() },
        ..Resources::default()
    };
    for (version, hierarchy, file, expected) in [
        (Version::V1, "blkio", "blkio.weight", "500"),
        (Version::V1, "blkio", "blkio.bfq.weight", "500"),
        (Version::V2, ".", "io.bfq.weight", "500"),
        (Version::V2, ".", "io.weight", "4950"),
    ] {
        let root = tempfile::tempdir().unwrap();
        let cgroup = tree(root.path(), version, hierarchy, &[file]);
        assert_eq!(applied(&cgroup, &weight, file), expected, "{file}");
    }
    let root = tempfile::tempdir().unwrap();
    let cgroup = tree(root.path(), Version::V1, "blkio", &[]);
    assert_eq!(
        applied(&cgroup, &weight, ""),
        "linux.resources.blockIO.weight: write 500 to /blkio/x/blkio.bfq.weight: no such file or directory: this kernel \
         does not have the file"
    );
}

#[test]
fn rdma_limits_are_one_line_a_device() {
    let root = tempfile::tempdir().unwrap();
    let cgroup = tree(root.path(), Version::V1, "rdma", &["rdma.max"]);
    let rdma = vec![Rdma { device: "mlx5_1".into(), hca_handles: Some(3), hca_objects: Some(9) }];
    let resources = Resources { rdma, ..Resources::default() };
    assert_eq!(applied(&cgroup, &resources, "rdma.max"), "mlx5_1 hca_handle=3 hca_object=9");
}

#[test]
fn without_swap_accounting_only_a_real_swap_limit_fails() {
    let files = ["memory.limit_in_bytes"];
    let root = tempfile::tempdir().unwrap();
    let cgroup = tree(root.path(), Version::V1, "memory", &files);
    let memory = |swap| Resources {
        memory: Memory { limit: Some(4096), swap, ..Memory::default() },
        ..Resources::default()
    };
    assert_eq!(applied(&cgroup, &memory(Some(-1)), files[0]), "4096");
    let error = applied(&cgroup, &memory(Some(8192)), files[0]);
    assert!(
        error.starts_with("linux.resources.memory.swap: write 8192 to /memory/x/memory.memsw"),
        "{error}"
    );
}

#[test]
fn entries_that_are_no_mounts_are_passed_over() {
    let root = tempfile::tempdir().unwrap();
    for name in ["memory", "unified"] {
        fs::create_dir(root.path().join(name)).unwrap();
    }
    std::os::unix::fs::symlink("/sys/fs/cgroup/memory", root.path().join("pids")).unwrap();
    assert!(Hierarchies::detect(root.path()).is_err());
}

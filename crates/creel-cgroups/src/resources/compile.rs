//! From what is asked for to what is written: pure, one file for each group of settings.

use super::compiler::Compiler;
use super::{BlockIo, HugepageLimit, Network, Pids, Rdma, Resources};
use crate::{
    controller::Controller,
    devices::{self, Program},
    error::Refused,
    hierarchy::Hierarchies,
    settings::{IfMissing, Setting, Settings, Target},
};

impl Resources {
    /// Turns what is asked for into writes for this layout. Pure: nothing is asked of the kernel, so whether a v2 cgroup
    /// can have a controller is found by [`Cgroup::create`](crate::Cgroup::create).
    ///
    /// # Errors
    /// Everything that cannot be done, each by the name of its setting.
    pub fn compile(&self, hierarchies: &Hierarchies) -> Result<Settings, Vec<Refused>> {
        let mut compiler = Compiler::new(hierarchies);
        let device_program = compiler.devices(&self.devices);
        compiler.memory(&self.memory);
        compiler.cpu(&self.cpu);
        compiler.pids(self.pids);
        compiler.block_io(&self.block_io);
        compiler.hugepages(&self.hugepage_limits);
        compiler.network(&self.network);
        compiler.rdma(&self.rdma);
        // The last, so that it has the last word on a file.
        compiler.unified(&self.unified);
        if compiler.refused.is_empty() {
            Ok(Settings { writes: compiler.writes, device_program })
        } else {
            Err(compiler.refused)
        }
    }
}

impl Compiler<'_> {
    fn devices(&mut self, rules: &[devices::Rule]) -> Option<Program> {
        if rules.is_empty() {
            return None;
        }
        if self.hierarchies.v1(Controller::Devices).is_none() && self.hierarchies.has_v2() {
            return Some(Program::new(rules));
        }
        self.place(&Setting::of("devices"), Controller::Devices)?;
        match devices::writes(rules) {
            Ok(writes) => self.writes.extend(writes),
            Err(refused) => self.refused.push(refused),
        }
        None
    }

    fn pids(&mut self, pids: Pids) {
        let Some(limit) = pids.limit else { return };
        let setting = Setting::of("pids.limit");
        let Some(target) = self.place(&setting, Controller::Pids) else { return };
        match u64::try_from(limit) {
            // With 0 nothing could be cloned into the cgroup, not even the container's process. 1 has the same meaning
            // for what that one may do.
            Ok(limit) => self.write(setting, target, "pids.max", limit.max(1)),
            Err(_) => self.write(setting, target, "pids.max", "max"),
        };
    }

    fn block_io(&mut self, block_io: &BlockIo) {
        super::block_io::compile(self, block_io);
    }

    fn hugepages(&mut self, limits: &[HugepageLimit]) {
        for (index, HugepageLimit { page_size, limit }) in limits.iter().enumerate() {
            let setting = Setting::item("hugepageLimits", index);
            if !is_page_size(page_size) {
                self.refuse(
                    setting,
                    format!(
                        "page size {page_size:?}: a number followed by KB, MB or GB is expected"
                    ),
                );
                continue;
            }
            let Some(target) = self.place(&setting, Controller::Hugetlb) else { continue };
            let files = |kind: &str| {
                [
                    format!("hugetlb.{page_size}{kind}.limit_in_bytes"),
                    format!("hugetlb.{page_size}{kind}.max"),
                ]
            };
            // Both: the first is charged when a page is touched, the second when it is mapped (Linux 5.7).
            self.write_either(setting.clone(), target, files(""), *limit);
            self.write_either(setting, target, files(".rsvd"), *limit).if_missing(IfMissing::Skip);
        }
    }

    fn network(&mut self, network: &Network) {
        if let Some(id) = network.class_id.filter(|id| *id != 0) {
            let setting = Setting::of("network.classID");
            if let Some(target) = self.place(&setting, Controller::NetCls) {
                self.write(setting, target, "net_cls.classid", id);
            }
        }
        for (index, interface) in network.priorities.iter().enumerate() {
            let setting = Setting::item("network.priorities", index);
            if let Some(target) = self.place(&setting, Controller::NetPrio) {
                let value = format!("{} {}", interface.name, interface.priority);
                self.write(setting, target, "net_prio.ifpriomap", value);
            }
        }
    }

    fn rdma(&mut self, limits: &[Rdma]) {
        for Rdma { device, hca_handles, hca_objects } in limits {
            let setting = Setting::key("rdma", device);
            let part = |name: &str, limit: Option<u32>| {
                limit.map(|n| format!(" {name}={n}")).unwrap_or_default()
            };
            let asked = part("hca_handle", *hca_handles) + &part("hca_object", *hca_objects);
            if asked.is_empty() {
                continue;
            }
            if let Some(target) = self.place(&setting, Controller::Rdma) {
                self.write(setting, target, "rdma.max", format!("{device}{asked}"));
            }
        }
    }

    fn unified(&mut self, entries: &[(String, String)]) {
        for (file, value) in entries {
            let setting = Setting::key("unified", file);
            match self.unified_target(file) {
                Err(reason) => self.refuse(setting, reason),
                // A file with several keys takes one line in one write.
                Ok(target) => {
                    for line in value.lines().filter(|line| !line.trim().is_empty()) {
                        self.write(setting.clone(), target, file.clone(), line);
                    }
                }
            }
        }
    }

    fn unified_target(&self, file: &str) -> Result<Target, String> {
        if !self.hierarchies.has_v2() {
            return Err("needs cgroup v2, which is not mounted".to_owned());
        }
        if file.contains(['/', '\0', '\n']) {
            return Err("is not the name of a file".to_owned());
        }
        let Some((name, _)) = file.split_once('.') else {
            return Err("CONTROLLER.FILE is expected".to_owned());
        };
        if name == "cgroup" {
            return match file {
                "cgroup.procs" | "cgroup.threads" | "cgroup.kill" | "cgroup.freeze" => {
                    Err("moves or stops processes, it is no setting".to_owned())
                }
                _ => Ok(Target::V2(None)),
            };
        }
        match Controller::from_v2_name(name) {
            None => Err(format!("there is no controller {name}")),
            Some(controller) if self.hierarchies.v1(controller).is_some() => {
                Err(format!("controller {name} is on v1 on this host"))
            }
            Some(controller) => Ok(Target::V2(Some(controller))),
        }
    }
}

/// `2MB`, `1GB`, `64KB`: as in the names of the kernel's files.
fn is_page_size(text: &str) -> bool {
    let digits = text
        .strip_suffix("KB")
        .or_else(|| text.strip_suffix("MB"))
        .or_else(|| text.strip_suffix("GB"));
    digits.is_some_and(|digits| {
        !digits.is_empty() && !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit())
    })
}

//! Who the process is: ids, groups, capabilities, umask.

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::{Child, Failure, Op, procfs};
use crate::sys::hiding::hide;

/// Becomes the user: groups, gid, uid, with `PR_SET_KEEPCAPS`, so that capabilities go last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `process.user.uid`.
    pub uid: u32,
    /// `process.user.gid`.
    pub gid: u32,
    /// `process.user.additionalGids`; none keeps the groups of the caller (`run.oci.keep_original_groups`).
    pub groups: Option<Vec<u32>>,
}

/// Sets of capabilities as bits, `1 << CAP_X`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    pub bounding: u64,
    pub effective: u64,
    pub inheritable: u64,
    pub permitted: u64,
    pub ambient: u64,
}

/// Drops from the bounding set what `keep` does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropBounding {
    /// What stays.
    pub keep: u64,
}

/// The last word on capabilities: effective, permitted, inheritable, then ambient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetCapabilities {
    /// The sets the program shall have.
    pub sets: Capabilities,
}

/// `process.user.umask`; without one, 0022.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Umask {
    /// The mask.
    pub mask: u32,
}

impl Identity {
    /// The effective set is taken back after the change of uid: the steps that follow need it, and
    /// [`SetCapabilities`] has the last word.
    pub(super) fn execute(&self, child: &Child) -> Result<(), Failure> {
        if let Some(groups) = &self.groups {
            set_groups(child, groups)?;
        }
        let gid = Gid::from_raw(self.gid);
        rustix::thread::set_thread_res_gid(gid, gid, gid)
            .map_err(|errno| not_mapped(Op::Setgid, errno, self.gid))?;
        rustix::thread::set_keep_capabilities(true).map_err(Failure::at(Op::Prctl))?;
        let uid = Uid::from_raw(self.uid);
        rustix::thread::set_thread_res_uid(uid, uid, uid)
            .map_err(|errno| not_mapped(Op::Setuid, errno, self.uid))?;
        // A change of ids makes the process what fs.suid_dumpable says, which may be dumpable.
        hide().map_err(Failure::at(Op::Prctl))?;
        if self.uid == 0 {
            return Ok(());
        }
        let sets = rustix::thread::capabilities(None).map_err(Failure::at(Op::Capset))?;
        let sets = CapabilitySets { effective: sets.permitted, ..sets };
        rustix::thread::set_capabilities(None, sets).map_err(Failure::at(Op::Capset))
    }
}

/// No groups, where a user namespace denies `setgroups`, is what the process has already.
fn set_groups(child: &Child, groups: &[u32]) -> Result<(), Failure> {
    let groups: Vec<Gid> = groups.iter().map(|&group| Gid::from_raw(group)).collect();
    match rustix::thread::set_thread_groups(&groups) {
        Err(Errno::PERM) if groups.is_empty() && setgroups_is_denied(child) => Ok(()),
        Err(Errno::INVAL) => Err(Failure::new(Op::Setgroups, Errno::INVAL)
            .with(b"an additional gid is not mapped in the user namespace")),
        set => set.map_err(Failure::at(Op::Setgroups)),
    }
}

fn setgroups_is_denied(child: &Child) -> bool {
    let mut word = [0_u8; 4];
    procfs::open_self(&child.proc, c"setgroups", rustix::fs::OFlags::RDONLY)
        .and_then(|file| rustix::io::read(&file, &mut word))
        .is_ok_and(|_| word == *b"deny")
}

fn not_mapped(op: Op, errno: Errno, id: u32) -> Failure {
    let failure = Failure::new(op, errno);
    if errno != Errno::INVAL {
        return failure;
    }
    failure.with(format!("{id} is not mapped in the user namespace").as_bytes())
}

impl DropBounding {
    /// What the kernel does not know is not dropped: `EINVAL` ends the numbers. Without the privilege to drop, only what
    /// is there is missed.
    pub(crate) fn execute(&self) -> Result<(), Failure> {
        for number in 0..64 {
            let bit = 1_u64 << number;
            if self.keep & bit != 0 {
                continue;
            }
            let capability = CapabilitySet::from_bits_retain(bit);
            match rustix::thread::remove_capability_from_bounding_set(capability) {
                Ok(()) => {}
                Err(Errno::INVAL) => break,
                Err(Errno::PERM) if !is_bounding(capability)? => {}
                Err(errno) => return Err(bit_failure(Op::Prctl, errno, number)),
            }
        }
        Ok(())
    }
}

impl SetCapabilities {
    /// Ambient capabilities come after the others: each must be permitted and inheritable.
    pub(crate) fn execute(&self) -> Result<(), Failure> {
        rustix::thread::clear_ambient_capability_set().map_err(Failure::at(Op::Prctl))?;
        let sets = CapabilitySets {
            effective: CapabilitySet::from_bits_retain(self.sets.effective),
            permitted: CapabilitySet::from_bits_retain(self.sets.permitted),
            inheritable: CapabilitySet::from_bits_retain(self.sets.inheritable),
        };
        rustix::thread::set_capabilities(None, sets).map_err(Failure::at(Op::Capset))?;
        for number in (0..64).filter(|number| self.sets.ambient & (1_u64 << number) != 0) {
            let capability = CapabilitySet::from_bits_retain(1 << number);
            rustix::thread::configure_capability_in_ambient_set(capability, true)
                .map_err(|errno| bit_failure(Op::Prctl, errno, number))?;
        }
        Ok(())
    }
}

fn is_bounding(capability: CapabilitySet) -> Result<bool, Failure> {
    match rustix::thread::capability_is_in_bounding_set(capability) {
        Err(Errno::INVAL) => Ok(false),
        asked => asked.map_err(Failure::at(Op::Prctl)),
    }
}

fn bit_failure(op: Op, errno: Errno, number: u32) -> Failure {
    Failure::new(op, errno).with(format!("capability number {number}").as_bytes())
}

impl Umask {
    pub(crate) fn execute(&self) -> Result<(), Failure> {
        rustix::process::umask(Mode::from_raw_mode(self.mask));
        Ok(())
    }
}

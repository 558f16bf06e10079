//! Who the process is: ids, groups, capabilities, umask.

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
#[expect(missing_docs, reason = "the five sets of capabilities(7)")]
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

//! What binds the process before its program runs: keyring, no_new_privs, labels, filter.

use super::Text;

/// A session keyring of the container's own, named by its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionKeyring {
    /// `_ses.ID`.
    pub name: Text,
}

/// `prctl(PR_SET_NO_NEW_PRIVS)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoNewPrivileges;

/// `process.apparmorProfile`, written to `attr/apparmor/exec` or `attr/exec` of the verified procfs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppArmor {
    /// The profile's name.
    pub profile: Text,
}

/// `process.selinuxLabel`, written to `attr/exec` and `attr/keycreate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selinux {
    /// The label.
    pub label: Text,
}

/// Loads a compiled filter; a listener's descriptor stays in `Child::seccomp_listener`.
#[derive(Clone, Debug)]
pub struct LoadSeccomp {
    /// The filter.
    pub filter: creel_seccomp::Compiled,
}

//! What later commands need to know of a container, on disk, and what is true of it now.
//!
//! `ROOT/ID/` holds `state.json` (a [`Record`], versioned, replaced atomically), `config.json` (the config as it was
//! at create), `lock`, and two FIFOs: `start`, which init reads as long as it waits, and `answer`; `notify/` is the
//! directory of a socket for the program's notifications.

mod id;
mod lock;
mod record;
mod status;
mod store;

pub use id::ContainerId;
pub(crate) use lock::Lock;
pub(crate) use record::{CgroupRecord, HooksRecord, ProcessRecord, Record};
pub use status::Status;
pub(crate) use status::{
    Liveness, boot_id, open_process, status_and_init, status_of, status_of_own,
};
pub(crate) use store::{ANSWER_FIFO, Directory, NOTIFY, START_FIFO, Store, errno_of};

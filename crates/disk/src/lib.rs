//! The file-system seam: every file the broker keeps goes through [`Disk`] and [`DiskFile`].
//!
//! Four implementations pass the same conformance suite: [`OsDisk`] is the machine's file system, [`MemoryDisk`]
//! keeps everything in memory behind real descriptors (so `sendfile` works on it), [`FailingDisk`] answers chosen
//! calls with chosen errors, and [`ForgettingDisk`] can crash and come back with only what was synced.
//!
//! On top of the seam: [`write_atomically`] for small files that must never be seen half written, the text files
//! Kafka keeps beside its logs ([`checkpoint`]), and the [`DirLock`] that keeps two processes off one directory.
//!
//! Left to others: what the files mean (`log`), and how their bytes reach a socket (`zcopy`).

mod anchored;
pub mod checkpoint;
mod dirty_pages;
mod disk;
mod failing;
mod fd_file;
mod forgetting;
mod lasting;
mod lock;
mod lock_look;
mod lock_shared;
mod memory;
mod os;
mod pasted;
mod small;
mod within;

pub use anchored::{Anchored, Reading};
pub use checkpoint::{
    CheckpointError, CleanMark, Damage, DamageCheckpoint, DamageEntry, EpochCheckpoint, EpochEntry, LeftBy,
    MetaProperties, OffsetCheckpoint, PartitionMetadata,
};
pub use disk::{DirEntry, Disk, DiskFile, Identity, OpenMode, Space};
pub use failing::{Call, FailingDisk, Fault, Held, Traffic, When};
pub use forgetting::{ForgettingDisk, Spared};
pub use lasting::Lasting;
pub use lock::{DirLock, LOCK_FILE, LockError};
pub use lock_look::{LockLook, look_at_lock};
pub use lock_shared::SharedLock;
pub use memory::MemoryDisk;
pub use os::{OsDisk, WritebackFn};
pub use pasted::Pasted;
pub use rustix::io::Errno;
pub use small::{StagedFile, create_dir_durably, read_small, write_atomically};
pub use within::{holder_of, real_path};

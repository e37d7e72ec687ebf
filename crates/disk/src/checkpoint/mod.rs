//! The text files Kafka keeps beside its logs, read and written in Kafka's exact formats.
//!
//! | file | where | type |
//! |---|---|---|
//! | `recovery-point-offset-checkpoint`, `log-start-offset-checkpoint`, `replication-offset-checkpoint` | log directory | [`OffsetCheckpoint`] |
//! | `leader-epoch-checkpoint` | partition directory | [`EpochCheckpoint`] |
//! | `partition.metadata` | partition directory | [`PartitionMetadata`] |
//! | `meta.properties` | log directory | [`MetaProperties`] |
//! | `.kafka_cleanshutdown` | log directory | [`CleanMark`] |
//! | `pagewire-damage-checkpoint`, which Kafka does not know | log directory | [`DamageCheckpoint`] |
//!
//! None of them may stop a start: all but `meta.properties` can be rebuilt or done without. So damage is told apart
//! from trouble with the disk: [`CheckpointError::is_damage`].

mod clean_mark;
mod damage;
mod epochs;
mod error;
mod meta_properties;
mod offsets;
mod partition_metadata;
mod text;
mod topic_id;

pub use clean_mark::{CLEAN_MARK_FILE, CleanMark, LeftBy};
pub use damage::{DAMAGE_FILE, DamageCheckpoint, DamageEntry};
pub use epochs::{EPOCH_CHECKPOINT_FILE, EpochCheckpoint, EpochEntry};
pub use error::{CheckpointError, Damage};
pub use meta_properties::{META_PROPERTIES_FILE, MetaProperties};
pub use offsets::{CLEANER_FILE, HIGH_WATERMARK_FILE, LOG_START_FILE, OffsetCheckpoint, RECOVERY_POINT_FILE};
pub use partition_metadata::{PARTITION_METADATA_FILE, PartitionMetadata};
pub use topic_id::{format_id, parse_id};

//! What is stored: one file per kind of record. All records are JSON objects with a version field `v`.
//!
//! A record of a newer version than this program knows is an error that says so, never a guess.

mod cluster;
mod codec;
mod configs;
mod deleted;
mod features;
pub mod ids;
pub mod keys;
mod log_dirs;
mod producer_ids;
mod runs;
mod topic;
mod unmade;

pub use cluster::ClusterRecord;
pub use codec::{ModelError, Record, decode, encode};
pub use configs::{ConfigRecord, ConfigScope};
pub use deleted::DeletedTopicRecord;
pub use features::FeaturesRecord;
pub use log_dirs::{LogDirsRecord, known_path};
pub use producer_ids::{BLOCK_LEN, ProducerIdBlock, ProducerIdsRecord};
pub use topic::{PartitionRecord, TopicRecord};
pub use unmade::UnmadeTopicRecord;

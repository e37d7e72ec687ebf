//! Makes a data directory, or several, out of the directories that Apache Kafka (3.9 to 4.3, KRaft) left, so that a
//! broker of ours serves what was in them: topics with their ids, partitions and settings, and their records as they
//! lie there, byte for byte. Groups go on where they were, because `__consumer_offsets` has the same format and comes
//! along like any topic.
//!
//! ```text
//!   source/     a directory of Kafka's, held still             kraft/     its metadata log: the cluster
//!      └──────────────────────┬────────────────────────────────────┘
//!   plan/       which topics, which copy of each partition, which settings; what stands against it. Nothing is written yet
//!   work.rs     each partition (take.rs): verify.rs looks at every batch (batches.rs), verdict.rs says what a bad one means,
//!               place.rs copies, reflinks or links, read_back.rs reads the copy
//!   settle.rs   checkpoints; opened and closed once, as a broker does it; transactions/ names those that nobody had ended;
//!               unserved.rs groups of kinds that are not served
//!   catalog.rs  the metadata, last of all
//!   homes.rs    one new directory, or several over which partitions are spread; staging.rs: each beside its place until it is
//!               whole, then renamed
//! ```
//!
//! Invariants
//! - Kafka's directories are only read. They are kept from being taken by anybody while that goes on.
//! - There is no new directory, or a whole one.
//! - A file that either side may write to is never shared; nothing of a shared one is ever cut.
//! - Leader epochs and producer ids go on above everything that Kafka gave out.
//! - Nothing read is believed: no length takes memory before it is checked.
//!
//! Left to others: what settings mean ([`Settings`]), and how it looks to people.

mod batches;
mod beginning;
mod catalog;
mod cut;
mod error;
mod follows;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod holes;
mod homes;
mod import;
mod kraft;
mod options;
mod place;
mod plan;
mod policies;
mod read_back;
mod readable;
mod report;
mod settle;
mod source;
mod staging;
mod take;
mod threads;
mod transactions;
mod uncleanable;
mod unserved;
mod verdict;
mod verify;
mod walk;
mod work;
mod zeros;

pub use cut::{Cut, CutKind};
pub use error::ImportError;
pub use import::import;
pub use kraft::{DecodeError, MetadataCut, MetadataError, NotCarried, Owner};
pub use options::{Depth, Dynamic, How, Options, Progress, Settings};
pub use pagewire_log::LogConfig;
pub use policies::cleanup_policies;
pub use report::{Left, Placed, Refusal, Report, SettingLeft, TopicReport};
pub use staging::{Begun, Unfinished};
pub use transactions::{OpenTransaction, Outcome};
pub use uncleanable::{BatchPlace, Uncleanable};

//! Apache Kafka as a witness: its tools and its broker read what ours wrote, and its cleaner compacts what ours compacts.
//!
//! ```text
//!   workload.rs    our broker under every kind of load: codecs, rolls, kills, retention, deletion, compaction, groups
//!   dump.rs        DumpLogSegments over every file of it: any line that is not known to be harmless is an accusation
//!   adopt.rs       Kafka's broker on a copy: it serves the same bytes, knows the same producers and committed offsets
//!   compaction.rs  the same records into both, compacted by both: the same records stay
//!   kafka.rs       one node of Kafka, and its classes
//! ```
//!
//! Without Java or Maven nothing here can run, which is said.

mod adopt;
mod compaction;
mod dump;

mod keyed;
mod workload;

use super::{Cases, Context};
use crate::clients::KafkaClasses;

/// The part.
pub fn witness(context: &Context<'_>, cases: &mut Cases<'_>) {
    let classes = match KafkaClasses::of(context.workspace, context.printer) {
        Ok(classes) => classes,
        Err(reason) => return cases.skip("kafka", &format!("{reason:#}")),
    };
    dump::cases(context, &classes, cases);
    adopt::cases(context, &classes, cases);
    compaction::cases(context, &classes, cases);
}

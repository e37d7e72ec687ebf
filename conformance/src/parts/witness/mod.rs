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
use workload::{Ends, Story};

/// The part.
pub fn witness(context: &Context<'_>, cases: &mut Cases<'_>) {
    let classes = match KafkaClasses::of(context.workspace, context.printer) {
        Ok(classes) => classes,
        Err(reason) => return cases.skip("kafka", &format!("{reason:#}")),
    };
    for (end, looks) in [
        (
            Ends::Stopped,
            &[
                ("dump_log_segments_says_nothing_after_a_clean_stop", Look::Dump),
                ("kafka_serves_what_we_stopped_serving", Look::Adopt { mark: true }),
                ("kafka_recovers_what_we_stopped_serving", Look::Adopt { mark: false }),
            ][..],
        ),
        (
            Ends::Killed,
            &[
                ("dump_log_segments_says_nothing_after_a_kill", Look::Dump),
                ("kafka_recovers_what_a_kill_left", Look::Adopt { mark: false }),
            ],
        ),
        (
            Ends::Recovered,
            &[
                ("dump_log_segments_says_nothing_after_recovery", Look::Dump),
                ("kafka_serves_what_we_recovered", Look::Adopt { mark: true }),
            ],
        ),
    ] {
        let mut story = Story::new(&context.binary, end);
        for (name, look) in looks {
            cases.run(name, || {
                let history = story.told()?;
                match look {
                    Look::Dump => {
                        dump::says_nothing(&classes, &history.broker.data_dir(), &workload::COMPACTED)
                    }
                    Look::Adopt { mark } => adopt::goes_on_where_we_stopped(&classes, history, *mark),
                }
            });
        }
    }
    compaction::cases(context, &classes, cases);
}

/// What is done with a directory that our broker left.
#[derive(Debug, Clone, Copy)]
enum Look {
    Dump,
    /// With our mark of a clean stop, or without one.
    Adopt {
        mark: bool,
    },
}

//! The same records into our broker and into Apache Kafka, compacted by both: the same records stay.
//!
//! ```text
//!   trial.rs     rounds: append, let old segments go, let both compact once, compare everything that is served
//!   side.rs      one of the two brokers, and how far its cleaner is
//!   segments.rs  what a partition's files and the appended batches say of where compaction and retention have to stop
//!   compare.rs   records and batches as they are served
//! ```
//!
//! The share of dirty bytes from which on they compact is 1 (never) while records are appended, so that the rounds of
//! both are the same. Records have times of their own and segments are tiny, so that both roll at the same offsets.
//! Each trial has a topic of its own in the same two brokers.

mod compare;
mod segments;
mod side;
mod trial;

use std::path::PathBuf;

use anyhow::{Result, ensure};

pub(in crate::parts) use segments::bases;
pub(in crate::parts) use side::{RATIO, until_clean};
use trial::{Trial, Twist};

use super::dump;
use crate::harness::Broker;
use crate::parts::kafka::{Kafka, Oracle};
use crate::parts::once::Once;
use crate::parts::{Context, Job};

const HOUR_MS: i64 = 3_600_000;

/// Java's cleaner looks every so often, as ours. It is told to delete by time, so that must not come by itself.
const SETTINGS: [&str; 3] =
    ["log.cleaner.backoff.ms=100", "log.retention.check.interval.ms=100", "log.initial.task.delay.ms=100"];

/// Two brokers that get the same.
#[derive(Debug)]
pub(super) struct Both<'o> {
    ours: Broker,
    kafka: Kafka<'o>,
}

impl<'o> Both<'o> {
    fn start(context: &Context<'_>, oracle: &'o Oracle) -> Result<Self> {
        let ours = Broker::start(&context.binary, &SETTINGS[..2])?;
        let mut kafka = Kafka::format(oracle, &SETTINGS)?;
        kafka.start()?;
        Ok(Self { ours, kafka })
    }
}

const KEPT: Trial = Trial {
    topic: "kept",
    configs: &[("cleanup.policy", "compact"), ("delete.retention.ms", "86400000")],
    begun_ago_ms: 2 * HOUR_MS,
    step_ms: 40,
    twist: Twist::None,
};

const TRIALS: [(&str, Trial); 6] = [
    ("both_compact_alike_where_tombstones_are_kept", KEPT),
    (
        "both_compact_alike_where_tombstones_go_at_once",
        Trial {
            topic: "dropped",
            configs: &[("cleanup.policy", "compact"), ("delete.retention.ms", "0")],
            ..KEPT
        },
    ),
    (
        "both_compact_alike_where_delete_horizons_expire",
        Trial {
            topic: "horizons",
            configs: &[("cleanup.policy", "compact"), ("delete.retention.ms", "1000")],
            twist: Twist::HorizonsExpire,
            ..KEPT
        },
    ),
    (
        "both_compact_alike_where_records_must_be_old",
        Trial { topic: "old", begun_ago_ms: 48 * HOUR_MS, step_ms: 60_000, twist: Twist::MustBeOld, ..KEPT },
    ),
    (
        "both_compact_alike_what_was_written_before_compaction_was_wanted",
        Trial { topic: "keyless", twist: Twist::KeylessFirst, ..KEPT },
    ),
    (
        "both_compact_and_delete_alike",
        Trial {
            topic: "deleted",
            configs: &[("cleanup.policy", "compact,delete"), ("retention.ms", "-1")],
            begun_ago_ms: 48 * HOUR_MS,
            step_ms: 60_000,
            twist: Twist::OldSegmentsGo,
        },
    ),
];

pub(super) fn jobs<'j, 'o: 'j>(
    context: &'j Context<'_>,
    oracle: &'o Oracle,
    both: &'j Once<Both<'o>>,
) -> impl Iterator<Item = Job<'j>> {
    TRIALS.iter().map(move |(name, trial)| {
        Job::new(name, move || trial.run(both.get(|| Both::start(context, oracle))?))
    })
}

/// Kafka's tool over what our broker has after all that; after all trials, if none of them was chosen.
pub(super) fn says_nothing(context: &Context<'_>, oracle: &Oracle, both: Option<Both<'_>>) -> Result<()> {
    let both = both.map_or_else(|| tried(context, oracle), Ok)?;
    let Both { mut ours, kafka } = both;
    drop(kafka);
    ensure!(ours.stop()?.success(), "an orderly stop");
    let data_dir: PathBuf = ours.data_dir();
    let topics = TRIALS.iter().map(|(_, trial)| trial.topic);
    let topics: Vec<&str> = topics.filter(|topic| data_dir.join(format!("{topic}-0")).is_dir()).collect();
    ensure!(!topics.is_empty(), "no trial came far enough");
    dump::says_nothing(oracle, &data_dir, &topics)
}

fn tried<'o>(context: &Context<'_>, oracle: &'o Oracle) -> Result<Both<'o>> {
    let both = Both::start(context, oracle)?;
    TRIALS.iter().try_for_each(|(_, trial)| trial.run(&both))?;
    Ok(both)
}

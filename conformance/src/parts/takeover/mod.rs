//! Apache Kafka writes, stops or is killed; `pagewire import` makes a directory of what it left; ours serves it.
//! Everything that a client can see of the one must be seen of the other: ids, settings, every record with offset, time
//! and headers, committed offsets. And back: Kafka's tools, and Kafka itself, read what ours wrote on top.
//!
//! ```text
//!   stage.rs     what cases do with either broker
//!   cases.rs     a Kafka is loaded once and killed; each case takes a copy of that over
//!   in_place.rs  Kafka on a directory of ours, killed there, and ours again
//!   older.rs     Kafka's older versions
//!   tree.rs      whether a directory is as it was
//! ```

mod cases;
mod in_place;
mod older;
mod stage;
mod tree;

use super::kafka::Oracle;
use super::once::Once;
use super::{Cases, Context, Job};
use stage::Stage;

/// Cases at a time.
const LANES: usize = 2;

/// The part.
pub fn takeover(context: &Context<'_>, cases: &Cases<'_>) {
    let oracle = match Oracle::of(context) {
        Ok(oracle) => oracle,
        Err(reason) => return cases.skip("everything", &format!("{reason:#}")),
    };
    let stage = &Stage::new(context, &oracle);
    let loaded = Once::new();
    let loaded = || loaded.get(|| cases::Loaded::new(stage));
    let older = older::fetch(context, cases);
    let mut jobs = vec![Job::new("a_loaded_kafka_is_seen_whole", move || loaded().map(|_| ()))];
    jobs.extend(older.iter().map(|(name, classes)| Job::new(name, move || older::is_served(stage, classes))));
    jobs.extend([
        Job::new("what_an_orderly_kafka_left_is_linked_and_stays_as_it_was", move || {
            cases::after_stop(stage, loaded()?)
        }),
        Job::new("a_producer_rides_over_from_a_killed_kafka", move || cases::ride(stage, loaded()?)),
        Job::new("what_a_killed_kafka_left_is_served_and_goes_on", move || {
            cases::after_kill(stage, loaded()?)
        }),
        Job::new("log_dump_says_of_kafkas_files_what_dump_log_segments_says", move || {
            cases::dumped(stage, loaded()?)
        }),
        Job::new("log_dump_says_of_odd_batches_what_dump_log_segments_says", move || {
            cases::dumped_odd(stage)
        }),
        Job::new("transactions_that_nobody_had_ended_are_ended", move || cases::ended(stage, loaded()?)),
        Job::new("what_a_kafka_wrote_that_was_killed_on_our_directory_counts", move || {
            in_place::counts(stage, loaded()?)
        }),
    ]);
    cases.side_by_side(LANES, jobs);
}

/// Kafka's settings: small internal topics, a quick cleaner, and indexes that are not long after a kill either.
const SETTINGS: &[&str] = &[
    "offsets.topic.num.partitions=5",
    "transaction.state.log.num.partitions=3",
    "group.initial.rebalance.delay.ms=0",
    "log.cleaner.backoff.ms=200",
    "log.index.size.max.bytes=262144",
    "auto.create.topics.enable=false",
];

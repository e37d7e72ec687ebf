//! Whole programs of Kafka's, unchanged, each in processes of its own: Kafka Streams, Kafka Connect, MirrorMaker 2.
//! They are killed under load, and their broker beneath them, and what they made must be exactly what they promise.
//!
//! ```text
//!   node.rs      the broker: ours, or a node of Apache Kafka (`--on-kafka`): each case is known to pass on both
//!   program.rs   one process of a program: killed, stopped politely, waited for
//!   stage.rs     what cases do: brokers, processes, steps of the Java side (pagewire.Programs), waiting
//!   streams.rs   an application that counts words, exactly once, over a repartition and a changelog topic
//!   connect.rs   workers that copy a file into a topic and the topic into files
//!   mirror.rs    a Kafka and the broker under test, each mirrored into the other
//! ```

mod connect;
mod mirror;
mod node;
mod program;
mod stage;
mod streams;

use anyhow::Result;

use super::{Cases, Context, Job};
pub(super) use node::Node;
pub(super) use stage::{SETTINGS, Stage, create};

/// Cases at a time: the machine is to be busy, not to be worn down.
const LANES: usize = 2;

type Test = fn(&Stage<'_>) -> Result<()>;

/// Kafka Streams.
pub fn streams(context: &Context<'_>, cases: &Cases<'_>) {
    let tests: [(&str, Test); 2] = [
        ("every_input_is_counted_once_when_instances_are_killed", streams::instances_killed),
        ("every_input_is_counted_once_when_the_broker_is_killed", streams::broker_killed),
    ];
    run(context, cases, &tests);
}

/// Kafka Connect.
pub fn connect(context: &Context<'_>, cases: &Cases<'_>) {
    let tests: [(&str, Test); 3] = [
        ("a_file_comes_out_as_it_went_in_over_a_restart", connect::orderly),
        ("each_line_is_written_once_when_workers_are_killed", connect::workers_killed),
        ("each_line_is_written_once_when_the_broker_is_killed", connect::broker_killed),
    ];
    run(context, cases, &tests);
}

/// MirrorMaker 2.
pub fn mirror(context: &Context<'_>, cases: &Cases<'_>) {
    let tests: [(&str, Test); 3] = [
        ("records_groups_and_settings_are_mirrored_both_ways", mirror::both_ways),
        ("a_mirror_that_is_killed_copies_every_record_once", mirror::killed),
        ("a_mirror_copies_every_record_once_when_the_broker_is_killed", mirror::broker_killed),
    ];
    run(context, cases, &tests);
}

fn run(context: &Context<'_>, cases: &Cases<'_>, tests: &[(&'static str, Test)]) {
    let stage = match Stage::of(context) {
        Ok(stage) => stage,
        Err(reason) => return cases.skip("everything", &format!("{reason:#}")),
    };
    let stage = &stage;
    cases
        .side_by_side(LANES, tests.iter().map(|&(name, test)| Job::new(name, move || test(stage))).collect());
}

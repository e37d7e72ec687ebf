//! What is measured beside the loads: background work, Kafka's own producer and librdkafka's, and starting. A case runs once
//! against one broker and answers one number per column.

mod beside;
mod cleaning;
mod cold;
mod compact;
mod fetches;
mod java;
mod librdkafka;
mod pace;
mod partitions;
mod rounds;
mod slow;
mod stalling;
mod start;
mod tail;

use anyhow::Result;

use crate::broker::{Broker, FLOOR};
use crate::goals::{Goal, To, at_most};
use crate::report::Name;

pub(crate) use rounds::measured;

/// A measurement.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) columns: &'static [Name],
    pub(crate) run: fn(&Broker, u64) -> Result<Vec<f64>>,
    pub(crate) goals: &'static [Goal],
    /// Of rivals: one that takes minutes with them is not repeated as often as the others.
    pub(crate) rival_rounds_max: usize,
    /// Rounds that do not count; one that starts brokers of its own needs none.
    pub(crate) warm_up_max: usize,
    /// Whether a round writes much to a broker that runs already.
    pub(crate) writes: bool,
    /// Whether this machine lets it be measured; an error says why not.
    pub(crate) can_be_had: fn() -> Result<()>,
    /// Which brokers can be measured so.
    of: Of,
}

/// Brokers that a case fits: the floor, which takes and gives and nothing else, is none of them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    All,
    /// It starts another one like it.
    StartedHere,
}

impl Case {
    pub(crate) fn fits(&self, broker: &Broker) -> bool {
        broker.name != FLOOR && (self.of == Of::All || broker.recipe.is_some())
    }
}

/// What most cases have in common.
const PLAIN: Case = Case {
    name: "",
    what: "",
    columns: &[],
    run: |_, _| Ok(Vec::new()),
    goals: &[],
    rival_rounds_max: usize::MAX,
    warm_up_max: 1,
    writes: true,
    can_be_had: || Ok(()),
    of: Of::All,
};

const COMPACTED: &[Name] = &["CPU s/GB", "MB/s", "left MiB", "RSS MiB"];
const HARDLY_SLOWER: &[Goal] = &[at_most(beside::P99, To::Own(beside::ALONE_P99), 1.2)];

pub(crate) static CASES: &[Case] = &[
    Case {
        name: "producer-perf",
        what: "Kafka's own producer, idempotent: acks=all, 1 KiB records, no linger; its own figures and the broker's CPU",
        columns: java::COLUMNS,
        run: java::run,
        can_be_had: java::can_be_had,
        ..PLAIN
    },
    Case {
        name: "librdkafka",
        what: "librdkafka's producer through confluent-kafka, idempotent: acks=all, 1 KiB records, no linger; its own figures and \
               the broker's CPU",
        columns: librdkafka::COLUMNS,
        run: librdkafka::run,
        can_be_had: librdkafka::can_be_had,
        ..PLAIN
    },
    Case {
        name: "compact",
        what: "compaction of records of 1 KiB, eight of each key, not compressed; cleaners rest for 100 ms",
        columns: COMPACTED,
        run: compact::plain,
        ..PLAIN
    },
    Case {
        name: "compact-zstd",
        what: "the same in batches of zstd, which are taken apart and compressed again; of bytes as they lie there",
        columns: COMPACTED,
        run: compact::zstd,
        ..PLAIN
    },
    Case {
        name: "tail-cleaning",
        what: "1,000 records of 1 KiB a second alone, then while another topic is compacted",
        columns: &beside::columns("cleaned MiB"),
        run: cleaning::run,
        ..PLAIN
    },
    Case {
        name: "tail-cold",
        what: "the same alone, then beside a consumer that reads what is on the disk alone",
        columns: &beside::columns("read from disk MiB"),
        run: cold::run,
        goals: &[at_most(beside::P99, To::Own(beside::ALONE_P99), 1.2).on_disk()],
        can_be_had: cold::can_be_had,
        ..PLAIN
    },
    Case {
        name: "tail-slow-disk",
        what: "the same alone, then while the disk of another log directory answers no write for 200 ms, twice a second",
        columns: &beside::columns("stalls"),
        run: slow::tail,
        goals: HARDLY_SLOWER,
        can_be_had: stalling::can_be_had,
        of: Of::StartedHere,
        warm_up_max: 0,
        ..PLAIN
    },
    Case {
        name: "fetch-slow-disk",
        what: "1,000 hot fetches of 16 KiB a second alone, then while the disk they come from answers no write for 200 ms, twice \
               a second",
        columns: &beside::columns("stalls"),
        run: slow::fetch,
        goals: HARDLY_SLOWER,
        can_be_had: stalling::can_be_had,
        of: Of::StartedHere,
        warm_up_max: 0,
        ..PLAIN
    },
    Case {
        name: "start",
        what: "from exec to the answer to ApiVersions, on a directory that was stopped in order and holds nothing; then, after ten \
               seconds, ten idle ones",
        columns: start::COLUMNS,
        run: start::run,
        goals: start::GOALS,
        of: Of::StartedHere,
        warm_up_max: 0,
        writes: false,
        ..PLAIN
    },
    Case {
        name: "partitions",
        what: "10,000 partitions in ten topics, each written once, stopped in order, started",
        columns: partitions::COLUMNS,
        run: partitions::run,
        goals: partitions::GOALS,
        rival_rounds_max: 1,
        warm_up_max: 0,
        writes: false,
        of: Of::StartedHere,
        ..PLAIN
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_goals_are_of_figures_that_are_measured() {
        for (at, case) in CASES.iter().enumerate() {
            assert!(CASES.iter().skip(at + 1).all(|other| other.name != case.name), "{}", case.name);
            let measured = |name: &str| case.columns.contains(&name);
            let goals_are =
                |goal: &Goal| measured(goal.figure) && !matches!(goal.to, To::Own(other) if !measured(other));
            assert!(case.goals.iter().all(goals_are), "{}", case.name);
        }
    }
}

//! What is measured beside the loads: background work, Kafka's own producer and librdkafka's, and starting. A case runs once
//! against one broker, which is its turn, and answers one number per column.

mod beside;
mod cleaning;
mod cold;
mod compact;
mod fetches;
mod java;
mod librdkafka;
mod pace;
mod partitions;
mod real;
mod rounds;
mod slow;
mod stalling;
mod start;
mod tail;
mod turn;
mod warm;

use anyhow::Result;

use crate::broker::{Broker, FLOOR};
use crate::goals::{Goal, To, at_most};
use crate::load::DIRECT;
use crate::report::Name;

pub(crate) use librdkafka::version as librdkafka_version;
pub(crate) use rounds::{Measured, measured};
pub(crate) use turn::Turn;

/// A measurement.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) columns: &'static [Name],
    pub(crate) run: fn(&Turn<'_>) -> Result<Vec<f64>>,
    pub(crate) goals: &'static [Goal],
    /// Settings of ours, each KEY=VALUE, with which one of its own is started for this case; none where that is not wanted.
    pub(crate) ours: &'static [&'static str],
    /// Rounds, unless it is said how many: where two figures of a round are compared, three of them are few.
    pub(crate) rounds_min: usize,
    /// Of rivals: one that takes minutes with them is not repeated as often as the others.
    pub(crate) rival_rounds_max: usize,
    /// Rounds that do not count; one that starts brokers of its own needs none, as it warms those where they are to be warm.
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
    run: |_| Ok(Vec::new()),
    goals: &[],
    ours: &[],
    rounds_min: 0,
    rival_rounds_max: usize::MAX,
    warm_up_max: 1,
    writes: true,
    can_be_had: || Ok(()),
    of: Of::All,
};

/// One beside other work: alone and not, and the ratio of the two in each round.
const BESIDE: Case = Case { rounds_min: 5, ..PLAIN };

/// The same of a broker that is started for it, with a disk that stalls.
const BESIDE_STALLS: Case = Case {
    columns: &beside::columns(["stalls", "slow producers' records"]),
    goals: HARDLY_SLOWER,
    can_be_had: stalling::can_be_had,
    of: Of::StartedHere,
    warm_up_max: 0,
    ..BESIDE
};

const COMPACTED: &[Name] = &["CPU s/GB", "MB/s", "left MiB", "RSS MiB"];
const HARDLY_SLOWER: &[Goal] = &[at_most(beside::P99_TO_ALONE, To::Itself, 1.2)];
const HARDLY_SLOWER_ON_DISK: &[Goal] = &[at_most(beside::P99_TO_ALONE, To::Itself, 1.2).on_disk()];

pub(crate) static CASES: &[Case] = &[
    Case {
        name: "producer-perf",
        what: "Kafka's own producer, idempotent: acks=all (on the disk by fdatasync here, in the page cache elsewhere), 1 KiB records, \
               no linger; what it costs the broker, and the producer's own figures",
        columns: real::COLUMNS,
        run: java::run,
        can_be_had: java::can_be_had,
        ..PLAIN
    },
    Case {
        name: "producer-perf-cached",
        what: "as producer-perf with acks=all in the page cache everywhere, one meaning for all: one of ours with \
               pagewire.acks.all.meaning=page-cache",
        columns: real::COLUMNS,
        run: java::run,
        ours: real::CACHED,
        can_be_had: java::can_be_had,
        ..PLAIN
    },
    Case {
        name: "librdkafka",
        what: "librdkafka's producer through confluent-kafka, idempotent: acks=all (on the disk by fdatasync here, in the page cache \
               elsewhere), 1 KiB records, no linger; what it costs the broker, and the producer's own figures",
        columns: real::COLUMNS,
        run: librdkafka::run,
        can_be_had: librdkafka::can_be_had,
        ..PLAIN
    },
    Case {
        name: "librdkafka-cached",
        what: "as librdkafka with acks=all in the page cache everywhere, one meaning for all: one of ours with \
               pagewire.acks.all.meaning=page-cache",
        columns: real::COLUMNS,
        run: librdkafka::run,
        ours: real::CACHED,
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
        what: "1,000 batches of ten 1 KiB records a second, as in tail, alone, and while another topic is compacted",
        columns: &beside::columns(["cleaned MiB", "left MiB"]),
        run: cleaning::run,
        ..BESIDE
    },
    Case {
        name: "tail-cold",
        what: "the same alone, and beside a consumer that reads 200 MB/s of what is on the disk alone",
        columns: &beside::columns(cold::READ),
        run: cold::paced,
        goals: HARDLY_SLOWER_ON_DISK,
        can_be_had: cold::can_be_had,
        ..BESIDE
    },
    Case {
        name: "tail-cold-direct",
        what: "as tail-cold, whose reader is answered past the page cache by one of ours with pagewire.transfer.cold=direct; \
               fetch-cold-direct says what that costs the reader",
        columns: &beside::columns(cold::READ),
        run: cold::paced,
        goals: HARDLY_SLOWER_ON_DISK,
        ours: DIRECT,
        can_be_had: cold::can_be_had,
        ..BESIDE
    },
    Case {
        name: "tail-cold-unpaced",
        what: "the same alone, and beside one that reads it as fast as it is answered: a faster broker has more beside its tail",
        columns: &beside::columns(cold::READ),
        run: cold::unpaced,
        goals: HARDLY_SLOWER_ON_DISK,
        can_be_had: cold::can_be_had,
        ..BESIDE
    },
    Case {
        name: "tail-slow-disk",
        what: "the same alone, and while the disk of another log directory, to which others write, answers no write for 200 ms, twice \
               a second; of a broker that was started for it and warmed until its CPU was steady",
        run: slow::tail,
        ..BESIDE_STALLS
    },
    Case {
        name: "fetch-slow-disk",
        what: "1,000 hot fetches of 16 KiB a second alone, and while the disk they come from, to which others write, answers no write \
               for 200 ms, twice a second; of a broker that was started for it and warmed until its CPU was steady",
        run: slow::fetch,
        ..BESIDE_STALLS
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
        what: "10,000 partitions in ten topics, each written once, stopped in order, started; each is served when a record of every \
               one was read, those of a topic asked for together",
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
            let measured = |goal: &Goal| case.columns.contains(&goal.figure);
            assert!(case.goals.iter().all(measured), "{}", case.name);
        }
    }

    #[test]
    fn what_a_case_sets_of_ours_is_a_setting() {
        let settings = include_str!("../../../docs/settings.md");
        let loads = crate::load::CASES.iter().flat_map(|case| case.ours);
        for pair in CASES.iter().flat_map(|case| case.ours).chain(loads) {
            let (key, value) = pair.split_once('=').unwrap();
            let row = settings.lines().find(|line| line.starts_with(&format!("| `{key}` |")));
            assert!(
                row.is_some_and(|row| value.parse::<u64>().is_ok() || row.contains(&format!("`{value}`"))),
                "{pair}"
            );
        }
    }
}

//! The table of loads: what each asks of the drive, what is looked at, and what it is to come to.

use pagewire_lab::drive::client::Acks;
use pagewire_lab::drive::{Case, Plan};
use pagewire_record::Codec;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::sustained;
use crate::goals::{Goal, To, at_least, at_most};

/// A load with a name.
pub(crate) struct LoadCase {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(super) load: Case,
    /// What is other than in most cases.
    pub(super) set: fn(&mut Plan),
    /// What goes by the machine then; or why it cannot be measured on this one.
    pub(super) fit: fn(&mut Plan) -> Result<(), String>,
    /// Settings of ours, each KEY=VALUE, with which one of its own is started for this case; none where that is not wanted.
    pub(crate) ours: &'static [&'static str],
    /// Whether everybody has on the disk what is acknowledged, for which whoever answers out of the page cache is told otherwise.
    pub(super) is_flushed: bool,
    /// The figures that are printed, by the names that the lab gives them.
    pub(super) figures: &'static [&'static str],
    pub(crate) goals: &'static [Goal],
}

const BY_BYTES: &[&str] = &[
    "cpu_s_per_gb",
    "machine_cpu_s_per_gb",
    "synced_cpu_s_per_gb",
    "syscalls_per_request",
    "mb_per_s",
    "disk_bytes_per_byte",
    "p50",
    "p99",
    "p99.9",
    "max",
    "peak_rss_mib",
    "client_cpu_cores",
];
const BY_REQUEST: &[&str] = &[
    "cpu_s_per_gb",
    "cpu_us_per_request",
    "machine_cpu_us_per_request",
    "synced_cpu_s_per_gb",
    "syscalls_per_request",
    "mb_per_s",
    "p50",
    "p99",
    "p99.9",
    "max",
    "peak_rss_mib",
    "client_cpu_cores",
];
const TAIL: &[&str] = &[
    "cpu_us_per_delivery",
    "machine_cpu_us_per_delivery",
    "synced_cpu_us_per_delivery",
    "syscalls_per_delivery",
    "p50",
    "p99",
    "p99.9",
    "max",
    "peak_rss_mib",
    "client_cpu_cores",
    "behind_ms",
];
const CONNECTIONS: &[&str] = &[
    "cpu_us_per_record",
    "machine_cpu_us_per_record",
    "syscalls_per_record",
    "p50",
    "p99",
    "p99.9",
    "idle_kib_per_connection",
    "cpu_us_per_connect",
    "peak_rss_mib",
    "client_cpu_cores",
    "behind_ms",
];

/// What is cold is read past the page cache.
pub(crate) const DIRECT: &[&str] = &["pagewire.transfer.cold=direct"];

/// Idle connections to a broker, one broker after the other. With fewer the goal of each is not judged: what a broker has once
/// would be shared by so many.
const IDLE: usize = 10_000;
/// Files that a broker, or this process, has open besides.
const OTHER_FILES: usize = 512;
/// Segments that ours keeps open in that case, where it would keep a quarter of what may be open: a process that may have 20,000
/// has room for the connections then. One of ours under another name has to be told so too, or to have a higher limit.
const FEW_SEGMENTS: &[&str] = &["pagewire.open.files.max=1000"];
const SEGMENTS: usize = 1000;
/// Files that may be open, so that there is room; and with room for brokers that keep half of it for files.
const FILES_MIN: u64 = 2 * IDLE as u64;
const FILES: u64 = 4 * IDLE as u64;

/// So many, or as many as ours takes with this process's limit, a quarter of which it keeps for answers, and as this process may
/// hold beside the busy ones to all.
fn idle(plan: &Plan) -> usize {
    let files = getrlimit(Resource::Nofile).maximum.and_then(|files| usize::try_from(files).ok());
    idle_with(files.unwrap_or(usize::MAX), plan.busy, plan.targets.len())
}

fn idle_with(files: usize, busy: usize, brokers: usize) -> usize {
    let files = files.saturating_sub(OTHER_FILES);
    let broker = (files - files / 4).saturating_sub(SEGMENTS + busy);
    IDLE.min(broker).min(files.saturating_sub(busy * brokers))
}

/// Raises the limit of open files for this process and for those it starts from now on, where it is too low for the idle
/// connections and may be raised (root may, in most places). Why it could not be, where that leaves room for fewer.
pub(crate) fn raise_limit() -> Option<String> {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.filter(|most| *most < FILES)?;
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.current, maximum: Some(FILES) });
    let why = raised.err().filter(|_| most < FILES_MIN)?;
    Some(format!("no more than {most} files may be open, and not {FILES_MIN}: {why}; {ADVICE}"))
}

/// What to do about it.
const ADVICE: &str = "run it as root, or raise the hard limit before (`ulimit -Hn`)";

/// Why so many idle connections are no measure, if they are not.
pub(super) fn too_few(idle: usize) -> Option<String> {
    (idle < IDLE).then(|| {
        format!(
            "{idle} idle connections and not {IDLE}: too few files may be open here (not {FILES_MIN}); {ADVICE}"
        )
    })
}

impl LoadCase {
    /// Settings of ours, as a recipe takes them.
    pub(crate) fn settings(&self) -> Vec<String> {
        self.ours.iter().map(|&setting| setting.to_owned()).collect()
    }
}

const TAIL_GOALS: &[Goal] = &[
    at_most("p50", To::Floor, 1.5),
    at_most("p99", To::Kafka, 1.0 / 3.0),
    at_most("cpu_us_per_delivery", To::Kafka, 1.0 / 3.0),
];

/// What most cases have in common.
const PLAIN: LoadCase = LoadCase {
    name: "",
    what: "",
    load: Case::Produce,
    set: |_| {},
    fit: |_| Ok(()),
    ours: &[],
    is_flushed: false,
    figures: BY_BYTES,
    goals: &[],
};

/// A produce of small batches.
fn small(plan: &mut Plan) {
    (plan.record_bytes, plan.batch_bytes) = (900, 1000);
}

/// A produce to many partitions, each by a connection of its own.
fn partitions(plan: &mut Plan) {
    (plan.partitions, plan.in_flight) = (100, 1);
}

pub(crate) static CASES: &[LoadCase] = &[
    LoadCase {
        name: "produce",
        what: "1 KiB records in batches of 64 KiB, acks=1, five in flight on one connection: a closed loop",
        goals: &[
            at_most("cpu_s_per_gb", To::Floor, 1.3),
            at_most("cpu_s_per_gb", To::Kafka, 1.0 / 3.0),
            at_least("mb_per_s", To::Kafka, 2.0),
        ],
        ..PLAIN
    },
    LoadCase {
        name: "produce-sustained",
        what: "as produce, but until four times as much is written as the kernel begins to write back at (12 GiB, and of the disk's \
               free third a broker's share, at most): the disk is busy with what was written before; each round into a topic of its \
               own, which is gone before the next broker's turn; one round to warm up",
        load: Case::ProduceAfresh,
        fit: sustained::fit,
        ..PLAIN
    },
    LoadCase {
        name: "produce-small",
        what: "one record of 900 bytes to a batch, acks=1, five in flight on one connection: a closed loop",
        set: small,
        figures: BY_REQUEST,
        goals: &[
            at_most("cpu_s_per_gb", To::Floor, 1.5),
            at_most("cpu_s_per_gb", To::Kafka, 0.25),
            at_least("mb_per_s", To::Kafka, 2.0),
        ],
        ..PLAIN
    },
    LoadCase {
        name: "produce-all",
        what: "as produce with acks=all: on the disk by fdatasync here, in the page cache elsewhere",
        set: |plan| plan.acks = Acks::All,
        goals: &[
            at_least("mb_per_s", To::Kafka, 1.0).on_disk(),
            at_most("cpu_s_per_gb", To::Kafka, 0.5).on_disk(),
        ],
        ..PLAIN
    },
    LoadCase {
        name: "produce-all-cached",
        what: "as produce with acks=all in the page cache everywhere, one meaning for all: one of ours with \
               pagewire.acks.all.meaning=page-cache",
        set: |plan| plan.acks = Acks::All,
        ours: &["pagewire.acks.all.meaning=page-cache"],
        ..PLAIN
    },
    LoadCase {
        name: "produce-flushed",
        what: "as produce with acks=all on the disk everywhere, the other meaning for all: rivals are told to sync each append \
               (log.flush.interval.messages=1), and the floor syncs once for what came during the sync before",
        set: |plan| plan.acks = Acks::All,
        is_flushed: true,
        ..PLAIN
    },
    LoadCase {
        name: "produce-small-all",
        what: "as produce-small with acks=all: on the disk by fdatasync here, in the page cache elsewhere",
        set: |plan| {
            small(plan);
            plan.acks = Acks::All;
        },
        figures: BY_REQUEST,
        ..PLAIN
    },
    LoadCase {
        name: "produce-small-flushed",
        what: "as produce-small with acks=all on the disk everywhere, as in produce-flushed",
        set: |plan| {
            small(plan);
            plan.acks = Acks::All;
        },
        is_flushed: true,
        figures: BY_REQUEST,
        ..PLAIN
    },
    LoadCase {
        name: "produce-partitions",
        what: "as produce to 100 partitions over 100 connections, one in flight on each: a closed loop",
        set: partitions,
        ..PLAIN
    },
    LoadCase {
        name: "produce-partitions-all",
        what: "as produce-partitions with acks=all: on the disk by fdatasync here, each partition by syncs of its own, in the page \
               cache elsewhere",
        set: |plan| {
            partitions(plan);
            plan.acks = Acks::All;
        },
        ..PLAIN
    },
    LoadCase {
        name: "produce-zstd",
        what: "as produce in batches compressed with zstd",
        set: |plan| plan.codec = Codec::Zstd,
        ..PLAIN
    },
    LoadCase {
        name: "fetch",
        what: "hot fetches of 1 MiB, one after the other: a closed loop",
        load: Case::FetchHot,
        goals: &[at_most("cpu_s_per_gb", To::Floor, 1.05), at_most("cpu_s_per_gb", To::Kafka, 2.0 / 3.0)],
        ..PLAIN
    },
    LoadCase {
        name: "fetch-zstd",
        what: "as fetch of batches compressed with zstd, which leave as they lie; a GB is of those bytes",
        load: Case::FetchHot,
        set: |plan| plan.codec = Codec::Zstd,
        ..PLAIN
    },
    LoadCase {
        name: "fetch-small",
        what: "hot fetches of one batch of 16 KiB, one after the other: a closed loop",
        load: Case::FetchHot,
        set: |plan| (plan.batch_bytes, plan.fetch_bytes) = (16 << 10, 16 << 10),
        figures: BY_REQUEST,
        goals: &[at_most("cpu_s_per_gb", To::Floor, 1.5), at_most("cpu_s_per_gb", To::Kafka, 0.2)],
        ..PLAIN
    },
    LoadCase {
        name: "fetch-partitions",
        what: "hot fetches of 1 MiB from 20 partitions, a connection each and one after the other on it: a closed loop",
        load: Case::FetchHot,
        set: |plan| plan.partitions = 20,
        ..PLAIN
    },
    LoadCase {
        name: "fetch-together",
        what: "hot fetches of 100 partitions in each request, 16 KiB of each in a batch: a closed loop on one connection",
        load: Case::FetchHot,
        set: |plan| {
            (plan.partitions, plan.together) = (100, true);
            (plan.batch_bytes, plan.fetch_bytes) = (16 << 10, 16 << 10);
        },
        figures: BY_REQUEST,
        ..PLAIN
    },
    LoadCase {
        name: "fetch-committed",
        what: "as fetch by a consumer of committed records, of transactions of four batches, every fourth aborted; the floor's \
               records are in none",
        load: Case::FetchHot,
        set: |plan| plan.committed = true,
        goals: &[at_most("cpu_s_per_gb", To::Kafka, 2.0 / 3.0)],
        ..PLAIN
    },
    LoadCase {
        name: "fetch-cold",
        what: "fetches of 1 MiB of what is on the disk alone, one after the other: a closed loop",
        load: Case::FetchCold,
        ..PLAIN
    },
    LoadCase {
        name: "fetch-cold-direct",
        what: "as fetch-cold, past the page cache by one of ours with pagewire.transfer.cold=direct: the reader's price of \
               tail-cold-direct",
        load: Case::FetchCold,
        ours: DIRECT,
        ..PLAIN
    },
    LoadCase {
        name: "tail",
        what: "1,000 batches of ten 1 KiB records a second, acks=1, a consumer in long polls",
        load: Case::EndToEnd,
        set: |plan| (plan.rate, plan.burst) = (10_000.0, 10),
        figures: TAIL,
        goals: TAIL_GOALS,
        ..PLAIN
    },
    LoadCase {
        name: "tail-four",
        what: "2,000 batches of one 1 KiB record a second, acks=1, four consumers in long polls; each record is delivered four times",
        load: Case::EndToEnd,
        set: |plan| (plan.rate, plan.consumers) = (2000.0, 4),
        figures: TAIL,
        goals: TAIL_GOALS,
        ..PLAIN
    },
    LoadCase {
        name: "connections",
        what: "200 connections that write 1,000 records a second together, beside up to 10,000 that are idle, of one broker at a time; \
               what an idle one takes is resident memory of the process, without the kernel's for its socket, once; ours has just \
               been started, with pagewire.open.files.max=1000, which leaves room for them",
        // One that has worked would have memory left over from that.
        ours: FEW_SEGMENTS,
        load: Case::Connections,
        set: |plan| plan.idle = idle(plan),
        figures: CONNECTIONS,
        goals: &[at_most("idle_kib_per_connection", To::Itself, 8.0)],
        ..PLAIN
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_goals_are_of_figures_that_are_printed() {
        for (at, case) in CASES.iter().enumerate() {
            assert!(CASES.iter().skip(at + 1).all(|other| other.name != case.name), "{}", case.name);
            let printed = |goal: &Goal| case.figures.contains(&goal.figure);
            assert!(case.goals.iter().all(printed), "{}", case.name);
        }
    }

    #[test]
    fn fewer_idle_connections_than_the_goal_is_of_are_no_measure_of_it() {
        assert_eq!(too_few(IDLE), None);
        let files = usize::try_from(FILES_MIN).unwrap();
        assert_eq!(idle_with(files, 200, 3), IDLE);
        assert!(idle_with(files / 2, 200, 3) < IDLE && idle_with(0, 200, 3) == 0);
        let segments: Vec<_> = FEW_SEGMENTS.iter().filter_map(|pair| pair.split_once('=')).collect();
        assert_eq!(segments, [("pagewire.open.files.max", SEGMENTS.to_string().as_str())]);
        let why = too_few(IDLE - 1).unwrap();
        assert!(why.starts_with("9999 idle connections and not 10000") && why.contains("ulimit"), "{why}");
    }
}

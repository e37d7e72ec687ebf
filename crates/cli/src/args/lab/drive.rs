//! Options of `lab drive`.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, value_parser};
use pagewire_lab::drive::client::{ANSWER_MAX, Acks};
use pagewire_lab::drive::{Case, Plan, Target, without_pacing};
use pagewire_lab::size;
use pagewire_record::Codec;

use crate::args::OutputAs;
use crate::args::consume::Isolation;
use crate::args::produce::Acks as SaidAcks;

/// Options of `lab drive`.
#[derive(Debug, Args)]
#[command(
    about = "Load Kafka brokers, several of them interleaved",
    after_help = "Loads any Kafka broker from 2.1 on (Apache Kafka, Redpanda, Pagewire ...) over plain connections: produce, fetch of hot and \
of cold records, latency from producer to consumer, many connections. Several brokers take turns in every round, so that \
what disturbs this machine disturbs all; each is compared with the first.

CPU and memory are those of the broker's process, found by its listening socket, or named as PID. They are unknown for a \
broker on another machine. The drive makes topics of its own, named pagewire-drive-..., and removes them at the end, also \
after Ctrl-C or when the terminal closes (a second Ctrl-C ends it at once and leaves them: the next drive says how to remove \
them).

Cases:
  produce      batches as fast as the broker takes them; latency from request to answer
  fetch-hot    the same records over and over, out of the page cache
  fetch-cold   everything once, after the broker's log was dropped from the page cache; needs to see the broker's open
               files (its own user, or root), or --drop-caches as root
  end-to-end   records at a fixed rate, latency from when each was due to when a consumer has it: a broker that stalls is
               charged for every record that waits meanwhile
  connections  many that each write a little, beside many that are idle

How to read it: CPU s/GB are seconds of the broker's CPU for 10^9 bytes of record batches; compare those, and rates only
between brokers of one run. A broker on a JVM compiles its code while it runs: give it --warm-up 5 or more. Where the client's cores come near those of the machine, it is the client that is measured. A ratio is
the median of the rounds' ratios to the first broker; (least..most) follows a figure.

Examples:
  pagewire lab drive --quick                                        every case on 127.0.0.1:9092, in half a minute or so
  pagewire lab drive -b ours=127.0.0.1:9092 -b kafka=127.0.0.1:9192 --quick
  pagewire lab drive --quick --report load                          and a page with plots: load/index.html
  pagewire lab drive -b kafka=127.0.0.1:9192,4242 produce --acks all --compression zstd --record-bytes 200
  pagewire lab drive end-to-end --rate 20000 --seconds 30 --rounds 3
  pagewire lab drive connections --busy 1000 --idle 5000 --rate 5000
  pagewire lab drive -o json | jq -r '[.broker, .case, .figures.cpu_s_per_gb.median] | @tsv'"
)]
pub(crate) struct DriveArgs {
    /// Cases to run [default: all]
    #[arg(value_name = "CASE", value_parser = case())]
    pub(crate) cases: Vec<Case>,
    /// A broker, with a name for the results and its process id if wanted; repeat it to compare brokers
    #[arg(
        short = 'b',
        long,
        env = "PAGEWIRE_BOOTSTRAP",
        default_value = "127.0.0.1:9092",
        value_name = "[NAME=]HOST:PORT[,PID]"
    )]
    pub(crate) bootstrap_server: Vec<Target>,
    /// Short rounds with little data: about half a minute for each broker
    #[arg(long)]
    pub(crate) quick: bool,
    /// Rounds that count [default: 5, quick: 3]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=1000), help_heading = ROUNDS)]
    pub(crate) rounds: Option<u32>,
    /// Rounds before them that do not
    #[arg(long, value_name = "N", default_value = "1", value_parser = value_parser!(u32).range(0..=1000), help_heading = ROUNDS)]
    pub(crate) warm_up: u32,
    /// Rounds behind them in which the brokers' system calls are counted, where they may be, and nothing else is measured: that
    /// slows the whole machine down
    #[arg(long, value_name = "N", default_value = "1", value_parser = value_parser!(u32).range(0..=1000), help_heading = ROUNDS)]
    pub(crate) count_rounds: u32,
    /// Length of a round; fetch-cold takes as long as it takes [default: 3, quick: 1]
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = ROUNDS)]
    pub(crate) seconds: Option<Duration>,
    /// A round of produce ends after so many bytes too: they stay on the broker's disk until the case ends
    /// [default: 1GiB, quick: 256MiB]
    #[arg(long, value_name = "SIZE", value_parser = size::parse, help_heading = ROUNDS)]
    pub(crate) round_bytes: Option<u64>,
    /// Bytes of a record's value; they compress to about half
    #[arg(long, value_name = "SIZE", default_value = "1KiB", value_parser = record_bytes, help_heading = DATA)]
    pub(crate) record_bytes: u64,
    /// Most bytes of a batch, before compression
    #[arg(long, value_name = "SIZE", default_value = "64KiB", value_parser = frame_bytes, help_heading = DATA)]
    pub(crate) batch_bytes: u64,
    /// Who must have a record before it counts as written: 0 (no answer), 1 (the leader), all
    #[arg(long, value_enum, default_value = "1", value_name = "ACKS", allow_negative_numbers = true, help_heading = DATA)]
    pub(crate) acks: SaidAcks,
    /// How batches are compressed: none, gzip, snappy, lz4, zstd
    #[arg(short = 'z', long, value_name = "CODEC", default_value = "none", value_parser = codec, help_heading = DATA)]
    pub(crate) compression: Codec,
    /// Partitions of each topic
    #[arg(long, value_name = "N", default_value = "2", value_parser = value_parser!(i32).range(1..=1000), help_heading = DATA)]
    pub(crate) partitions: i32,
    /// Replicas of each partition
    #[arg(long, value_name = "N", default_value = "1", value_parser = value_parser!(i16).range(1..), help_heading = DATA)]
    pub(crate) replication_factor: i16,
    /// Connections of produce and fetch-hot; at least one for each partition
    #[arg(long, value_name = "N", default_value = "2", value_parser = value_parser!(u32).range(1..=1000), help_heading = LOAD)]
    pub(crate) connections: u32,
    /// Requests in flight on each connection of produce
    #[arg(long, value_name = "N", default_value = "5", value_parser = value_parser!(u32).range(1..=1000), help_heading = LOAD)]
    pub(crate) in_flight: u32,
    /// Most bytes of a fetch
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = frame_bytes, help_heading = LOAD)]
    pub(crate) fetch_bytes: u64,
    /// What fetch-hot reads over and over [default: 128MiB, quick: 64MiB]
    #[arg(long, value_name = "SIZE", value_parser = size::parse, help_heading = LOAD)]
    pub(crate) hot_bytes: Option<u64>,
    /// Which records fetch-hot reads; committed: of transactions of four batches, every fourth of them aborted
    #[arg(long, value_enum, default_value = "uncommitted", value_name = "LEVEL", help_heading = LOAD)]
    pub(crate) isolation: Isolation,
    /// One connection of fetch-hot reads all partitions in each request, --fetch-bytes of each at most
    #[arg(long, help_heading = LOAD)]
    pub(crate) together: bool,
    /// What fetch-cold reads once a round [default: 256MiB, quick: 64MiB]
    #[arg(long, value_name = "SIZE", value_parser = size::parse, help_heading = LOAD)]
    pub(crate) cold_bytes: Option<u64>,
    /// Drop this machine's whole page cache before each round of fetch-cold, not only the broker's log; needs root
    #[arg(long, help_heading = LOAD)]
    pub(crate) drop_caches: bool,
    /// Records a second in end-to-end and in connections
    #[arg(long, value_name = "N", default_value = "1000", value_parser = rate, help_heading = LOAD)]
    pub(crate) rate: f64,
    /// Records of end-to-end that are due at once, as one batch
    #[arg(long, value_name = "N", default_value = "1", value_parser = value_parser!(u32).range(1..=1000), help_heading = LOAD)]
    pub(crate) burst: u32,
    /// Consumers of each partition in end-to-end; each reads everything
    #[arg(long, value_name = "N", default_value = "1", value_parser = value_parser!(u32).range(1..=1000), help_heading = LOAD)]
    pub(crate) consumers: u32,
    /// Connections that each write a little [default: 200, quick: 50]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=20_000), help_heading = LOAD)]
    pub(crate) busy: Option<u32>,
    /// Connections that are idle beside them [default: 500, quick: 100]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(0..=200_000), help_heading = LOAD)]
    pub(crate) idle: Option<u32>,
    /// Congestion control of the client's sockets [default: the system's, or cubic or reno where that is bbr]
    #[arg(long, value_name = "NAME", help_heading = LOAD)]
    pub(crate) congestion_control: Option<String>,
    #[command(flatten)]
    pub(crate) report: super::report::ReportTo,
    #[command(flatten)]
    pub(crate) output: OutputAs,
}

const ROUNDS: &str = "Rounds";
const DATA: &str = "Records and topics";
const LOAD: &str = "Load";

/// A value has room for when it was due; a batch of one such record must fit into a frame.
const RECORD_BYTES: std::ops::RangeInclusive<u64> = 16..=16 << 20;
/// Longest round, in seconds.
const SECONDS_MAX: f64 = 3600.0;
/// Highest rate: a record a microsecond.
const RATE_MAX: f64 = 1e6;

impl DriveArgs {
    /// What to do.
    pub(crate) fn plan(&self) -> Plan {
        let either = |full, quick| if self.quick { quick } else { full };
        let count = |said: Option<u32>, full, quick| said.unwrap_or(either(full, quick)) as usize;
        let size = |said: Option<u64>, full: u64, quick: u64| {
            said.unwrap_or(if self.quick { quick << 20 } else { full << 20 })
        };
        let seconds = Duration::from_secs(if self.quick { 1 } else { 3 });
        Plan {
            targets: self.bootstrap_server.clone(),
            cases: if self.cases.is_empty() { Case::ALL.to_vec() } else { self.cases.clone() },
            rounds: count(self.rounds, 5, 3),
            warm_up: self.warm_up as usize,
            warm_up_more: BTreeMap::new(),
            count_rounds: self.count_rounds as usize,
            length: self.seconds.unwrap_or(seconds),
            round_bytes: size(self.round_bytes, 1024, 256),
            record_bytes: self.record_bytes as usize,
            batch_bytes: self.batch_bytes as usize,
            acks: match self.acks {
                SaidAcks::None => Acks::None,
                SaidAcks::Leader => Acks::Leader,
                SaidAcks::All => Acks::All,
            },
            codec: self.compression,
            connections: self.connections as usize,
            in_flight: self.in_flight as usize,
            partitions: self.partitions,
            replication_factor: self.replication_factor,
            fetch_bytes: i32::try_from(self.fetch_bytes).unwrap_or(i32::MAX),
            hot_bytes: size(self.hot_bytes, 128, 64),
            cold_bytes: size(self.cold_bytes, 256, 64),
            drop_caches: self.drop_caches,
            rate: self.rate,
            burst: self.burst,
            committed: self.isolation == Isolation::Committed,
            together: self.together,
            consumers: self.consumers as usize,
            busy: count(self.busy, 200, 50),
            idle: count(self.idle, 500, 100),
            congestion_control: self.congestion_control.clone().or_else(without_pacing),
        }
    }
}

fn case() -> impl TypedValueParser<Value = Case> {
    let find = |text: String| Case::ALL.into_iter().find(|case| case.name() == text);
    PossibleValuesParser::new(Case::ALL.map(Case::name)).try_map(move |text| find(text).ok_or("no such case"))
}

fn codec(text: &str) -> Result<Codec, String> {
    text.parse().map_err(|error: pagewire_record::compress::UnknownCodec| error.to_string())
}

fn record_bytes(text: &str) -> Result<u64, String> {
    within(text, &RECORD_BYTES)
}

/// What goes through a socket as one frame, with room for its header.
fn frame_bytes(text: &str) -> Result<u64, String> {
    within(text, &(64..=ANSWER_MAX as u64 / 2))
}

fn within(text: &str, allowed: &std::ops::RangeInclusive<u64>) -> Result<u64, String> {
    let bytes = size::parse(text)?;
    let outside = || format!("from {} to {}", size::text(*allowed.start()), size::text(*allowed.end()));
    allowed.contains(&bytes).then_some(bytes).ok_or_else(outside)
}

fn seconds(text: &str) -> Result<Duration, String> {
    number(text, SECONDS_MAX).map(Duration::from_secs_f64)
}

fn rate(text: &str) -> Result<f64, String> {
    number(text, RATE_MAX)
}

fn number(text: &str, max: f64) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let fits = number > 0.001 && number <= max;
    if fits { Ok(number) } else { Err(format!("must be above 0.001 and at most {max}")) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command, lab::LabCommand};

    fn plan(words: &[&str]) -> Plan {
        let words = [&["pagewire", "lab", "drive", "-b", "a=h:1"], words].concat();
        match Cli::parse_from(words).command {
            Some(Command::Lab(lab)) => match lab.command {
                LabCommand::Drive(args) => args.plan(),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn quick_is_less_of_everything_and_what_is_said_counts_all_the_same() {
        let (full, quick) = (plan(&[]), plan(&["--quick", "--rounds", "7"]));
        assert_eq!((full.cases.len(), full.rounds, quick.rounds), (5, 5, 7));
        assert_eq!(plan(&["--quick"]).rounds, 3, "fewer have no middle");
        assert_eq!([full.count_rounds, plan(&["--count-rounds", "5"]).count_rounds], [1, 5]);
        assert!(quick.length < full.length && quick.hot_bytes < full.hot_bytes && quick.busy < full.busy);
    }

    #[test]
    fn brokers_cases_and_sizes_are_read() {
        let plan =
            plan(&["-b", "b=[::1]:2,77", "produce", "end-to-end", "--record-bytes", "200", "-z", "lz4"]);
        assert_eq!(plan.cases, [Case::Produce, Case::EndToEnd]);
        assert_eq!(plan.targets.iter().map(|target| target.pid).collect::<Vec<_>>(), [None, Some(77)]);
        assert_eq!((plan.record_bytes, plan.batch_bytes, plan.codec), (200, 64 << 10, Codec::Lz4));
        assert!(!plan.committed && !plan.together);
    }

    #[test]
    fn how_hot_records_are_read_is_said() {
        let plan = plan(&["fetch-hot", "--isolation", "committed", "--together", "--partitions", "100"]);
        assert!(plan.committed && plan.together && plan.partitions == 100);
    }

    #[test]
    fn what_cannot_be_measured_is_refused() {
        assert!(record_bytes("8").is_err() && frame_bytes("1GiB").is_err() && frame_bytes("1MiB").is_ok());
        assert!(
            seconds("0").is_err() && seconds("nan").is_err() && rate("1e7").is_err() && rate("0.5").is_ok()
        );
    }
}

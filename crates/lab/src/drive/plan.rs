//! What a run does: brokers, cases, sizes, rates, rounds.

use std::collections::BTreeMap;
use std::time::Duration;

use pagewire_record::Codec;

use super::client::Acks;
use super::target::Target;

/// A kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// Batches as fast as the broker takes them.
    Produce,
    /// The same, each round into a topic of its own that is removed before anybody else has its turn: no more than a round is on
    /// the disk, so that it may be a long one.
    ProduceAfresh,
    /// Records that lie in the page cache, as fast as the broker gives them.
    FetchHot,
    /// Records that lie on the disk.
    FetchCold,
    /// Records at a fixed rate, from when they were due to when a consumer has them.
    EndToEnd,
    /// Many connections that each do a little, beside many that do nothing.
    Connections,
}

impl Case {
    /// Those that `lab drive` has, in the order in which they run.
    pub const ALL: [Self; 5] =
        [Self::Produce, Self::FetchHot, Self::FetchCold, Self::EndToEnd, Self::Connections];

    /// Its name in the results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Produce => "produce",
            Self::ProduceAfresh => "produce-afresh",
            Self::FetchHot => "fetch-hot",
            Self::FetchCold => "fetch-cold",
            Self::EndToEnd => "end-to-end",
            Self::Connections => "connections",
        }
    }

    /// Whether its rounds write into the broker's log.
    pub(super) fn writes(self) -> bool {
        !matches!(self, Self::FetchHot | Self::FetchCold)
    }
}

/// A run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The brokers; the others are compared to the first.
    pub targets: Vec<Target>,
    /// What to do to them.
    pub cases: Vec<Case>,
    /// Interleaved rounds that count.
    pub rounds: usize,
    /// Rounds before them that do not.
    pub warm_up: usize,
    /// So many more before those, of brokers by their names: a virtual machine compiles its code meanwhile.
    pub warm_up_more: BTreeMap<String, usize>,
    /// Interleaved rounds behind them in which the brokers' system calls are counted, and of which nothing else is taken: that
    /// slows every program of the machine down.
    pub count_rounds: usize,
    /// How long a round lasts.
    pub length: Duration,
    /// A round of `produce` ends after so many bytes too: they stay on the broker's disk until the case ends, or, in
    /// `produce-afresh`, the round.
    pub round_bytes: u64,
    /// Bytes of a record's value.
    pub record_bytes: usize,
    /// Bytes of a batch at most, before compression.
    pub batch_bytes: usize,
    /// Which copies must be written.
    pub acks: Acks,
    /// How batches are compressed.
    pub codec: Codec,
    /// Connections of `produce` and `fetch-hot`; at least one for each partition.
    pub connections: usize,
    /// Requests in flight on each connection of `produce`.
    pub in_flight: usize,
    /// Partitions of each topic.
    pub partitions: i32,
    /// Replicas of each partition.
    pub replication_factor: i16,
    /// Bytes of a fetch at most.
    pub fetch_bytes: i32,
    /// Whether `fetch-hot` reads as a consumer of committed records, what transactions wrote, every fourth of which was
    /// aborted. A broker without transactions has the same without them.
    pub committed: bool,
    /// Whether `fetch-hot` reads all partitions of a topic by one connection, which names them all in each request, and
    /// `fetch_bytes` are of each. It wants a broker that leads them all.
    pub together: bool,
    /// Bytes that `fetch-hot` reads over and over.
    pub hot_bytes: u64,
    /// Bytes that `fetch-cold` reads once a round.
    pub cold_bytes: u64,
    /// Make the whole machine's page cache cold, not only the broker's files; needs root.
    pub drop_caches: bool,
    /// Records a second in `end-to-end` and `connections`.
    pub rate: f64,
    /// Records of `end-to-end` that are due at once, and go as one batch.
    pub burst: u32,
    /// Consumers of each partition in `end-to-end`, each of which reads everything.
    pub consumers: usize,
    /// Connections that each do a little.
    pub busy: usize,
    /// Connections that do nothing.
    pub idle: usize,
    /// Congestion control of the client's sockets; `None` is the system's default.
    pub congestion_control: Option<String>,
}

/// A round of five seconds of nothing on nobody, and one in which calls are counted: one partition, one connection, records of
/// 1 KiB in batches of 64 KiB, acks=1.
impl Default for Plan {
    fn default() -> Self {
        Self {
            targets: Vec::new(),
            cases: Vec::new(),
            rounds: 1,
            warm_up: 0,
            warm_up_more: BTreeMap::new(),
            count_rounds: 1,
            length: Duration::from_secs(5),
            round_bytes: 1 << 30,
            record_bytes: 1 << 10,
            batch_bytes: 64 << 10,
            acks: Acks::Leader,
            codec: Codec::None,
            connections: 1,
            in_flight: 5,
            partitions: 1,
            replication_factor: 1,
            fetch_bytes: 1 << 20,
            committed: false,
            together: false,
            hot_bytes: 256 << 20,
            cold_bytes: 1 << 30,
            drop_caches: false,
            rate: 1000.0,
            burst: 1,
            consumers: 1,
            busy: 200,
            idle: 0,
            congestion_control: None,
        }
    }
}

impl Plan {
    /// Rounds to warm up of whoever has most.
    pub(super) fn warm_up_max(&self) -> usize {
        self.warm_up + self.warm_up_more.values().max().copied().unwrap_or(0)
    }

    /// Whether this broker has one to warm up as the round of this number, from 0.
    pub(super) fn warms_up_in(&self, round: usize, name: &str) -> bool {
        let own = self.warm_up + self.warm_up_more.get(name).copied().unwrap_or(0);
        round + own >= self.warm_up_max()
    }

    /// Connections of a case whose lanes each write or read one partition.
    pub(super) fn lanes(&self) -> usize {
        self.connections.max(self.partitions_count())
    }

    /// Number of partitions.
    pub(super) fn partitions_count(&self) -> usize {
        usize::try_from(self.partitions).unwrap_or(1).max(1)
    }

    /// The settings that matter to a case, by name.
    pub(super) fn settings(&self, case: Case) -> BTreeMap<String, String> {
        let size = |bytes: u64| crate::size::text(bytes);
        let batch = ("batch_bytes", size(self.batch_bytes as u64));
        let fetch = ("fetch_bytes", size(u64::try_from(self.fetch_bytes).unwrap_or_default()));
        let acks = ("acks", self.acks.name().to_owned());
        let records = [
            ("record_bytes", size(self.record_bytes as u64)),
            ("compression", self.codec.name().to_owned()),
            ("partitions", self.partitions.to_string()),
            ("replication_factor", self.replication_factor.to_string()),
        ];
        let connections = |count: usize| ("connections", count.to_string());
        let own = match case {
            Case::Produce | Case::ProduceAfresh => {
                let round = (case == Case::ProduceAfresh).then(|| ("round_bytes", size(self.round_bytes)));
                let in_flight = ("in_flight", self.in_flight.to_string());
                let own = [acks, batch, connections(self.lanes()), in_flight];
                own.into_iter().chain(round).collect()
            }
            Case::FetchHot => {
                let topic = ("topic_bytes", size(self.hot_bytes));
                let isolation = self.committed.then(|| ("isolation", "read_committed".to_owned()));
                let lanes = if self.together { 1 } else { self.lanes() };
                let own = [batch, fetch, connections(lanes), topic];
                own.into_iter().chain(isolation).collect()
            }
            Case::FetchCold => {
                let lanes = self.partitions_count();
                vec![batch, fetch, connections(lanes), ("topic_bytes", size(self.cold_bytes))]
            }
            Case::EndToEnd => {
                let lanes = self.partitions_count();
                vec![
                    acks,
                    connections(lanes * (1 + self.consumers)),
                    ("rate_per_s", self.rate.to_string()),
                    ("burst_records", self.burst.to_string()),
                    ("consumers", self.consumers.to_string()),
                ]
            }
            Case::Connections => {
                let idle = ("idle_connections", self.idle.to_string());
                vec![acks, connections(self.busy), idle, ("rate_per_s", self.rate.to_string())]
            }
        };
        records.into_iter().chain(own).map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

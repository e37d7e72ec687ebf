//! What clients do and which blows fall, all of it from one seed. What the seed does not say is how the steps of
//! different clients fall together.

use std::time::Duration;

use pagewire_wire::testing::Rng;

use super::model::{PARTITIONS, Place, SOURCE, TARGET};

/// Records of one transaction of a writer.
const SENT_MAX: usize = 6;
/// Bytes that a record is padded with.
const PADDING_MAX: usize = 300;
/// How far into a call a client dies.
const DURING_MAX: Duration = Duration::from_millis(30);

/// Whose client library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// Kafka's own: the broker adds partitions to transactions, each end raises the epoch (transaction version 2).
    Java,
    /// The client adds partitions itself (transaction version 1).
    Librdkafka,
}

/// How a client comes by what it transforms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joins {
    /// It takes every partition, in a group of its own: nobody asks who it is.
    Alone,
    /// It shares its group with others by the classic protocol.
    Classic,
    /// By the consumer protocol (KIP-848).
    Consumer,
}

/// What a client does in its transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Writes into partitions of both topics.
    Writer,
    /// Reads the source, writes one record into the target for each, and commits offsets with them.
    Transformer,
}

/// A blow. `at` is how far into a transaction it falls, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blow {
    /// `kill -9`, between two calls or so long into one.
    Killed { at: usize, during: Option<Duration> },
    /// Stopped, replaced by another of its transactional id, and awake again: it goes on as if nothing had happened.
    Replaced { at: usize },
    /// Stopped for longer than its group waits for it, and awake again: its partitions have gone to others (KIP-447).
    Slept { at: usize },
}

impl Blow {
    /// Before which of so many calls it falls; behind the last is possible too.
    pub(super) fn before(self, calls: usize) -> usize {
        let (Self::Killed { at, .. } | Self::Replaced { at } | Self::Slept { at }) = self;
        at * (calls + 1) / 1000
    }
}

/// One transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Round {
    /// Where a writer's records go. A transformer's go into partitions by these, too, in turn.
    pub(super) sends: Vec<(Place, usize)>,
    /// Waits for acknowledgements before it ends.
    pub(super) flushes: bool,
    pub(super) commits: bool,
    pub(super) blow: Option<Blow>,
}

/// One client from its beginning to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Script {
    pub(super) flow: Flow,
    pub(super) role: Role,
    pub(super) joins: Joins,
    pub(super) rounds: Vec<Round>,
    /// Its last transaction is left open: only its time ends it.
    pub(super) leaves_one_open: bool,
}

/// What a reader does after it has polled so often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) polls: usize,
    /// It is killed, and another takes its place.
    pub(super) dies: bool,
    /// The next session begins at the beginning, and not where this one ended.
    pub(super) again: bool,
}

/// One round of the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) scripts: Vec<Script>,
    /// Of each flow, over and over.
    pub(super) readings: Vec<(Flow, Vec<Reading>)>,
    /// The broker is killed when so many transactions have come to an end.
    pub(super) broker_dies_at: Vec<usize>,
}

/// Who takes part, with how many transactions: a virtual machine takes its time to start.
const CAST: [(Flow, Role, Joins, usize); 8] = [
    (Flow::Java, Role::Writer, Joins::Alone, 20),
    (Flow::Java, Role::Transformer, Joins::Classic, 12),
    (Flow::Librdkafka, Role::Transformer, Joins::Classic, 14),
    (Flow::Java, Role::Transformer, Joins::Consumer, 12),
    (Flow::Librdkafka, Role::Transformer, Joins::Consumer, 14),
    (Flow::Librdkafka, Role::Writer, Joins::Alone, 30),
    (Flow::Librdkafka, Role::Writer, Joins::Alone, 30),
    (Flow::Librdkafka, Role::Transformer, Joins::Alone, 14),
];
const BROKER_DIES: usize = 4;

impl Script {
    /// The group of this client: its own, or the one of all who join that way.
    pub(super) fn group(&self, client: usize) -> String {
        match self.joins {
            Joins::Alone => super::cast::name_of(client),
            Joins::Classic => "classic".to_owned(),
            Joins::Consumer => "consumer".to_owned(),
        }
    }
}

impl Plan {
    pub(super) fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let scripts: Vec<Script> = CAST
            .iter()
            .map(|(flow, role, joins, rounds)| script((*flow, *role, *joins), *rounds, &mut rng))
            .collect();
        let all: usize = scripts.iter().map(|script| script.rounds.len()).sum();
        // One in each of equal stretches, the last of which is left in peace.
        let stretch = all / (BROKER_DIES + 1);
        let broker_dies_at = (0..BROKER_DIES).map(|at| at * stretch + 1 + rng.below(stretch)).collect();
        let readings = [Flow::Java, Flow::Librdkafka].map(|flow| (flow, readings(flow, &mut rng)));
        Self { scripts, readings: readings.into(), broker_dies_at }
    }
}

fn script((flow, role, joins): (Flow, Role, Joins), rounds: usize, rng: &mut Rng) -> Script {
    // Few virtual machines, for the sake of time: every seventh transaction of a client is struck, else every third.
    let between = match (flow, joins) {
        (Flow::Java, Joins::Alone) => 7,
        (Flow::Java, _) => 4,
        (Flow::Librdkafka, _) => 3,
    };
    let first = rng.below(between);
    let rounds = (0..rounds)
        .map(|round| Round {
            sends: (0..=rng.below(SENT_MAX)).map(|_| (place(rng), rng.below(PADDING_MAX))).collect(),
            flushes: rng.coin(),
            commits: rng.below(4) > 0,
            blow: (round % between == first).then(|| blow(joins, rng)),
        })
        .collect();
    Script { flow, role, joins, rounds, leaves_one_open: rng.coin() }
}

fn place(rng: &mut Rng) -> Place {
    // Transformers have something to do.
    let topic = if rng.below(3) > 0 { SOURCE } else { TARGET };
    Place { topic, partition: i32::try_from(rng.below(PARTITIONS as usize)).unwrap_or_default() }
}

fn blow(joins: Joins, rng: &mut Rng) -> Blow {
    let at = rng.below(1000);
    if joins != Joins::Alone && rng.below(3) > 0 {
        return Blow::Slept { at };
    }
    if rng.below(3) == 0 {
        return Blow::Replaced { at };
    }
    let millis = DURING_MAX.as_millis() as usize;
    let during = rng.coin().then(|| Duration::from_millis(rng.below(millis) as u64));
    Blow::Killed { at, during }
}

fn readings(flow: Flow, rng: &mut Rng) -> Vec<Reading> {
    let deadly = if flow == Flow::Java { 8 } else { 3 };
    (0..8)
        .map(|_| Reading { polls: 5 + rng.below(30), dies: rng.below(deadly) == 0, again: rng.coin() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_says_it_all_and_no_two_say_the_same() {
        assert_eq!(Plan::of(7), Plan::of(7));
        assert_ne!(Plan::of(7), Plan::of(8));
    }

    #[test]
    fn every_plan_has_blows_of_each_kind_and_both_ends() {
        for seed in 0..200 {
            let plan = Plan::of(seed);
            let rounds = || plan.scripts.iter().flat_map(|script| &script.rounds);
            assert!(rounds().any(|round| matches!(round.blow, Some(Blow::Killed { during: None, .. }))));
            assert!(rounds().any(|round| matches!(round.blow, Some(Blow::Killed { during: Some(_), .. }))));
            assert!(rounds().any(|round| matches!(round.blow, Some(Blow::Replaced { .. }))));
            assert!(rounds().any(|round| matches!(round.blow, Some(Blow::Slept { .. }))));
            assert!(rounds().any(|round| round.commits) && rounds().any(|round| !round.commits));
            assert!(plan.broker_dies_at.is_sorted() && plan.broker_dies_at.len() == BROKER_DIES);
        }
    }

    #[test]
    fn a_blow_falls_before_any_call_and_behind_the_last() {
        let before = |at| Blow::Replaced { at }.before(3);
        assert_eq!([0, 249, 250, 999].map(before), [0, 0, 1, 3]);
    }
}

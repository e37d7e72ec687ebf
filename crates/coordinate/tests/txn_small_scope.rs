//! Every way in which two producers of one transactional id, a coordinator and two partitions can go, in a small scope:
//! answers are lost and requests sent again, producers begin anew, time runs out, markers fail, a partition goes, the
//! coordinator is stopped between any two of its steps, with what it had not made durable kept or lost. That records become
//! durable is a step of its own: answers and markers that wait for it come after it, what does not wait may come before.
//! Whatever happens: no commit that a producer was told of is lost, no transaction is half committed, and once nothing fails
//! any more everything comes to rest.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod explore;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use pagewire_coordinate::txn::{
    Add, Answer, Effects, End, Error, Init, Input, Limits, Marked, Markers, Outcome, Settings, Shard,
    TxnState, TxnVersion,
};
use pagewire_coordinate::{Now, Token};

use crate::explore::explore;

const ID: &str = "app";
const TOPIC: &str = "t";
const PARTITIONS: i32 = 2;

type KeyValue = (bytes::Bytes, Option<bytes::Bytes>);

/// How often what may go wrong goes wrong on one way.
#[derive(Clone, Copy, Debug, Hash)]
struct Budget {
    crashes: u8,
    lost_answers: u8,
    timeouts: u8,
    failed_markers: u8,
    /// Producers that begin anew.
    beginnings: u8,
    /// Partitions that are deleted.
    deletions: u8,
}

/// One transaction: whose, and which of its own.
type Label = (usize, u8);

/// What a partition's leader knows of a producer id, and what became of the transactions in it.
#[derive(Clone, Debug, Default, Hash)]
struct Partition {
    /// By producer id: the epoch, and the transactions with open records.
    producers: BTreeMap<i64, (i16, Vec<Label>)>,
    /// Whose question about it is under way, by producer id. What opens or ends a transaction takes it away.
    guards: BTreeMap<i64, Label>,
    ended: BTreeMap<Label, Outcome>,
    is_gone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Begin,
    Add(i32),
    /// By the rules of version 1 a partition asks whether it takes part; by those of version 2 the question adds it.
    Verify(i32),
    Append(i32),
    End,
    Stopped,
}

#[derive(Clone, Debug, Hash)]
struct Client {
    version: TxnVersion,
    phase: Phase,
    producer: (i64, i16),
    /// It says from which producer id and epoch it goes on.
    says_expected: bool,
    transaction: u8,
    outcome: Outcome,
    /// What it was told of its transactions.
    told: BTreeMap<u8, Outcome>,
}

#[derive(Clone)]
struct World {
    shard: Shard,
    /// What is durable, then what is not.
    log: Vec<KeyValue>,
    stable: usize,
    now_ms: i64,
    sending: Vec<Sending>,
    partitions: Vec<Partition>,
    clients: Vec<Client>,
    replies: Vec<Waiting>,
    next_producer_id: i64,
    /// Answers wait for what they stand on.
    waits: bool,
    budget: Budget,
}

/// An answer on its way, and how much of the log must be durable before it may be heard.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    token: u64,
    answer: Answer,
    stable_at: usize,
}

/// Markers on their way, as far as they are written, and how much of the log must be durable before one is.
#[derive(Clone, Debug)]
struct Sending {
    markers: Markers,
    done: Vec<(i32, Marked)>,
    stable_at: usize,
}

impl Sending {
    fn missing(&self) -> impl Iterator<Item = i32> {
        let all = self.markers.topics.iter().flat_map(|(_, all)| all).copied();
        all.filter(|partition| self.done.iter().all(|(done, _)| done != partition))
    }

    fn verdicts(&self) -> Vec<(Arc<str>, i32, Marked)> {
        self.done.iter().map(|(partition, what)| (Arc::from(TOPIC), *partition, *what)).collect()
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A producer does what comes next, and hears the answer as soon as that may be told.
    Client(usize),
    /// It does not hear it, and will ask again.
    Unheard(usize),
    /// It gives up what it did and begins anew.
    BeginAnew { client: usize, says_expected: bool },
    /// What is written becomes durable.
    Sync,
    /// A marker reaches its partition.
    Mark(usize, i32),
    /// The partition does not take it.
    MarkFails(usize),
    /// No marker is tried: it did not become known in time whether the decision is durable.
    NoneIsTried(usize),
    /// A partition is deleted.
    Delete(i32),
    /// Time runs out for whatever is open.
    Time,
    /// The coordinator stops.
    Crash { keeps: bool },
}

impl World {
    fn new(versions: [TxnVersion; 2], outcomes: [Outcome; 2], budget: Budget) -> Self {
        let client = |at: usize| Client {
            version: versions[at],
            phase: Phase::Begin,
            producer: (-1, -1),
            says_expected: false,
            transaction: 0,
            outcome: outcomes[at],
            told: BTreeMap::new(),
        };
        let mut world = Self {
            shard: Shard::new(settings(), 0),
            log: Vec::new(),
            stable: 0,
            now_ms: 0,
            sending: Vec::new(),
            partitions: vec![Partition::default(); PARTITIONS as usize],
            clients: vec![client(0), client(1)],
            replies: Vec::new(),
            next_producer_id: 1,
            waits: true,
            budget,
        };
        world.shard.loaded(world.now());
        world
    }

    const fn now(&self) -> Now {
        Now::both(self.now_ms)
    }

    /// A client waits for an answer that may not be told yet.
    fn awaits(&self, at: usize) -> bool {
        self.replies.iter().any(|reply| reply.token == at as u64)
    }

    /// What the client does next, at the coordinator or at a partition.
    fn request(&mut self, at: usize) {
        let client = self.clients[at].clone();
        let (producer_id, producer_epoch) = client.producer;
        let token = Token(at as u64);
        let add = |partition: i32| {
            Input::Add(Add {
                token,
                transactional_id: ID.into(),
                producer_id,
                producer_epoch,
                partitions: vec![(Arc::from(TOPIC), partition)],
                version: client.version,
            })
        };
        match client.phase {
            Phase::Begin => self.ask(Input::Init(Init {
                token,
                transactional_id: ID.into(),
                timeout_ms: 1_000,
                expected: client.says_expected.then_some(client.producer),
            })),
            Phase::Add(partition) => self.ask(add(partition)),
            Phase::Verify(partition) if client.version == TxnVersion::EpochPerTransaction => {
                self.guard(at, partition);
                self.ask(add(partition));
            }
            Phase::Verify(partition) => {
                self.guard(at, partition);
                self.verify(at, partition);
            }
            Phase::Append(partition) => self.append(at, partition),
            Phase::End => self.ask(Input::End(End {
                token,
                transactional_id: ID.into(),
                producer_id,
                producer_epoch,
                outcome: client.outcome,
                version: client.version,
            })),
            Phase::Stopped => {}
        }
    }

    fn ask(&mut self, input: Input) {
        let mut effects = self.shard.handle(input.clone(), self.now());
        if self.shard.lacks_producer_id() {
            self.shard.give_producer_id(self.next_producer_id);
            self.next_producer_id += 1;
            effects = self.shard.handle(input, self.now());
        }
        self.act(effects);
    }

    /// A partition takes note of a question about it that is under way.
    fn guard(&mut self, at: usize, partition: i32) {
        let (id, label) = (self.clients[at].producer.0, self.label(at));
        self.partitions[partition as usize].guards.insert(id, label);
    }

    fn label(&self, at: usize) -> Label {
        (at, self.clients[at].transaction)
    }

    /// The coordinator says whether a partition takes part, once that is durable.
    fn verify(&mut self, at: usize, partition: i32) {
        let (id, epoch) = self.clients[at].producer;
        let error = match self.shard.verify(ID, id, epoch, &[(Arc::from(TOPIC), partition)]) {
            Ok(each) if each == [true] => None,
            Ok(_) => Some(Error::TransactionAbortable),
            Err(error) => Some(error),
        };
        let stable_at = self.log.len();
        self.replies.push(Waiting { token: at as u64, answer: Answer::Add(error), stable_at });
    }

    /// A partition takes records of a transaction that is open in it, or opens one with a guard.
    fn append(&mut self, at: usize, partition: i32) {
        let ((id, epoch), label) = (self.clients[at].producer, self.label(at));
        let leader = &mut self.partitions[partition as usize];
        let (known, open) = leader.producers.entry(id).or_insert((epoch, Vec::new()));
        let error = if leader.is_gone {
            Some(Error::InvalidRequest)
        } else if *known > epoch {
            Some(Error::ProducerFenced)
        } else if open.contains(&label) {
            None
        } else if leader.guards.remove(&id) == Some(label) {
            assert!(open.is_empty(), "two transactions are open at once");
            (*known, *open) = (epoch, vec![label]);
            None
        } else {
            Some(Error::InvalidTxnState)
        };
        self.replies.push(Waiting { token: at as u64, answer: Answer::Add(error), stable_at: 0 });
    }

    /// Answers to requests that were given up are heard by nobody, unless the client still asks the same.
    fn hear_what_may_be_told(&mut self) {
        while let Some(found) = self.replies.iter().position(|reply| reply.stable_at <= self.stable) {
            let Waiting { token, answer, .. } = self.replies.remove(found);
            let client = &self.clients[token as usize];
            if client.phase == Phase::End || !matches!(answer, Answer::End(_)) {
                self.hear(token as usize, answer);
            }
        }
    }

    fn hear(&mut self, at: usize, answer: Answer) {
        // The first producer goes on with a second transaction.
        let transactions = if at == 0 { 2 } else { 1 };
        let client = &mut self.clients[at];
        match answer.error() {
            Some(
                Error::ConcurrentTransactions
                | Error::NotCoordinator
                | Error::CoordinatorLoadInProgress
                | Error::CoordinatorNotAvailable,
            ) => return,
            Some(_) => {
                client.phase = Phase::Stopped;
                return;
            }
            None => {}
        }
        // By the rules of version 2 the partition adds itself.
        let take_part = match client.version {
            TxnVersion::Classic => Phase::Add,
            TxnVersion::EpochPerTransaction => Phase::Verify,
        };
        client.phase = match (client.phase, answer) {
            (Phase::Begin, Answer::Init(producer)) => {
                client.producer = (producer.id, producer.epoch);
                take_part(0)
            }
            (Phase::Add(partition), _) => Phase::Verify(partition),
            (Phase::Verify(partition), _) => Phase::Append(partition),
            (Phase::Append(partition), _) if partition + 1 < PARTITIONS => take_part(partition + 1),
            (Phase::Append(_), _) => Phase::End,
            (Phase::End, Answer::End(producer)) => {
                client.told.insert(client.transaction, client.outcome);
                if client.version == TxnVersion::EpochPerTransaction {
                    client.producer = (producer.id, producer.epoch);
                }
                client.transaction += 1;
                if client.transaction < transactions { take_part(0) } else { Phase::Stopped }
            }
            (phase, answer) => panic!("{answer:?} in {phase:?}"),
        };
    }

    /// A marker is written, as a partition's leader takes it; the last one is handed back.
    fn mark(&mut self, at: usize, partition: i32) {
        let sending = &mut self.sending[at];
        let (markers, of) = (&sending.markers, &sending.markers.of);
        let leader = &mut self.partitions[partition as usize];
        if leader.is_gone {
            sending.done.push((partition, Marked::Gone));
        } else {
            let (id, epoch) = (of.producer_id, of.producer_epoch);
            let (known, open) = leader.producers.entry(id).or_insert((epoch, Vec::new()));
            assert!(*known <= epoch, "a marker of {epoch} where {known} is");
            if markers.version >= 2 {
                assert!(*known < epoch || open.is_empty(), "it does not raise the epoch");
            }
            *known = epoch;
            leader.guards.remove(&id);
            for label in std::mem::take(open) {
                let before = leader.ended.insert(label, markers.outcome);
                assert_eq!(before, None);
            }
            sending.done.push((partition, Marked::Written));
        }
        if sending.missing().next().is_none() {
            let sending = self.sending.remove(at);
            let effects = self.shard.markers_written(&sending.markers.of, &sending.verdicts(), self.now());
            self.act(effects);
        }
    }

    fn pass(&mut self) {
        let Some(at_ms) = self.shard.next_deadline() else { return };
        // Open transactions have a second.
        self.now_ms = at_ms.max(self.now_ms) + 1_001;
        for _ in 0..4 {
            let effects = self.shard.on_time(self.now());
            self.act(effects);
            if self.shard.lacks_producer_id() {
                self.shard.give_producer_id(self.next_producer_id);
                self.next_producer_id += 1;
            }
        }
    }

    /// Records are written, not yet durable; what waits for that comes after [`World::sync`], or never.
    fn act(&mut self, effects: Effects) {
        self.act_after(effects, 0);
    }

    fn act_after(&mut self, effects: Effects, stable_at: usize) {
        for reply in effects.replies {
            let stable_at = if reply.leans && self.waits { self.log.len() } else { stable_at };
            self.replies.push(Waiting { token: reply.token.0, answer: reply.answer, stable_at });
        }
        for append in effects.appends {
            self.log.extend(append.encode().unwrap());
            let next = self.shard.appended(append, self.now());
            self.act_after(next, self.log.len());
        }
        let stable_at = self.log.len();
        let markers = effects.markers.into_iter();
        self.sending.extend(markers.map(|markers| Sending { markers, done: Vec::new(), stable_at }));
    }

    fn sync(&mut self) {
        // Only the last record counts for what comes.
        if self.log.len() > 1 {
            self.log.drain(..self.log.len() - 1);
        }
        self.stable = self.log.len();
        self.replies.iter_mut().for_each(|reply| reply.stable_at = 0);
        self.sending.iter_mut().for_each(|sending| sending.stable_at = 0);
    }

    /// What is not durable is kept or lost; nobody hears anything, and no marker is written that was not before.
    fn crash(&mut self, keeps: bool) {
        self.budget.crashes -= 1;
        if !keeps {
            self.log.truncate(self.stable);
        }
        self.sync();
        let mut shard = Shard::new(settings(), 0);
        for (key, value) in &self.log {
            shard.replay(key, value.as_deref()).unwrap();
        }
        shard.loaded(self.now());
        self.shard = shard;
        self.sending.clear();
        self.replies.clear();
    }

    /// Nothing fails any more, nobody asks any more: everything must come to rest, and be whole.
    fn comes_to_rest_whole(&self) {
        let mut world = self.clone();
        world.sync();
        for _ in 0..64 {
            while let Some(sending) = world.sending.first() {
                let missing = sending.missing().next().unwrap();
                world.mark(0, missing);
            }
            let state = world.shard.snapshot(ID).map(|value| value.state);
            if state.is_none_or(TxnState::is_at_rest) && world.shard.waiting().is_empty() {
                break;
            }
            world.pass();
            world.sync();
        }
        let state = world.shard.snapshot(ID).map(|value| value.state);
        assert!(state.is_none_or(TxnState::is_at_rest), "{state:?} for ever");
        assert!(world.shard.waiting().is_empty(), "somebody waits for ever");
        for partition in &world.partitions {
            assert!(partition.producers.values().all(|(_, open)| open.is_empty()), "a transaction hangs");
        }
        for (at, client) in world.clients.iter().enumerate() {
            for transaction in 0..=client.transaction {
                let ends: HashSet<Outcome> = world
                    .partitions
                    .iter()
                    .filter_map(|partition| partition.ended.get(&(at, transaction)).copied())
                    .collect();
                assert!(ends.len() <= 1, "half a transaction");
                if let Some(told) = client.told.get(&transaction) {
                    let all_gone = world.partitions.iter().all(|partition| partition.is_gone);
                    assert!(all_gone || ends.contains(told), "{told} was told, {ends:?} came");
                }
            }
        }
    }
}

impl explore::World for World {
    type Step = Step;

    fn steps(&self) -> Vec<Step> {
        let (mut steps, budget) = (Vec::new(), &self.budget);
        for (at, client) in self.clients.iter().enumerate() {
            if client.phase != Phase::Stopped && !self.awaits(at) {
                steps.push(Step::Client(at));
                if budget.lost_answers > 0 {
                    steps.push(Step::Unheard(at));
                }
            }
            // The other one is the rival.
            if at == 0 && budget.beginnings > 0 && client.phase != Phase::Begin {
                steps
                    .extend([true, false].map(|says_expected| Step::BeginAnew { client: at, says_expected }));
            }
        }
        if self.stable < self.log.len() {
            steps.push(Step::Sync);
        }
        for (at, sending) in self.sending.iter().enumerate() {
            let may_go_out = sending.stable_at <= self.stable;
            if may_go_out {
                steps.extend(sending.missing().map(|partition| Step::Mark(at, partition)));
            }
            if may_go_out && budget.failed_markers > 0 {
                steps.push(Step::MarkFails(at));
            }
            if sending.done.is_empty() && budget.failed_markers > 0 {
                steps.push(Step::NoneIsTried(at));
            }
        }
        if budget.deletions > 0 {
            let there = (0..PARTITIONS).filter(|index| !self.partitions[*index as usize].is_gone);
            steps.extend(there.map(Step::Delete));
        }
        if budget.timeouts > 0 {
            steps.push(Step::Time);
        }
        if budget.crashes > 0 {
            steps.extend([true, false].map(|keeps| Step::Crash { keeps }));
        }
        steps
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Client(at) => self.request(at),
            Step::Unheard(at) => {
                self.budget.lost_answers -= 1;
                self.request(at);
                self.replies.retain(|reply| reply.token != at as u64);
            }
            Step::BeginAnew { client: at, says_expected } => {
                self.budget.beginnings -= 1;
                self.replies.retain(|reply| reply.token != at as u64);
                let client = &mut self.clients[at];
                (client.phase, client.says_expected) = (Phase::Begin, says_expected);
                client.transaction += 1;
            }
            Step::Sync => self.sync(),
            Step::Mark(at, partition) => self.mark(at, partition),
            Step::MarkFails(at) => {
                self.budget.failed_markers -= 1;
                let sending = self.sending.remove(at);
                let effects =
                    self.shard.markers_written(&sending.markers.of, &sending.verdicts(), self.now());
                self.act(effects);
            }
            Step::NoneIsTried(at) => {
                self.budget.failed_markers -= 1;
                let of = self.sending.remove(at).markers.of;
                let effects = self.shard.markers_failed(&of, Error::CoordinatorNotAvailable, self.now());
                self.act(effects);
            }
            Step::Delete(partition) => {
                self.budget.deletions -= 1;
                self.partitions[partition as usize] = Partition { is_gone: true, ..Partition::default() };
            }
            Step::Time => {
                self.budget.timeouts -= 1;
                self.pass();
            }
            Step::Crash { keeps } => self.crash(keeps),
        }
        self.hear_what_may_be_told();
    }

    fn keeps_its_promises(&self) {
        self.comes_to_rest_whole();
    }

    fn fingerprint(&self) -> u64 {
        let hashed = (&self.log, self.stable, &self.partitions, &self.clients, &self.budget);
        explore::fingerprint(&(&self.shard, &self.sending, &self.replies), hashed)
    }
}

fn settings() -> Settings {
    Settings { abort_interval_ms: 10, limits: Limits::default(), ..Settings::default() }
}

const TV1: TxnVersion = TxnVersion::Classic;
const TV2: TxnVersion = TxnVersion::EpochPerTransaction;

/// Nothing goes wrong.
const SMOOTH: Budget =
    Budget { crashes: 0, lost_answers: 0, timeouts: 0, failed_markers: 0, beginnings: 0, deletions: 0 };

#[test]
fn no_commit_is_lost_and_none_is_half_whoever_stops_in_between() {
    let budget = Budget { crashes: 1, lost_answers: 1, ..SMOOTH };
    for versions in [[TV1, TV2], [TV2, TV1]] {
        let worlds = explore(World::new(versions, [Outcome::Commit, Outcome::Commit], budget));
        assert!(worlds > 1_000, "only {worlds} worlds of {versions:?}");
    }
}

#[test]
fn an_abort_is_as_whole_as_a_commit() {
    let stopped = Budget { crashes: 1, timeouts: 1, ..SMOOTH };
    let unmarked = Budget { timeouts: 1, failed_markers: 1, ..SMOOTH };
    for (version, budget) in [(TV1, stopped), (TV2, stopped), (TV1, unmarked), (TV2, unmarked)] {
        let worlds = explore(World::new([version; 2], [Outcome::Abort, Outcome::Commit], budget));
        assert!(worlds > 1_000, "only {worlds} worlds of {version:?}");
    }
}

#[test]
fn a_coordinator_that_stops_twice_ends_what_it_decided_once() {
    let budget = Budget { crashes: 2, failed_markers: 1, ..SMOOTH };
    for version in [TV1, TV2] {
        let worlds = explore(World::new([version; 2], [Outcome::Commit, Outcome::Abort], budget));
        assert!(worlds > 1_000, "only {worlds} worlds of {version:?}");
    }
}

#[test]
fn a_producer_that_begins_anew_leaves_nothing_half_behind() {
    let budget = Budget { crashes: 1, beginnings: 1, ..SMOOTH };
    for version in [TV1, TV2] {
        let worlds = explore(World::new([version; 2], [Outcome::Commit, Outcome::Commit], budget));
        assert!(worlds > 1_000, "only {worlds} worlds of {version:?}");
    }
}

#[test]
fn a_transaction_ends_whole_in_what_is_left_when_a_partition_goes() {
    let budget = Budget { crashes: 1, deletions: 1, ..SMOOTH };
    for version in [TV1, TV2] {
        let worlds = explore(World::new([version; 2], [Outcome::Commit, Outcome::Abort], budget));
        assert!(worlds > 1_000, "only {worlds} worlds of {version:?}");
    }
}

#[test]
#[should_panic(expected = "a transaction hangs")]
fn an_answer_that_does_not_wait_for_what_it_stands_on_leaves_a_transaction_hanging() {
    let budget = Budget { crashes: 1, lost_answers: 1, ..SMOOTH };
    let mut world = World::new([TV2; 2], [Outcome::Commit, Outcome::Commit], budget);
    world.waits = false;
    explore(world);
}

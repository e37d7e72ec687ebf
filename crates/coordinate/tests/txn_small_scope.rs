//! Every way in which two producers of one transactional id, a coordinator and two partitions can go, in a small scope:
//! answers are lost and requests sent again, time runs out, markers fail, the coordinator is stopped between any two of its
//! steps, with what it had not made durable kept or lost. Whatever happens: no commit that a producer was told of is lost, no
//! transaction is half committed, and once nothing fails any more everything comes to rest.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use pagewire_coordinate::txn::{
    Add, Answer, Effects, End, Error, Init, Input, Limits, Marked, Markers, Outcome, Settings, Shard,
    TxnState, TxnVersion,
};
use pagewire_coordinate::{Now, Token};

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
}

/// One transaction: whose, and which of its own.
type Label = (usize, u8);

/// What a partition's leader knows of a producer id, and what became of the transactions in it.
#[derive(Clone, Debug, Default, Hash)]
struct Partition {
    /// By producer id: the epoch, and the transactions with open records.
    producers: BTreeMap<i64, (i16, Vec<Label>)>,
    ended: BTreeMap<Label, Outcome>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Begin,
    Add(i32),
    Produce(i32),
    End,
    Stopped,
}

#[derive(Clone, Debug, Hash)]
struct Client {
    version: TxnVersion,
    phase: Phase,
    producer: (i64, i16),
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
    /// Markers on their way, and the partitions that have them already.
    sending: Vec<(Markers, Vec<i32>)>,
    partitions: Vec<Partition>,
    clients: Vec<Client>,
    replies: Vec<(u64, Answer)>,
    next_producer_id: i64,
    budget: Budget,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A producer does what comes next, and hears the answer.
    Client(usize),
    /// It does not hear it, and will ask again.
    Unheard(usize),
    /// The coordinator stops after it wrote and before that is durable.
    CrashAfter { client: usize, keeps: bool },
    /// A marker reaches its partition.
    Mark(usize, i32),
    /// The partition does not take it.
    MarkFails(usize),
    /// Time runs out for whatever is open.
    Time { crash_keeps: Option<bool> },
    /// The coordinator stops.
    Crash { keeps: bool },
}

impl World {
    fn new(versions: [TxnVersion; 2], outcomes: [Outcome; 2], budget: Budget) -> Self {
        let client = |at: usize| Client {
            version: versions[at],
            phase: Phase::Begin,
            producer: (-1, -1),
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
            budget,
        };
        world.shard.loaded(world.now());
        world
    }

    const fn now(&self) -> Now {
        Now::both(self.now_ms)
    }

    /// What may happen next.
    fn steps(&self) -> Vec<Step> {
        let (mut steps, budget) = (Vec::new(), &self.budget);
        for (at, _) in self.clients.iter().enumerate().filter(|(_, client)| client.phase != Phase::Stopped) {
            steps.push(Step::Client(at));
            if budget.lost_answers > 0 {
                steps.push(Step::Unheard(at));
            }
            if budget.crashes > 0 {
                steps.extend([true, false].map(|keeps| Step::CrashAfter { client: at, keeps }));
            }
        }
        for (at, (_, done)) in self.sending.iter().enumerate() {
            let of = &self.sending[at].0;
            let missing = of.topics.iter().flat_map(|(_, all)| all).filter(|one| !done.contains(one));
            steps.extend(missing.map(|partition| Step::Mark(at, *partition)));
            if budget.failed_markers > 0 {
                steps.push(Step::MarkFails(at));
            }
        }
        if budget.timeouts > 0 {
            steps.push(Step::Time { crash_keeps: None });
            if budget.crashes > 0 {
                steps.extend([true, false].map(|keeps| Step::Time { crash_keeps: Some(keeps) }));
            }
        }
        if budget.crashes > 0 {
            steps.extend([true, false].map(|keeps| Step::Crash { keeps }));
        }
        steps
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Client(at) => {
                self.request(at);
                self.sync();
                let reply = self.reply_to(at);
                self.hear(at, reply);
            }
            Step::Unheard(at) => {
                self.budget.lost_answers -= 1;
                self.request(at);
                self.sync();
                let _ = self.reply_to(at);
            }
            Step::CrashAfter { client, keeps } => {
                self.request(client);
                self.crash(keeps);
            }
            Step::Mark(at, partition) => self.mark(at, partition),
            Step::MarkFails(at) => {
                self.budget.failed_markers -= 1;
                let (markers, done) = self.sending.remove(at);
                let marked = |partition: &i32| (Arc::from(TOPIC), *partition, Marked::Written);
                let written: Vec<_> = done.iter().map(marked).collect();
                let effects = self.shard.markers_written(&markers.of, &written, self.now());
                self.act(effects);
                self.sync();
            }
            Step::Time { crash_keeps } => {
                self.budget.timeouts -= 1;
                self.pass();
                match crash_keeps {
                    Some(keeps) => self.crash(keeps),
                    None => self.sync(),
                }
            }
            Step::Crash { keeps } => self.crash(keeps),
        }
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
                expected: None,
            })),
            Phase::Add(partition) => self.ask(add(partition)),
            Phase::Produce(partition) => self.produce(at, partition),
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

    /// A partition takes records of a transaction that the coordinator knows it to take part in.
    fn produce(&mut self, at: usize, partition: i32) {
        let client = &self.clients[at];
        let ((id, epoch), label) = (client.producer, (at, client.transaction));
        let verified = self.shard.verify(ID, id, epoch, &[(Arc::from(TOPIC), partition)]);
        let leader = &mut self.partitions[partition as usize];
        let (known, open) = leader.producers.entry(id).or_insert((epoch, Vec::new()));
        let answer = if *known > epoch {
            Some(Error::ProducerFenced)
        } else if open.contains(&label) {
            None
        } else {
            match verified {
                Ok(each) if each == [true] => {
                    assert!(open.is_empty(), "two transactions are open at once");
                    (*known, *open) = (epoch, vec![label]);
                    None
                }
                Ok(_) => Some(Error::InvalidTxnState),
                Err(error) => Some(error),
            }
        };
        self.replies.push((at as u64, Answer::Add(answer)));
    }

    fn reply_to(&mut self, at: usize) -> Option<Answer> {
        let found = self.replies.iter().position(|(token, _)| *token == at as u64)?;
        Some(self.replies.remove(found).1)
    }

    fn hear(&mut self, at: usize, answer: Option<Answer>) {
        // An end is answered when its markers are written: the producer asks again meanwhile, as if its request had timed out.
        let Some(answer) = answer else { return };
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
        client.phase = match (client.phase, answer) {
            (Phase::Begin, Answer::Init(producer)) => {
                client.producer = (producer.id, producer.epoch);
                Phase::Add(0)
            }
            (Phase::Add(partition), _) => Phase::Produce(partition),
            (Phase::Produce(partition), _) if partition + 1 < PARTITIONS => Phase::Add(partition + 1),
            (Phase::Produce(_), _) => Phase::End,
            (Phase::End, Answer::End(producer)) => {
                client.told.insert(client.transaction, client.outcome);
                if client.version == TxnVersion::EpochPerTransaction {
                    client.producer = (producer.id, producer.epoch);
                }
                client.transaction += 1;
                if client.transaction < transactions { Phase::Add(0) } else { Phase::Stopped }
            }
            (phase, answer) => panic!("{answer:?} in {phase:?}"),
        };
    }

    /// A marker is written, as a partition's leader takes it; the last one is handed back.
    fn mark(&mut self, at: usize, partition: i32) {
        let (markers, done) = &mut self.sending[at];
        done.push(partition);
        let (id, epoch) = (markers.of.producer_id, markers.of.producer_epoch);
        let leader = &mut self.partitions[partition as usize];
        let (known, open) = leader.producers.entry(id).or_insert((epoch, Vec::new()));
        assert!(*known <= epoch, "a marker of {epoch} where {known} is");
        if markers.version >= 2 {
            assert!(*known < epoch || open.is_empty(), "it does not raise the epoch");
        }
        *known = epoch;
        for label in std::mem::take(open) {
            let before = leader.ended.insert(label, markers.outcome);
            assert_eq!(before, None);
        }
        if done.len() == markers.topics[0].1.len() {
            let (markers, done) = self.sending.remove(at);
            let all: Vec<_> =
                done.into_iter().map(|index| (Arc::from(TOPIC), index, Marked::Written)).collect();
            let effects = self.shard.markers_written(&markers.of, &all, self.now());
            self.act(effects);
            self.sync();
            self.overhear();
        }
    }

    /// Answers to requests that were given up are heard by nobody, unless the client still asks the same.
    fn overhear(&mut self) {
        for at in 0..self.clients.len() {
            let reply = self.reply_to(at);
            if self.clients[at].phase == Phase::End {
                self.hear(at, reply);
            }
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

    /// Records are written, not yet durable; what waits for that is done by [`World::sync`], or never.
    fn act(&mut self, effects: Effects) {
        self.replies.extend(effects.replies.into_iter().map(|reply| (reply.token.0, reply.answer)));
        for append in effects.appends {
            self.log.extend(append.encode().unwrap());
            let next = self.shard.appended(append, self.now());
            self.act(next);
        }
        self.sending.extend(effects.markers.into_iter().map(|markers| (markers, Vec::new())));
    }

    fn sync(&mut self) {
        self.stable = self.log.len();
        // Only the last record counts for what comes.
        if self.stable > 1 {
            self.log.drain(..self.stable - 1);
            self.stable = 1;
        }
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
        for _ in 0..64 {
            while let Some((markers, done)) = world.sending.first() {
                let missing = markers.topics[0].1.iter().find(|one| !done.contains(one)).copied().unwrap();
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
            for transaction in 0..2u8 {
                let ends: HashSet<Outcome> = world
                    .partitions
                    .iter()
                    .filter_map(|partition| partition.ended.get(&(at, transaction)).copied())
                    .collect();
                assert!(ends.len() <= 1, "half a transaction");
                if let Some(told) = client.told.get(&transaction) {
                    assert!(ends.contains(told), "{told} was told, {ends:?} came");
                }
            }
        }
    }

    /// Worlds that go on the same way have the same one.
    fn fingerprint(&self) -> u64 {
        let mut text = Hashed(DefaultHasher::new());
        write!(text, "{:?} {:?} {:?}", self.shard, self.sending, self.replies).unwrap();
        let mut hasher = text.0;
        (&self.log, self.stable, &self.partitions, &self.clients, &self.budget).hash(&mut hasher);
        hasher.finish()
    }
}

/// A text of which only the hash is kept.
struct Hashed(DefaultHasher);

impl std::fmt::Write for Hashed {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

fn settings() -> Settings {
    Settings { abort_interval_ms: 10, limits: Limits::default(), ..Settings::default() }
}

/// Goes every way. Says how many worlds there were.
fn explore(first: World) -> usize {
    let (mut seen, mut todo) = (HashSet::from([first.fingerprint()]), vec![first]);
    while let Some(world) = todo.pop() {
        world.comes_to_rest_whole();
        for step in world.steps() {
            let mut next = world.clone();
            next.take(step);
            if seen.insert(next.fingerprint()) {
                todo.push(next);
            }
        }
    }
    seen.len()
}

const TV1: TxnVersion = TxnVersion::Classic;
const TV2: TxnVersion = TxnVersion::EpochPerTransaction;

#[test]
fn no_commit_is_lost_and_none_is_half_whoever_stops_in_between() {
    let budget = Budget { crashes: 1, lost_answers: 1, timeouts: 1, failed_markers: 0 };
    for versions in [[TV1, TV2], [TV2, TV1]] {
        let worlds = explore(World::new(versions, [Outcome::Commit, Outcome::Commit], budget));
        assert!(worlds > 1_000, "only {worlds} worlds of {versions:?}");
    }
}

#[test]
fn an_abort_is_as_whole_as_a_commit() {
    let budget = Budget { crashes: 1, lost_answers: 0, timeouts: 1, failed_markers: 1 };
    for version in [TV1, TV2] {
        let worlds = explore(World::new([version; 2], [Outcome::Abort, Outcome::Commit], budget));
        assert!(worlds > 1_000, "only {worlds} worlds of {version:?}");
    }
}

#[test]
fn a_coordinator_that_stops_twice_ends_what_it_decided_once() {
    let budget = Budget { crashes: 2, lost_answers: 0, timeouts: 0, failed_markers: 1 };
    for version in [TV1, TV2] {
        let worlds = explore(World::new([version; 2], [Outcome::Commit, Outcome::Abort], budget));
        assert!(worlds > 1_000, "only {worlds} worlds of {version:?}");
    }
}

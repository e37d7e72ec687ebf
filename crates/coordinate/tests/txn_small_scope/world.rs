//! Producers, a coordinator and two partitions at one moment, and what may happen next.

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use pagewire_coordinate::txn::{
    Add, Answer, Effects, End, Error, Init, Input, Limits, Marked, Markers, Outcome, Settings, Shard,
    TxnRecord, TxnState, TxnValue, TxnVersion,
};
use pagewire_coordinate::{Now, Token};
use pagewire_log::AppendError;

use crate::explore;
use crate::leader::{Batch, Leader, Marker};

const ID: &str = "app";
const TOPIC: &str = "t";
const PARTITIONS: usize = 2;

/// The newest `transaction.version`.
const CURRENT_LEVEL: i16 = 2;

type KeyValue = (bytes::Bytes, Option<bytes::Bytes>);

/// How often what may go wrong goes wrong on one way.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Budget {
    pub(crate) crashes: u8,
    pub(crate) lost_answers: u8,
    pub(crate) timeouts: u8,
    pub(crate) failed_markers: u8,
    /// Producers that begin anew.
    pub(crate) beginnings: u8,
    /// Partitions that are deleted.
    pub(crate) deletions: u8,
    /// Batches that their producers give up, and that come all the same.
    pub(crate) delays: u8,
    /// Requests to the coordinator of which a copy comes later.
    pub(crate) copies: u8,
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

/// A batch that its producer gave up, and that comes all the same.
#[derive(Clone, Copy, Debug, Hash)]
struct Late {
    token: u64,
    partition: i32,
    batch: Batch,
    version: TxnVersion,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    OnItsWay,
    /// The coordinator is asked about it.
    Asked,
    /// It is appended next.
    Allowed,
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
    /// It gave up a batch: it aborts, and goes on with another epoch.
    gives_up: bool,
    /// Of the next batch of each partition.
    sequences: [i32; PARTITIONS],
    /// What it was told of its transactions.
    told: BTreeMap<u8, Outcome>,
}

#[derive(Clone)]
pub(crate) struct World {
    shard: Shard,
    /// What is durable, then what is not.
    log: Vec<KeyValue>,
    stable: usize,
    now_ms: i64,
    sending: Vec<Sending>,
    partitions: Vec<Rc<Leader>>,
    clients: Vec<Client>,
    late: Vec<Late>,
    /// Requests that come a second time.
    copies: Vec<Input>,
    replies: Vec<Waiting>,
    /// Who took the transactional id over last.
    last_init: Option<usize>,
    /// What a producer may not survive has happened: its time ran out, or a partition went.
    is_disturbed: bool,
    level: i16,
    next_producer_id: i64,
    /// Answers wait for what they stand on.
    pub(crate) waits: bool,
    /// Partitions ask whether a transaction is under way before one begins there.
    pub(crate) checks: bool,
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
pub(crate) enum Step {
    /// A producer does what comes next, and hears the answer as soon as that may be told.
    Client(usize),
    /// It does not hear it, and will ask again.
    Unheard(usize),
    /// It gives up its batch, which comes later.
    Delay(usize),
    /// A batch that was given up comes a step further.
    Late(usize),
    /// It asks the coordinator, and a copy of that is still under way.
    Copied(usize),
    CopyComes(usize),
    /// It gives up what it did and begins anew.
    BeginAnew {
        client: usize,
        says_expected: bool,
    },
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
    Crash {
        keeps: bool,
    },
}

impl Client {
    /// How its transaction is to end.
    fn outcome(&self) -> Outcome {
        if self.gives_up { Outcome::Abort } else { self.outcome }
    }

    fn batch(&self, at: usize, partition: i32) -> Batch {
        Batch {
            of: (at, self.transaction),
            producer: self.producer,
            sequence: self.sequences[partition as usize],
            bumps_epoch: self.version == TxnVersion::EpochPerTransaction,
        }
    }

    /// With another epoch sequences begin anew.
    fn go_on_as(&mut self, producer: (i64, i16)) {
        if std::mem::replace(&mut self.producer, producer) != producer {
            self.sequences = [0; PARTITIONS];
        }
    }
}

/// That a partition takes part.
fn add(
    token: Token,
    (producer_id, producer_epoch): (i64, i16),
    partition: i32,
    version: TxnVersion,
) -> Input {
    Input::Add(Add {
        token,
        transactional_id: ID.into(),
        producer_id,
        producer_epoch,
        partitions: vec![(Arc::from(TOPIC), partition)],
        version,
    })
}

impl World {
    pub(crate) fn new(versions: [TxnVersion; 2], outcomes: [Outcome; 2], budget: Budget) -> Self {
        Self::on(Vec::new(), CURRENT_LEVEL, versions, outcomes, budget)
    }

    /// With the `transaction.version` by which the coordinator ends what nobody asked it to end.
    pub(crate) fn at_level(level: i16, version: TxnVersion, outcomes: [Outcome; 2], budget: Budget) -> Self {
        Self::on(Vec::new(), level, [version; 2], outcomes, budget)
    }

    /// With a transactional id that was taken over so often.
    pub(crate) fn from_epoch(
        epoch: i16,
        version: TxnVersion,
        outcomes: [Outcome; 2],
        budget: Budget,
    ) -> Self {
        let value = TxnValue {
            version: 1,
            producer_id: 1,
            previous_producer_id: 1,
            next_producer_id: -1,
            producer_epoch: epoch,
            next_producer_epoch: -1,
            timeout_ms: 1_000,
            state: TxnState::Empty,
            topics: None,
            updated_ms: 0,
            started_ms: -1,
            client_version: 0,
        };
        let record = TxnRecord { transactional_id: ID.into(), value: Some(value) };
        let log = vec![(record.encode_key().unwrap(), record.encode_value().unwrap())];
        Self { stable: 1, ..Self::on(log, CURRENT_LEVEL, [version; 2], outcomes, budget) }
    }

    fn on(
        log: Vec<KeyValue>,
        level: i16,
        versions: [TxnVersion; 2],
        outcomes: [Outcome; 2],
        budget: Budget,
    ) -> Self {
        let client = |at: usize| Client {
            version: versions[at],
            phase: Phase::Begin,
            producer: (-1, -1),
            says_expected: false,
            transaction: 0,
            outcome: outcomes[at],
            gives_up: false,
            sequences: [0; PARTITIONS],
            told: BTreeMap::new(),
        };
        Self {
            shard: shard(&log, level, Now::both(0)),
            log,
            stable: 0,
            now_ms: 0,
            sending: Vec::new(),
            partitions: vec![Rc::default(); PARTITIONS],
            clients: vec![client(0), client(1)],
            late: Vec::new(),
            copies: Vec::new(),
            replies: Vec::new(),
            last_init: None,
            is_disturbed: false,
            level,
            next_producer_id: 2,
            waits: true,
            checks: true,
            budget,
        }
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
        if let Some(input) = self.question(at) {
            return self.ask(input);
        }
        let (token, client) = (Token(at as u64), &self.clients[at]);
        match client.phase {
            Phase::Verify(partition) => {
                let (batch, version) = (client.batch(at, partition), client.version);
                if !self.come(token, partition, batch, version) {
                    self.answer_at_once(token, None);
                }
            }
            Phase::Append(partition) => {
                let error = self.append(token, partition, client.batch(at, partition));
                self.answer_at_once(token, error);
            }
            _ => {}
        }
    }

    /// What the client asks the coordinator next, if it does.
    fn question(&self, at: usize) -> Option<Input> {
        let (token, client) = (Token(at as u64), &self.clients[at]);
        let (producer_id, producer_epoch) = client.producer;
        match client.phase {
            Phase::Begin => Some(Input::Init(Init {
                token,
                transactional_id: ID.into(),
                timeout_ms: 1_000,
                expected: client.says_expected.then_some(client.producer),
            })),
            Phase::Add(partition) => Some(add(token, client.producer, partition, client.version)),
            Phase::End => Some(Input::End(End {
                token,
                transactional_id: ID.into(),
                producer_id,
                producer_epoch,
                outcome: client.outcome(),
                version: client.version,
            })),
            Phase::Verify(_) | Phase::Append(_) | Phase::Stopped => None,
        }
    }

    fn ask(&mut self, input: Input) {
        if let Input::Init(Init { token, .. }) = &input {
            self.last_init = usize::try_from(token.0).ok().filter(|at| *at < self.clients.len());
        }
        let mut effects = self.shard.handle(input.clone(), self.now());
        if self.shard.lacks_producer_id() {
            self.shard.give_producer_id(self.next_producer_id);
            self.next_producer_id += 1;
            effects = self.shard.handle(input, self.now());
        }
        self.act(effects);
    }

    fn leader(&mut self, partition: i32) -> &mut Leader {
        Rc::make_mut(&mut self.partitions[partition as usize])
    }

    /// A batch comes to its partition. Whether the coordinator was asked about it.
    fn come(&mut self, token: Token, partition: i32, batch: Batch, version: TxnVersion) -> bool {
        let leader = self.leader(partition);
        if leader.is_gone || !leader.asks(token.0, batch) {
            return false;
        }
        match version {
            TxnVersion::EpochPerTransaction => self.ask(add(token, batch.producer, partition, version)),
            TxnVersion::Classic => self.verify(token, batch.producer, partition),
        }
        true
    }

    /// The coordinator says whether a partition takes part, once that is durable.
    fn verify(&mut self, token: Token, (id, epoch): (i64, i16), partition: i32) {
        let error = match self.shard.verify(ID, id, epoch, &[(Arc::from(TOPIC), partition)]) {
            Ok(each) if each == [true] => None,
            Ok(_) => Some(Error::TransactionAbortable),
            Err(error) => Some(error),
        };
        let stable_at = self.log.len();
        self.replies.push(Waiting { token: token.0, answer: Answer::Add(error), stable_at });
    }

    fn append(&mut self, token: Token, partition: i32, batch: Batch) -> Option<Error> {
        let checks = self.checks;
        let leader = self.leader(partition);
        if leader.is_gone {
            return Some(Error::InvalidRequest);
        }
        match leader.append(token.0, batch, checks) {
            Ok(()) => None,
            Err(AppendError::InvalidProducerEpoch { .. }) => Some(Error::ProducerFenced),
            Err(_) => Some(Error::InvalidTxnState),
        }
    }

    fn answer_at_once(&mut self, token: Token, error: Option<Error>) {
        self.replies.push(Waiting { token: token.0, answer: Answer::Add(error), stable_at: 0 });
    }

    /// A producer gives up the batch that it sends, and will abort.
    fn delay(&mut self, at: usize) {
        let client = &mut self.clients[at];
        let (partition, stage) = match client.phase {
            Phase::Verify(partition) => (partition, Stage::OnItsWay),
            Phase::Append(partition) => (partition, Stage::Allowed),
            phase => panic!("a batch in {phase:?}"),
        };
        let token = (self.clients.len() + self.late.len()) as u64;
        let client = &mut self.clients[at];
        let (batch, version) = (client.batch(at, partition), client.version);
        (client.phase, client.gives_up) = (Phase::End, true);
        self.leader(partition).hand_on(at as u64, token);
        self.late.push(Late { token, partition, batch, version, stage });
    }

    /// What was given up goes on.
    fn late(&mut self, at: usize) {
        let Late { token, partition, batch, version, stage } = self.late[at];
        match stage {
            Stage::OnItsWay if self.come(Token(token), partition, batch, version) => {
                self.late[at].stage = Stage::Asked;
            }
            Stage::OnItsWay => self.late[at].stage = Stage::Allowed,
            Stage::Asked => {}
            Stage::Allowed => {
                // Nobody hears what became of it.
                let _ = self.append(Token(token), partition, batch);
                self.late.remove(at);
            }
        }
    }

    /// The coordinator's answer about a batch of this one.
    fn said_of(&mut self, token: u64, partition: i32, producer: (i64, i16), error: Option<Error>) {
        let is_over = matches!(error, Some(Error::InvalidProducerIdMapping | Error::ProducerFenced));
        if is_over && !self.partitions[partition as usize].is_gone {
            self.leader(partition).refuse(token, producer);
        }
    }

    /// Answers to requests that were given up are heard by nobody, unless the client still asks the same.
    fn hear_what_may_be_told(&mut self) {
        while let Some(found) = self.replies.iter().position(|reply| reply.stable_at <= self.stable) {
            let Waiting { token, answer, .. } = self.replies.remove(found);
            let Some(client) = self.clients.get(token as usize) else {
                self.hear_of_late(token, answer.error());
                continue;
            };
            if client.phase == Phase::End || !matches!(answer, Answer::End(_)) {
                self.hear(token as usize, answer);
            }
        }
    }

    fn hear_of_late(&mut self, token: u64, error: Option<Error>) {
        let Some(at) = self.late.iter().position(|late| late.token == token) else { return };
        let Late { partition, batch, .. } = self.late[at];
        self.said_of(token, partition, batch.producer, error);
        match error {
            Some(_) => drop(self.late.remove(at)),
            None => self.late[at].stage = Stage::Allowed,
        }
    }

    fn hear(&mut self, at: usize, answer: Answer) {
        let client = &self.clients[at];
        if let Phase::Verify(partition) = client.phase {
            self.said_of(at as u64, partition, client.producer, answer.error());
        }
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
            Some(error) => {
                // A rival may have taken over from the one that says from where it goes on.
                let may_be_fenced = client.phase == Phase::Begin && client.says_expected;
                if may_be_fenced && self.last_init == Some(at) {
                    self.last_init = None;
                }
                let is_its = self.last_init == Some(at) && !self.is_disturbed;
                assert!(!is_its, "{error} to the producer that took over last, in {:?}", client.phase);
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
                client.go_on_as((producer.id, producer.epoch));
                take_part(0)
            }
            (Phase::Add(partition), _) => Phase::Verify(partition),
            (Phase::Verify(partition), _) => Phase::Append(partition),
            (Phase::Append(partition), _) => {
                client.sequences[partition as usize] += 1;
                let next = partition + 1;
                if (next as usize) < PARTITIONS { take_part(next) } else { Phase::End }
            }
            (Phase::End, Answer::End(producer)) => {
                client.told.insert(client.transaction, client.outcome());
                if client.version == TxnVersion::EpochPerTransaction {
                    client.go_on_as((producer.id, producer.epoch));
                }
                client.transaction += 1;
                let gave_up = std::mem::take(&mut client.gives_up);
                if client.transaction >= transactions {
                    Phase::Stopped
                } else if gave_up && client.version == TxnVersion::Classic {
                    client.says_expected = true;
                    Phase::Begin
                } else {
                    take_part(0)
                }
            }
            (phase, answer) => panic!("{answer:?} in {phase:?}"),
        };
    }

    /// A marker is written, as a partition's leader takes it; the last one is handed back.
    fn mark(&mut self, at: usize, partition: i32) {
        let sending = &mut self.sending[at];
        let (markers, of) = (&sending.markers, &sending.markers.of);
        let leader = Rc::make_mut(&mut self.partitions[partition as usize]);
        if leader.is_gone {
            sending.done.push((partition, Marked::Gone));
        } else {
            leader.mark(Marker {
                producer: (of.producer_id, of.producer_epoch),
                coordinator_epoch: markers.coordinator_epoch,
                version: markers.version,
                outcome: markers.outcome,
            });
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
        self.shard = shard(&self.log, self.level, self.now());
        self.sending.clear();
        self.replies.clear();
        self.partitions.iter_mut().for_each(|leader| Rc::make_mut(leader).restart());
        // What had come is gone; who still wants it sends it again.
        self.late.retain(|late| late.stage == Stage::OnItsWay);
        for client in &mut self.clients {
            if let Phase::Append(partition) = client.phase {
                client.phase = Phase::Verify(partition);
            }
        }
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
            assert!(partition.is_at_rest(), "a transaction hangs");
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
                    let nothing_to_abort = *told == Outcome::Abort && ends.is_empty();
                    let is_so = all_gone || nothing_to_abort || ends.contains(told);
                    assert!(is_so, "{told} was told, {ends:?} came");
                }
            }
        }
    }

    /// Nothing fails any more: the producer that took over last comes to its end.
    fn its_producer_goes_on(&self) {
        let Some(at) = self.last_init.filter(|_| !self.is_disturbed) else { return };
        let mut world = self.clone();
        for _ in 0..64 {
            if world.clients[at].phase == Phase::Stopped {
                return;
            }
            world.sync();
            world.hear_what_may_be_told();
            while let Some(missing) = world.sending.first().and_then(|sending| sending.missing().next()) {
                world.mark(0, missing);
            }
            if !world.awaits(at) {
                world.request(at);
            }
            world.sync();
            world.hear_what_may_be_told();
            // Not long enough for an open transaction.
            world.now_ms += 5;
            let effects = world.shard.on_time(world.now());
            world.act(effects);
        }
        panic!("a producer does not come on from {:?}", world.clients[at].phase);
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
            if budget.delays > 0
                && !self.awaits(at)
                && matches!(client.phase, Phase::Verify(_) | Phase::Append(_))
            {
                steps.push(Step::Delay(at));
            }
            // The other one is the rival.
            if at == 0 && budget.beginnings > 0 && client.phase != Phase::Begin {
                steps
                    .extend([true, false].map(|says_expected| Step::BeginAnew { client: at, says_expected }));
            }
        }
        if budget.copies > 0 {
            let asks = |at: &usize| !self.awaits(*at) && self.question(*at).is_some();
            steps.extend((0..self.clients.len()).filter(asks).map(Step::Copied));
        }
        steps.extend((0..self.copies.len()).map(Step::CopyComes));
        let moves = |(_, late): &(usize, &Late)| late.stage != Stage::Asked;
        steps.extend(self.late.iter().enumerate().filter(moves).map(|(at, _)| Step::Late(at)));
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
            let there = (0..PARTITIONS as i32).filter(|index| !self.partitions[*index as usize].is_gone);
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
        let is_failure = !matches!(step, Step::Client(_) | Step::Sync | Step::Mark(..));
        match step {
            Step::Client(at) => self.request(at),
            Step::Unheard(at) => {
                self.budget.lost_answers -= 1;
                self.request(at);
                self.replies.retain(|reply| reply.token != at as u64);
            }
            Step::Delay(at) => {
                self.budget.delays -= 1;
                self.delay(at);
            }
            Step::Late(at) => self.late(at),
            Step::Copied(at) => {
                self.budget.copies -= 1;
                let copy = self.question(at).map(|input| with_token(input, Token(u64::MAX)));
                self.copies.extend(copy);
                self.request(at);
            }
            Step::CopyComes(at) => {
                let copy = self.copies.remove(at);
                self.ask(copy);
            }
            Step::BeginAnew { client: at, says_expected } => {
                self.budget.beginnings -= 1;
                self.replies.retain(|reply| reply.token != at as u64);
                let client = &mut self.clients[at];
                (client.phase, client.says_expected, client.gives_up) = (Phase::Begin, says_expected, false);
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
                self.is_disturbed = true;
                self.leader(partition).delete();
            }
            Step::Time => {
                self.budget.timeouts -= 1;
                self.is_disturbed = true;
                self.pass();
            }
            Step::Crash { keeps } => self.crash(keeps),
        }
        self.hear_what_may_be_told();
        if is_failure {
            self.its_producer_goes_on();
        }
    }

    fn keeps_its_promises(&self) {
        self.comes_to_rest_whole();
    }

    fn fingerprint(&self) -> u64 {
        let leaders: Vec<_> = self.partitions.iter().map(|leader| leader.hashed()).collect();
        let hashed = (&self.log, self.stable, leaders, &self.clients, &self.late, &self.budget);
        let printed = (&self.shard, &self.sending, &self.replies, &self.copies);
        explore::fingerprint(&printed, (hashed, self.last_init, self.is_disturbed))
    }
}

/// What `log` makes of a shard.
fn shard(log: &[KeyValue], level: i16, now: Now) -> Shard {
    let settings = Settings { abort_interval_ms: 10, limits: Limits::default(), ..Settings::default() };
    let mut shard = Shard::new(settings, 0);
    for (key, value) in log {
        shard.replay(key, value.as_deref()).unwrap();
    }
    shard.loaded(now);
    shard.go_by(level);
    shard
}

fn with_token(input: Input, token: Token) -> Input {
    match input {
        Input::Init(init) => Input::Init(Init { token, ..init }),
        Input::Add(add) => Input::Add(Add { token, ..add }),
        Input::End(end) => Input::End(End { token, ..end }),
    }
}

//! A producer: where it is in its transactions, what it asks next, and what it makes of the answer.

use std::collections::BTreeMap;

use pagewire_coordinate::Token;
use pagewire_coordinate::txn::{Answer, End, Error, Init, Input, Outcome, TxnVersion};

use crate::leader::Batch;
use crate::world::coordinator::Waiting;
use crate::world::{ID, PARTITIONS, World, add};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    Begin,
    Add(i32),
    /// By the rules of version 1 a partition asks whether it takes part; by those of version 2 the question adds it.
    Verify(i32),
    Append(i32),
    End,
    Stopped,
}

#[derive(Clone, Debug, Hash)]
pub(super) struct Client {
    pub(super) version: TxnVersion,
    pub(super) phase: Phase,
    producer: (i64, i16),
    /// It says from which producer id and epoch it goes on.
    pub(super) says_expected: bool,
    pub(super) transaction: u8,
    outcome: Outcome,
    /// It gave up a batch: it aborts, and goes on with another epoch.
    pub(super) gives_up: bool,
    /// Of the next batch of each partition.
    sequences: [i32; PARTITIONS],
    /// What it was told of its transactions.
    pub(super) told: BTreeMap<u8, Outcome>,
}

impl Client {
    /// One that has not begun.
    pub(super) fn new(version: TxnVersion, outcome: Outcome) -> Self {
        Self {
            version,
            phase: Phase::Begin,
            producer: (-1, -1),
            says_expected: false,
            transaction: 0,
            outcome,
            gives_up: false,
            sequences: [0; PARTITIONS],
            told: BTreeMap::new(),
        }
    }

    /// How its transaction is to end.
    fn outcome(&self) -> Outcome {
        if self.gives_up { Outcome::Abort } else { self.outcome }
    }

    pub(super) fn batch(&self, at: usize, partition: i32) -> Batch {
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

impl World {
    /// A client waits for an answer that may not be told yet.
    pub(super) fn awaits(&self, at: usize) -> bool {
        self.replies.iter().any(|reply| reply.token == at as u64)
    }

    /// What the client does next, at the coordinator or at a partition.
    pub(super) fn request(&mut self, at: usize) {
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
    pub(super) fn question(&self, at: usize) -> Option<Input> {
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

    /// Answers to requests that were given up are heard by nobody, unless the client still asks the same.
    pub(super) fn hear_what_may_be_told(&mut self) {
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
}

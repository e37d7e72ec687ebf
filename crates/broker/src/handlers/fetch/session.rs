//! Incremental fetch sessions (KIP-227): the broker remembers what a consumer reads, the consumer sends what changed.
//!
//! Pure: a session is a list of partitions with what was last said about each; nothing here knows a socket or a clock.
//!
//! ```text
//!   id 0, epoch 0   full fetch, wants a session      id n, epoch e   changes to session n; e must be the next one
//!   epoch -1        full fetch without a session     (id n, epoch 0 or -1 also ends session n)
//! ```

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use foldhash::fast::RandomState;
use pagewire_wire::{ErrorCode, messages::fetch_request::ForgottenTopic};
use parking_lot::Mutex;

use super::{
    read::Answers,
    wanted::{Key, Named, Wanted},
};

/// Session epochs of a request that carries no change to a session.
pub(super) const INITIAL_EPOCH: i32 = 0;
pub(super) const FINAL_EPOCH: i32 = -1;

/// What one fetch covers, and how its answer relates to a session.
pub(super) struct Scope {
    pub(super) kind: Kind,
    wanted: Vec<Wanted>,
}

pub(super) enum Kind {
    /// Everything is said, nothing is remembered.
    Sessionless,
    /// Everything is said and, if there is room, remembered. By topic id or by name.
    Full { by_id: bool },
    /// What changed is said.
    Incremental(Arc<Mutex<Session>>),
}

/// What of the answers goes out, under which session id.
pub(super) struct Told {
    pub(super) session_id: i32,
    /// By position in the answers.
    pub(super) included: Vec<bool>,
}

impl Scope {
    pub(super) fn new(kind: Kind, wanted: Vec<Wanted>) -> Self {
        Self { kind, wanted }
    }

    pub(super) fn wanted(&self) -> &[Wanted] {
        &self.wanted
    }
}

/// One consumer's partitions, in the order in which they are served.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: i32,
    /// The epoch the next request must carry.
    pub(super) epoch: i32,
    pub(super) by_id: bool,
    order: BTreeMap<u64, Key>,
    partitions: HashMap<Key, Remembered, RandomState>,
    next_turn: u64,
}

#[derive(Debug)]
struct Remembered {
    turn: u64,
    wanted: Wanted,
    high_watermark: i64,
    log_start_offset: i64,
}

impl Session {
    pub(super) fn new(id: i32, by_id: bool) -> Self {
        Self {
            id,
            epoch: next_epoch(INITIAL_EPOCH),
            by_id,
            order: BTreeMap::new(),
            partitions: HashMap::default(),
            next_turn: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.partitions.len()
    }

    /// Adds `wanted`, or moves its position.
    pub(super) fn put(&mut self, wanted: &Wanted) {
        if let Some(known) = self.partitions.get_mut(&wanted.key()) {
            known.wanted = Wanted { named: Arc::clone(&known.wanted.named), ..wanted.clone() };
            return;
        }
        let wanted = wanted.clone();
        let (key, turn) = (wanted.key(), self.next_turn);
        self.next_turn += 1;
        self.order.insert(turn, key.clone());
        self.partitions.insert(key, Remembered { turn, wanted, high_watermark: -1, log_start_offset: -1 });
    }

    fn forget(&mut self, key: &Key) {
        if let Some(known) = self.partitions.remove(key) {
            self.order.remove(&known.turn);
        }
    }

    /// Takes the changes of the incremental request of `epoch` and moves to the next epoch.
    pub(super) fn advance(
        &mut self,
        epoch: i32,
        changed: &[Wanted],
        forgotten: &[ForgottenTopic],
    ) -> Result<(), ErrorCode> {
        if epoch != self.epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        self.epoch = next_epoch(self.epoch);
        for wanted in changed {
            self.put(wanted);
        }
        for topic in forgotten {
            let named = Named::new(&topic.topic, topic.topic_id);
            for &index in &topic.partitions {
                self.forget(&Key { named: Arc::clone(&named), index });
            }
        }
        Ok(())
    }

    /// Everything remembered, in serving order.
    pub(super) fn wanted(&self) -> Vec<Wanted> {
        self.order
            .values()
            .filter_map(|key| self.partitions.get(key))
            .map(|known| known.wanted.clone())
            .collect()
    }

    /// Records what is being said; says only what changed. Partitions that gave data go to the back of the order, so
    /// that a full answer does not always serve the same ones.
    pub(super) fn tell(&mut self, wanted: &[Wanted], answers: &Answers) -> Told {
        let mut included = Vec::with_capacity(answers.partitions.len());
        for (want, answer) in wanted.iter().zip(&answers.partitions) {
            let key = want.key();
            let Some(known) = self.partitions.get_mut(&key) else {
                included.push(true);
                continue;
            };
            let failed = answer.error != ErrorCode::None;
            let moved = known.high_watermark != answer.high_watermark
                || known.log_start_offset != answer.log_start_offset;
            included.push(failed || moved || answer.records_len() > 0 || answer.diverging.is_some());
            // After an error the recovery must be announced even if nothing else changed.
            known.high_watermark = if failed { -1 } else { answer.high_watermark };
            known.log_start_offset = answer.log_start_offset;
            if answer.records_len() > 0 {
                self.order.remove(&known.turn);
                known.turn = self.next_turn;
                self.next_turn += 1;
                self.order.insert(known.turn, key);
            }
        }
        Told { session_id: self.id, included }
    }
}

/// Epochs wrap past the initial one, which means something else.
fn next_epoch(epoch: i32) -> i32 {
    epoch.checked_add(1).unwrap_or(1)
}

#[cfg(test)]
mod tests;

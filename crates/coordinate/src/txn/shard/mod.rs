//! A shard: all transactional ids of one partition of `__transaction_state`, and the only door to them.
//!
//! Loading: [`Shard::replay`] every record of the partition in order, then [`Shard::loaded`] once. Running:
//! [`Shard::handle`] for each input, [`Shard::on_time`] when [`Shard::next_deadline`] has come; each returns [`Effects`].
//! Hand every append back before the next input, and every set of markers whenever they are written.
//!
//! What is in the log comes from the log: a transactional id changes only by its records. What a record cannot hold (who
//! waits, which epoch was the one before, which markers are already written) lives here alone and begins anew after a
//! restart, as in Kafka: markers are then written once more.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::answer::Answer;
use super::deadlines::Deadlines;
use super::effects::{Append, Effects, Then, Why};
use super::error::Error;
use super::input::{Input, TxnVersion};
use super::note::Event;
use super::record::{TxnDecodeError, TxnDecoded, TxnRecord, TxnValue};
use super::settings::Settings;
use super::state::TxnState;
use super::transaction::{Kept, Transaction, Waiting};
use crate::input::Token;
use crate::memory::tree_bytes;
use crate::now::Now;

/// Transactions whose markers go out at once, where many were being ended when the coordinator stopped.
const ENDED_AT_ONCE: usize = 64;
/// So long who asked for the end of a transaction waits for its markers. Far less than clients wait for an answer.
const MARKERS_MAX_MS: i64 = 2_000;
/// Producer ids that are kept for whoever needs one: as many as may ask at once.
const SPARE_PRODUCER_IDS: usize = 64;

/// The transactional ids of one partition of `__transaction_state`.
#[derive(Clone, Debug)]
pub struct Shard {
    settings: Settings,
    pub(super) coordinator_epoch: i32,
    pub(super) ids: BTreeMap<Arc<str>, Transaction>,
    /// Bytes of all of them.
    bytes: usize,
    /// What may be held now, whatever the settings allow.
    bytes_allowed: usize,
    pub(super) deadlines: Deadlines,
    /// Where the look for what expired goes on.
    pub(super) expiry_at: Option<Arc<str>>,
    /// Producer ids that nobody has yet.
    spare_producer_ids: Vec<i64>,
    /// One was wanted and not there.
    lacks_producer_id: bool,
    /// The `transaction.version` that is in force here, whatever clients know.
    pub(super) own_level: i16,
}

impl Shard {
    /// An empty shard. `coordinator_epoch` is in every marker: the leader epoch of the partition.
    pub fn new(settings: Settings, coordinator_epoch: i32) -> Self {
        Self {
            settings,
            coordinator_epoch,
            ids: BTreeMap::new(),
            bytes: 0,
            bytes_allowed: usize::MAX,
            deadlines: Deadlines::default(),
            expiry_at: None,
            spare_producer_ids: Vec::new(),
            lacks_producer_id: false,
            own_level: TxnVersion::EpochPerTransaction as i16,
        }
    }

    /// The settings in force.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// New settings act from the next event on.
    pub fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// By which `transaction.version` ends what nobody asked it to end, and is written what is known, from the next event on.
    pub const fn go_by(&mut self, level: i16) {
        self.own_level = level;
    }

    /// Takes over one record of the log while loading.
    ///
    /// # Errors
    /// The record cannot be read. The shard is as before; the caller decides whether to go on without it.
    pub fn replay(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), TxnDecodeError> {
        match TxnRecord::decode(key, value)? {
            TxnDecoded::Skipped { .. } => {}
            TxnDecoded::Record(TxnRecord { transactional_id, value: Some(value) }) => {
                self.keep(&transactional_id, value, None);
            }
            TxnDecoded::Record(TxnRecord { transactional_id, value: None }) => {
                self.forget(&transactional_id);
            }
        }
        Ok(())
    }

    /// The log is read to its end: transactions begin to run out of time, and ends that were decided go on.
    pub fn loaded(&mut self, now: Now) {
        for id in self.ids.keys().cloned().collect::<Vec<_>>() {
            self.with(&id, |transaction, deadlines| {
                let kept = &transaction.kept;
                let (mut deadline_ms, mut retry_at_ms) = (None, None);
                match kept.state {
                    TxnState::Ongoing => {
                        let up_ms = kept.started_ms.saturating_add(i64::from(kept.timeout_ms));
                        let left_ms = up_ms.saturating_sub(now.wall_ms).min(i64::from(kept.timeout_ms));
                        deadline_ms = Some(now.deadline(left_ms));
                    }
                    TxnState::PrepareCommit | TxnState::PrepareAbort => retry_at_ms = Some(now.steady_ms),
                    TxnState::PrepareEpochFence => deadline_ms = Some(now.steady_ms),
                    _ => {}
                }
                deadlines.set_open(&id, transaction.deadline_ms, deadline_ms);
                deadlines.set_retry(&id, transaction.retry_at_ms, retry_at_ms);
                (transaction.deadline_ms, transaction.retry_at_ms) = (deadline_ms, retry_at_ms);
            });
        }
        self.deadlines.abort_at_ms = Some(now.deadline(self.settings.abort_interval_ms.max(1)));
        self.deadlines.expire_at_ms = Some(now.deadline(self.settings.expiry_interval_ms.max(1)));
    }

    /// Lets an input act.
    pub fn handle(&mut self, input: Input, now: Now) -> Effects {
        let mut out = Effects::default();
        match input {
            Input::Init(init) => self.init(&init, now, &mut out),
            Input::Add(add) => self.add(&add, now, &mut out),
            Input::End(end) => self.end(&end, now, &mut out),
        }
        out
    }

    /// Lets act what is due: as much as fits into one append, or so many transactions' markers. There may be more.
    pub fn on_time(&mut self, now: Now) -> Effects {
        let mut out = Effects::default();
        while out.appends.is_empty() && out.markers.len() < ENDED_AT_ONCE && self.act_on_one(now, &mut out) {}
        out
    }

    /// Says whether anything was due.
    fn act_on_one(&mut self, now: Now, out: &mut Effects) -> bool {
        let is_due = |at_ms: Option<i64>| at_ms.is_some_and(|at_ms| at_ms <= now.steady_ms);
        if let Some(id) = self.deadlines.answer_due(now.steady_ms) {
            self.answer_in_time(&id, out);
        } else if let Some(id) = self.deadlines.retry_due(now.steady_ms) {
            self.go_on_ending(&id, now, out);
        } else if is_due(self.deadlines.abort_at_ms) {
            self.abort_overdue(now, out);
        } else if is_due(self.deadlines.expire_at_ms) {
            self.expire(now, out);
        } else {
            return false;
        }
        true
    }

    /// When [`Shard::on_time`] wants to be called, by the steady clock; none before the shard is loaded.
    pub fn next_deadline(&self) -> Option<i64> {
        self.deadlines.next()
    }

    /// The records of an append are in the log. What comes of it waits until they are durable.
    pub fn appended(&mut self, append: Append, now: Now) -> Effects {
        let mut out = Effects::default();
        for record in append.records {
            let id = record.transactional_id;
            if let Some(value) = record.value {
                self.keep(&id, value, Some((append.then, now)));
                self.follow(&id, append.then, now, &mut out);
            } else {
                self.forget(&id);
                out.note(&id, Event::Expired);
            }
        }
        out
    }

    fn follow(&mut self, id: &Arc<str>, then: Then, now: Now, out: &mut Effects) {
        match then {
            Then::Init { token, answer, .. } => {
                out.note(id, Event::Initialized { producer_id: answer.id, producer_epoch: answer.epoch });
                out.reply(token, Answer::Init(answer));
            }
            Then::Add { token } => out.reply(token, Answer::Add(None)),
            Then::Prepare { why, last_epoch } => {
                self.tell(id, why, last_epoch, out);
                self.go_on_ending(id, now, out);
            }
            Then::Complete | Then::Forget => {}
        }
    }

    /// Says why an end is decided that its producer did not ask for.
    fn tell(&self, id: &Arc<str>, why: Why, last_epoch: i16, out: &mut Effects) {
        let Some(kept) = self.ids.get(id).map(|transaction| &transaction.kept) else { return };
        let producer_id = kept.producer_id;
        match why {
            Why::Asked { .. } => {}
            Why::Fenced { token } => {
                out.reply(token, Answer::refuse_init(Error::ConcurrentTransactions));
                out.note(id, Event::Fenced { producer_id, producer_epoch: last_epoch });
            }
            Why::TimedOut => {
                out.note(id, Event::TimedOut { producer_id, timeout_ms: kept.timeout_ms });
            }
        }
    }

    /// The records of an append could not be written; whoever waited for them is refused with `error`.
    pub fn append_failed(&mut self, append: &Append, error: Error, now: Now) -> Effects {
        let mut out = Effects::default();
        let again_ms = now.deadline(self.settings.abort_interval_ms.max(1));
        match append.then {
            Then::Init { token, .. } | Then::Prepare { why: Why::Fenced { token }, .. } => {
                out.reply(token, Answer::refuse_init(error));
            }
            Then::Add { token } => out.reply(token, Answer::Add(Some(error))),
            Then::Prepare { why: Why::Asked { token, answer }, .. } => {
                out.reply(token, Answer::End(answer).refuse(error));
            }
            Then::Prepare { why: Why::TimedOut, .. } => self.deadlines.abort_at_ms = Some(again_ms),
            Then::Complete => {
                for record in &append.records {
                    self.completion_failed(&record.transactional_id, error, now, &mut out);
                }
            }
            Then::Forget => {
                self.expiry_at = None;
                self.deadlines.expire_at_ms = Some(now.deadline(self.settings.expiry_interval_ms.max(1)));
            }
        }
        out
    }

    /// Ends the waiting of everyone, with `error`: the shard is about to be given up.
    pub fn close(&mut self, error: Error) -> Effects {
        let mut out = Effects::default();
        for transaction in self.ids.values_mut() {
            if let Some(Waiting { token, answer, .. }) = transaction.waiting.take() {
                out.reply(token, Answer::End(answer).refuse(error));
            }
        }
        self.deadlines = Deadlines::default();
        out
    }

    /// Whether a producer id was wanted and not there: get one, hand it over, and ask again.
    pub const fn lacks_producer_id(&self) -> bool {
        self.lacks_producer_id
    }

    /// A producer id that nobody ever had, for whoever needs one next. More than a few are not kept.
    pub fn give_producer_id(&mut self, producer_id: i64) {
        if self.spare_producer_ids.len() < SPARE_PRODUCER_IDS {
            self.spare_producer_ids.push(producer_id);
        }
        self.lacks_producer_id = false;
    }

    pub(super) fn take_producer_id(&mut self) -> Result<i64, Error> {
        let spare = self.spare_producer_ids.pop();
        self.lacks_producer_id = spare.is_none();
        spare.ok_or(Error::CoordinatorLoadInProgress)
    }

    /// Lets a transactional id change, and keeps count of its bytes.
    pub(super) fn with<T>(
        &mut self,
        id: &str,
        act: impl FnOnce(&mut Transaction, &mut Deadlines) -> T,
    ) -> Option<T> {
        let transaction = self.ids.get_mut(id)?;
        self.bytes -= transaction.bytes(id);
        let acted = act(transaction, &mut self.deadlines);
        self.bytes += transaction.bytes(id);
        Some(acted)
    }

    /// What a record says becomes what is known. `live`: it was written now; what it leads to follows in memory too.
    fn keep(&mut self, id: &Arc<str>, value: TxnValue, live: Option<(Then, Now)>) {
        if self.ids.contains_key(id) {
            self.with(id, |transaction, _| transaction.kept = Kept::read(value));
        } else {
            let transaction = Transaction::of(Kept::read(value));
            self.bytes += transaction.bytes(id);
            self.ids.insert(id.clone(), transaction);
        }
        let Some((then, now)) = live else { return };
        self.with(id, |transaction, deadlines| {
            let open = transaction.kept.state == TxnState::Ongoing;
            let up_ms = || now.deadline(i64::from(transaction.kept.timeout_ms));
            let deadline_ms = open.then(|| transaction.deadline_ms.unwrap_or_else(up_ms));
            deadlines.set_open(id, transaction.deadline_ms, deadline_ms);
            deadlines.set_retry(id, transaction.retry_at_ms, None);
            (transaction.deadline_ms, transaction.retry_at_ms, transaction.failures) = (deadline_ms, None, 0);
            match then {
                Then::Init { last_epoch, .. } => transaction.last_epoch = last_epoch,
                Then::Prepare { why, last_epoch } => {
                    transaction.last_epoch = last_epoch;
                    if let Why::Asked { token, answer } = why {
                        let until_ms = now.deadline(MARKERS_MAX_MS);
                        deadlines.set_answer(id, None, Some(until_ms));
                        transaction.waiting = Some(Waiting { token, answer, until_ms });
                    }
                }
                Then::Add { .. } | Then::Complete | Then::Forget => {}
            }
        });
    }

    /// What is to be written of a transactional id.
    pub(super) fn record(&self, id: &Arc<str>, kept: &Kept) -> TxnRecord {
        TxnRecord { transactional_id: id.clone(), value: Some(kept.value(self.own_level)) }
    }

    fn forget(&mut self, id: &Arc<str>) {
        let Some(transaction) = self.ids.remove(id) else { return };
        self.bytes -= transaction.bytes(id);
        self.deadlines.set_open(id, transaction.deadline_ms, None);
        self.deadlines.set_retry(id, transaction.retry_at_ms, None);
        self.deadlines.set_answer(id, transaction.waiting.map(|waiting| waiting.until_ms), None);
    }

    /// Whether so many more bytes may be held.
    pub(super) fn has_bytes_for(&self, more: usize) -> bool {
        self.bytes().saturating_add(more) <= self.settings.limits.bytes.min(self.bytes_allowed)
    }

    /// Bytes that all transactional ids take in memory, about.
    pub fn bytes(&self) -> usize {
        self.bytes + tree_bytes::<(Arc<str>, Transaction)>(self.ids.len())
    }

    /// The most bytes that one append may have from now on: what the log takes.
    pub const fn limit_append(&mut self, bytes: usize) {
        self.settings.limits.append_bytes = bytes;
    }

    /// The most bytes that may be held from now on, if that is less than [`Limits::bytes`](super::Limits::bytes): others
    /// take from the same memory.
    pub const fn limit_bytes(&mut self, bytes: usize) {
        self.bytes_allowed = bytes;
    }

    /// How many transactional ids there are.
    pub fn id_count(&self) -> usize {
        self.ids.len()
    }

    /// What a restart would bring back, were the record written now.
    pub fn snapshot(&self, transactional_id: &str) -> Option<TxnValue> {
        self.ids.get(transactional_id).map(|transaction| transaction.kept.value(self.own_level))
    }

    /// Every request that waits for an answer.
    pub fn waiting(&self) -> Vec<Token> {
        self.ids.values().filter_map(|transaction| Some(transaction.waiting?.token)).collect()
    }
}

//! What the caller has to do after an input: append records, send replies, write markers, and hand back appends and markers.
//!
//! ```text
//!   handle / on_time ─► Effects ─► replies   send at once, or once what is written by now is durable (Reply::leans)
//!                              ├─► appends   write in order, then for each:
//!                              │      written ─► Shard::appended      ─► Effects, which wait until it is durable
//!                              │      failed  ─► Shard::append_failed ─► Effects
//!                              └─► markers   write them to their partitions, durably, then
//!                                     Shard::markers_written ─► Effects      (Shard::markers_failed if none was tried)
//! ```
//!
//! Markers that were written before their decision is durable could end half of a transaction: after a power failure the
//! other half would be decided anew.

use std::sync::Arc;

use super::answer::{Answer, Producer, Reply};
use super::note::{Event, Note};
use super::record::TxnRecord;
use super::state::Outcome;
use crate::effects::KeyValue;
use crate::input::Token;
use crate::records::EncodeError;

/// What an input leads to.
#[derive(Debug, Default)]
#[must_use = "replies must be sent, appends and markers written"]
pub struct Effects {
    /// Answers.
    pub replies: Vec<Reply>,
    /// Records to write, each append as one batch, in this order. Hand each back before the next input.
    pub appends: Vec<Append>,
    /// Markers to write. Other inputs may come before they are handed back.
    pub markers: Vec<Markers>,
    /// What to write into the broker's own log, in order. Nothing depends on it.
    pub notes: Vec<Note>,
}

impl Effects {
    /// A refusal waits for nothing: whoever hears it goes on from nothing.
    pub(crate) fn reply(&mut self, token: Token, answer: Answer) {
        let leans = answer.error().is_none();
        self.replies.push(Reply { token, answer, leans });
    }

    /// An answer that stands on nothing but what is durable already.
    pub(crate) fn reply_standing(&mut self, token: Token, answer: Answer) {
        self.replies.push(Reply { token, answer, leans: false });
    }

    pub(crate) fn append(&mut self, record: TxnRecord, then: Then) {
        self.appends.push(Append { records: vec![record], then });
    }

    pub(crate) fn note(&mut self, transactional_id: &Arc<str>, event: Event) {
        self.notes.push(Note { transactional_id: transactional_id.clone(), event });
    }

    /// Nothing to do but to take notes.
    pub fn is_empty(&self) -> bool {
        self.replies.is_empty() && self.appends.is_empty() && self.markers.is_empty()
    }
}

/// Records that belong together, and what follows once they are written.
#[derive(Debug)]
pub struct Append {
    /// At least one.
    pub records: Vec<TxnRecord>,
    pub(crate) then: Then,
}

impl Append {
    /// The records as bytes, in order.
    ///
    /// # Errors
    /// A name longer than the format can hold. Treat it as a failed append.
    pub fn encode(&self) -> Result<Vec<KeyValue>, EncodeError> {
        self.records.iter().map(|record| Ok((record.encode_key()?, record.encode_value()?))).collect()
    }
}

/// What follows an append of one transactional id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Its producer has a new id or epoch, and goes on from this one.
    Init { token: Token, answer: Producer, last_epoch: i16 },
    /// Partitions take part.
    Add { token: Token },
    /// Its end is decided: markers are due. `last_epoch`: the one that the client knows.
    Prepare { why: Why, last_epoch: i16 },
    /// Its markers are written.
    Complete,
    /// It expired.
    Forget,
}

/// Who decided the end of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Its producer, which waits for this answer.
    Asked { token: Token, answer: Producer },
    /// A successor of its producer, which is told to come back.
    Fenced { token: Token },
    /// Its time was up.
    TimedOut,
}

/// The markers of one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Markers {
    /// Which transaction: hand it back with what became of them.
    pub of: MarkersOf,
    /// Commit or abort.
    pub outcome: Outcome,
    /// The epoch of the coordinator.
    pub coordinator_epoch: i32,
    /// `transaction.version` of the end: from 2 on the epoch is above that of the transaction's batches.
    pub version: i16,
    /// Topic and partitions. At least one.
    pub topics: Vec<(Arc<str>, Vec<i32>)>,
}

/// Names a transaction whose markers are being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkersOf {
    /// Whose.
    pub transactional_id: Arc<str>,
    /// Producer id of the markers.
    pub producer_id: i64,
    /// Epoch of the markers.
    pub producer_epoch: i16,
}

/// What became of the marker of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// It is there, durably.
    Written,
    /// The partition does not exist any more, or a newer epoch of the producer ended the transaction there.
    Gone,
    /// It must be tried again.
    Failed,
}

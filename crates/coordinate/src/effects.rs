//! What the caller has to do after an input: send replies, append records, and hand each append back.
//!
//! ```text
//!   handle / on_time ─► Effects ─► replies      send at once; those that give partitions when all before is durable
//!                              └─► appends      write in order, then for each:
//!                                     written ─► Shard::appended      ─► Effects (replies wait until it is durable)
//!                                     failed  ─► Shard::append_failed ─► Effects
//!                              └─► lookups      look aside, then Shard::expressions_found ─► Effects
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::answer::{Answer, Reply};
use crate::consumer::{Lookup, Outcome};
use crate::group::Undo;
use crate::input::{Join, Token, TxnProducer};
use crate::note::{Event, Note};
use crate::records::{EncodeError, Record};

/// What an input leads to.
#[derive(Debug, Default)]
#[must_use = "replies must be sent and appends written"]
pub struct Effects {
    /// Answers that wait for nothing.
    pub replies: Vec<Reply>,
    /// Records to write, each as one batch, in this order. Hand each back before the next input. Once one could not be
    /// written, none after it may be: hand those back as failed too.
    pub appends: Vec<Append>,
    /// Looks for topics, to be done aside and handed back ([`Shard::expressions_found`](crate::Shard::expressions_found)) whenever
    /// they are done. Other inputs may come before.
    pub lookups: Vec<Lookup>,
    /// What to write into the broker's own log, in order. Nothing depends on it.
    pub notes: Vec<Note>,
}

impl Effects {
    pub(crate) fn reply(&mut self, token: Token, answer: Answer) {
        self.replies.push(Reply { token, answer });
    }

    pub(crate) fn note(&mut self, group_id: &Arc<str>, event: Event) {
        self.notes.push(Note { group_id: group_id.clone(), event });
    }

    pub(crate) fn append(&mut self, records: Vec<Record>, then: Then) {
        self.appends.push(Append { records, in_txn: None, then });
    }

    /// Nothing to do but to take notes.
    pub fn is_empty(&self) -> bool {
        self.replies.is_empty() && self.appends.is_empty() && self.lookups.is_empty()
    }
}

/// A key and a value, null for a tombstone: one record as bytes.
pub type KeyValue = (Bytes, Option<Bytes>);

/// Records that belong together, and what follows once they are written.
#[derive(Debug)]
pub struct Append {
    /// At least one.
    pub records: Vec<Record>,
    /// The producer in whose transaction they are.
    pub in_txn: Option<TxnProducer>,
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

/// What follows an append.
#[derive(Debug)]
pub(crate) enum Then {
    /// Nothing waits.
    Nothing,
    /// An answer waits.
    Reply(Reply),
    /// The leader's assignment becomes the group's.
    Assign { group_id: Arc<str>, generation: i32, assignments: BTreeMap<Arc<str>, Bytes> },
    /// A static member took its predecessor's place in a stable group.
    Replace { group_id: Arc<str>, undo: Box<Undo> },
    /// A classic group took the place of a consumer group without members: this join goes on in it.
    Join(Box<Join>),
    /// What was decided about a consumer group holds.
    Consumer(Box<Outcome>),
}

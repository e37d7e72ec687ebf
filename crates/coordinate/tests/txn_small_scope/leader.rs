//! A partition's leader: the rules by which the log takes batches and markers, beside what they were of.

use std::collections::BTreeMap;

use pagewire_coordinate::txn::Outcome;
use pagewire_log::{AppendError, Entry, Guard, Origin, ProducerTable, TxnStart, Verdict};
use pagewire_record::{BatchHeader, ControlType, EndTxnMarker, HEADER_LEN};

/// One transaction: whose, and which of its own.
pub(crate) type Label = (usize, u8);

/// More of anything than there is here.
const MAX: usize = 100;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;

/// A batch that a producer sends, of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Batch {
    pub(crate) of: Label,
    pub(crate) producer: (i64, i16),
    pub(crate) sequence: i32,
    /// By the rules of version 2.
    pub(crate) bumps_epoch: bool,
}

/// The end of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Hash)]
pub(crate) struct Marker {
    pub(crate) producer: (i64, i16),
    pub(crate) coordinator_epoch: i32,
    pub(crate) version: i16,
    pub(crate) outcome: Outcome,
}

/// What came to it, on which all that it knows stands.
#[derive(Clone, Copy, Debug, PartialEq, Hash)]
enum Event {
    Asked(u64, Batch),
    Refused(u64),
    Appended(Batch),
    Marked(Marker),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Leader {
    pub(crate) ended: BTreeMap<Label, Outcome>,
    pub(crate) is_gone: bool,
    table: ProducerTable,
    end_offset: i64,
    /// Who asks about a transaction, by its token.
    guards: BTreeMap<u64, Guard>,
    /// Transactions with records that nobody has decided on, by producer id.
    open: BTreeMap<i64, Vec<Label>>,
    history: Vec<Event>,
}

impl Leader {
    /// A batch came. Whether the coordinator is to be asked first.
    pub(crate) fn asks(&mut self, by: u64, batch: Batch) -> bool {
        let start = TxnStart {
            producer_id: batch.producer.0,
            producer_epoch: batch.producer.1,
            base_sequence: batch.sequence,
            bumps_epoch: batch.bumps_epoch,
        };
        self.guards.remove(&by);
        let Some(guard) = self.table.verify(start, 0) else { return false };
        self.guards.insert(by, guard);
        let event = Event::Asked(by, batch);
        if !self.history.contains(&event) {
            self.history.push(event);
        }
        true
    }

    /// The coordinator's answer was that the epoch is over.
    pub(crate) fn refuse(&mut self, by: u64, producer: (i64, i16)) {
        if let Some(guard) = self.guards.remove(&by) {
            self.table.refuse(producer, guard);
            self.history.push(Event::Refused(by));
        }
    }

    /// Another one goes on with the batch that was asked about.
    pub(crate) fn hand_on(&mut self, from: u64, to: u64) {
        if let Some(guard) = self.guards.remove(&from) {
            self.guards.insert(to, guard);
        }
    }

    /// The batch that was asked about, where the coordinator said yes. `checks`: its word counts.
    pub(crate) fn append(&mut self, by: u64, batch: Batch, checks: bool) -> Result<(), AppendError> {
        let guard = self.guards.remove(&by);
        let header = self.header(batch.producer, batch.sequence, TRANSACTIONAL);
        let entry = Entry { header: &header, marker: None };
        let origin = if checks { Origin::ClientInTxn(guard) } else { Origin::Client };
        if self.table.check(entry, origin, MAX)? == Verdict::New {
            self.record(Event::Appended(batch));
        }
        Ok(())
    }

    /// It takes every marker that a coordinator sends.
    pub(crate) fn mark(&mut self, marker: Marker) {
        let (header, said) = self.marker(marker);
        let entry = Entry { header: &header, marker: Some(said) };
        let verdict = self.table.check(entry, Origin::EndTxn { version: marker.version }, MAX);
        assert!(verdict.is_ok(), "{marker:?} is refused: {verdict:?}");
        self.record(Event::Marked(marker));
    }

    /// Something is in the log now.
    fn record(&mut self, event: Event) {
        match event {
            Event::Appended(batch) => {
                let header = self.header(batch.producer, batch.sequence, TRANSACTIONAL);
                self.table.record(Entry { header: &header, marker: None }, 0, MAX);
                let open = self.open.entry(batch.producer.0).or_default();
                assert!(open.iter().all(|other| *other == batch.of), "two transactions are open at once");
                open.push(batch.of);
            }
            Event::Marked(marker) => {
                let (header, said) = self.marker(marker);
                self.table.record(Entry { header: &header, marker: Some(said) }, 0, MAX);
                for label in self.open.remove(&marker.producer.0).unwrap_or_default() {
                    self.ended.insert(label, marker.outcome);
                }
            }
            Event::Asked(..) | Event::Refused(..) => return,
        }
        self.end_offset += 1;
        self.history.push(event);
    }

    /// It knows what its log says, and of nothing that was under way.
    pub(crate) fn restart(&mut self) {
        let before = std::mem::take(self);
        before.history.into_iter().for_each(|event| self.record(event));
        self.is_gone = before.is_gone;
    }

    pub(crate) fn delete(&mut self) {
        *self = Self { is_gone: true, ..Self::default() };
    }

    /// No transaction is open in it.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.table.open_count() == 0
    }

    /// All that it will go on from.
    pub(crate) fn hashed(&self) -> impl std::hash::Hash {
        (self.history.clone(), self.guards.keys().copied().collect::<Vec<_>>(), self.is_gone)
    }

    fn marker(&self, marker: Marker) -> (BatchHeader, EndTxnMarker) {
        let control_type = match marker.outcome {
            Outcome::Commit => ControlType::Commit,
            Outcome::Abort => ControlType::Abort,
        };
        let header = self.header(marker.producer, -1, TRANSACTIONAL | CONTROL);
        (header, EndTxnMarker { control_type, coordinator_epoch: marker.coordinator_epoch })
    }

    fn header(
        &self,
        (producer_id, producer_epoch): (i64, i16),
        sequence: i32,
        attributes: i16,
    ) -> BatchHeader {
        BatchHeader {
            base_offset: self.end_offset,
            attributes,
            producer_id,
            producer_epoch,
            base_sequence: sequence,
            records_count: 1,
            ..BatchHeader::decode(&[0; HEADER_LEN])
        }
    }
}

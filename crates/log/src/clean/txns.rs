//! Transactions as a walk over the log passes them: whose data was aborted, and which markers nobody needs any more.
//! Kafka's `CleanedTransactionMetadata`, pure.
//!
//! ```text
//!   data of P ─▶ aborted? (by the indexes of aborted transactions)  ──▶ goes, unless the batch is kept for its sequence
//!   marker of P ─▶ was any batch of its transaction kept? ──no──▶ nobody needs it: it gets a horizon, then goes
//!                                                          └yes─▶ it stays; of an ABORT the index entry too
//! ```
//!
//! An index entry whose marker is gone would make readers drop what the producer wrote later, so the two go together:
//! an entry is written only for a marker that stays because of data.
//!
//! Where segments before the walk are left as they are, the first marker of each producer may be the end of what lies there: it
//! stays, for without it a log that begins there again has a transaction that never ends.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use pagewire_record::{BatchHeader, ControlType};

use crate::txns::index::AbortedTxn;

/// What is known of the transactions around the place where the walk stands.
#[derive(Debug, Default)]
pub(super) struct Txns {
    /// Aborted ones that begin at or after it, the earliest first.
    ahead: BinaryHeap<Reverse<(i64, i64, i64, i64)>>,
    /// Aborted ones it is inside of, by producer.
    aborted: HashMap<i64, Aborted>,
    /// Those that nobody aborted, by producer: whether a batch of it stays.
    others: HashMap<i64, bool>,
    /// Segments before the walk stay as they are: then the producers of which a marker was passed since.
    ended: Option<HashSet<i64>>,
}

#[derive(Debug)]
struct Aborted {
    txn: AbortedTxn,
    kept: bool,
}

/// What a marker is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    /// Something of its transaction stays, so it stays.
    Needed,
    /// The same, of an aborted one: the entry stays as well.
    NeededWith(AbortedTxn),
    /// Nothing of its transaction is left.
    Idle,
}

impl Txns {
    /// These were aborted. The walk is at none of them yet.
    pub(super) fn add(&mut self, aborted: &[AbortedTxn]) {
        let entry = |txn: &AbortedTxn| {
            Reverse((txn.first_offset, txn.last_offset, txn.producer_id, txn.last_stable_offset))
        };
        self.ahead.extend(aborted.iter().map(entry));
    }

    /// Segments before the walk are not looked at, and stay. Of these, which were aborted behind them, they have data.
    pub(super) fn begin_behind_others(&mut self, aborted: &[AbortedTxn]) {
        self.ended.get_or_insert_default();
        for txn in aborted {
            self.aborted.entry(txn.producer_id).or_insert(Aborted { txn: *txn, kept: true });
        }
    }

    /// Passes a batch of data; whether its transaction was aborted.
    pub(super) fn pass_data(&mut self, header: &BatchHeader) -> bool {
        self.enter(header.last_offset());
        if !header.is_transactional() {
            return false;
        }
        let aborted = self.aborted.contains_key(&header.producer_id);
        if !aborted {
            self.others.entry(header.producer_id).or_default();
        }
        aborted
    }

    /// A batch just passed stays, with or without its records.
    pub(super) fn note_kept(&mut self, header: &BatchHeader) {
        if !header.is_transactional() {
            return;
        }
        match self.aborted.get_mut(&header.producer_id) {
            Some(aborted) => aborted.kept = true,
            None => {
                self.others.insert(header.producer_id, true);
            }
        }
    }

    /// Passes a batch of control records, `kind` being the first one's; `None` for a batch without records.
    pub(super) fn pass_marker(&mut self, header: &BatchHeader, kind: Option<ControlType>) -> Marker {
        self.enter(header.last_offset());
        let ends_others =
            kind.is_some() && self.ended.as_mut().is_some_and(|ended| ended.insert(header.producer_id));
        match self.pass(header, kind) {
            Marker::Idle if ends_others => Marker::Needed,
            marker => marker,
        }
    }

    fn pass(&mut self, header: &BatchHeader, kind: Option<ControlType>) -> Marker {
        match kind {
            Some(ControlType::Abort) => match self.aborted.remove(&header.producer_id) {
                Some(Aborted { txn, kept: true }) => Marker::NeededWith(txn),
                Some(_) => Marker::Idle,
                // Not in any index: as long as there is data, nobody says that it was aborted, and it stays.
                None => self.end_other(header.producer_id),
            },
            Some(ControlType::Commit) => self.end_other(header.producer_id),
            Some(_) => Marker::Needed,
            None => Marker::Idle,
        }
    }

    fn end_other(&mut self, producer_id: i64) -> Marker {
        if self.others.remove(&producer_id) == Some(true) { Marker::Needed } else { Marker::Idle }
    }

    /// The walk has come to `offset`.
    fn enter(&mut self, offset: i64) {
        let is_due = |Reverse((first_offset, ..)): &Reverse<(i64, i64, i64, i64)>| *first_offset <= offset;
        while self.ahead.peek().is_some_and(is_due)
            && let Some(Reverse((first_offset, last_offset, producer_id, last_stable_offset))) =
                self.ahead.pop()
        {
            let txn = AbortedTxn { producer_id, first_offset, last_offset, last_stable_offset };
            self.aborted.entry(producer_id).or_insert(Aborted { txn, kept: false });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(producer_id: i64, offset: i64) -> BatchHeader {
        let mut header = BatchHeader::decode(&[0; 61]);
        (header.producer_id, header.base_offset) = (producer_id, offset);
        header.attributes = 0x10;
        header
    }

    fn txn(producer_id: i64, first_offset: i64, last_offset: i64) -> AbortedTxn {
        AbortedTxn { producer_id, first_offset, last_offset, last_stable_offset: last_offset + 1 }
    }

    #[test]
    fn data_is_aborted_between_the_first_offset_and_the_marker_of_its_producer() {
        let mut txns = Txns::default();
        txns.add(&[txn(7, 10, 20)]);
        assert!(!txns.pass_data(&header(7, 5)));
        assert_eq!(txns.pass_marker(&header(7, 6), Some(ControlType::Commit)), Marker::Idle);
        assert!(txns.pass_data(&header(7, 10)));
        assert!(!txns.pass_data(&header(8, 11)));
        assert_eq!(txns.pass_marker(&header(7, 20), Some(ControlType::Abort)), Marker::Idle);
        assert!(!txns.pass_data(&header(7, 21)));
    }

    #[test]
    fn a_marker_is_needed_as_long_as_a_batch_of_its_transaction_stays() {
        let mut txns = Txns::default();
        txns.add(&[txn(7, 10, 20)]);
        for (producer, kind, needed) in [
            (7, ControlType::Abort, Marker::NeededWith(txn(7, 10, 20))),
            (8, ControlType::Commit, Marker::Needed),
        ] {
            txns.pass_data(&header(producer, 10));
            txns.note_kept(&header(producer, 10));
            assert_eq!(txns.pass_marker(&header(producer, 20), Some(kind)), needed);
            assert_eq!(txns.pass_marker(&header(producer, 21), Some(kind)), Marker::Idle, "of the next one");
        }
    }

    #[test]
    fn a_marker_without_a_record_is_idle_and_one_of_a_later_kind_is_not() {
        let mut txns = Txns::default();
        assert_eq!(txns.pass_marker(&header(7, 1), None), Marker::Idle);
        assert_eq!(txns.pass_marker(&header(7, 1), Some(ControlType::Other(2))), Marker::Needed);
    }

    #[test]
    fn an_abort_stays_for_data_before_the_walk() {
        let mut txns = Txns::default();
        txns.begin_behind_others(&[txn(7, 10, 20)]);
        txns.add(&[txn(7, 10, 20)]);
        let needed = Marker::NeededWith(txn(7, 10, 20));
        assert_eq!(txns.pass_marker(&header(7, 20), Some(ControlType::Abort)), needed);
    }

    #[test]
    fn the_first_marker_of_a_producer_stays_where_its_data_may_lie_before_the_walk() {
        for kind in [ControlType::Commit, ControlType::Abort] {
            let mut txns = Txns::default();
            txns.begin_behind_others(&[]);
            assert_eq!(txns.pass_marker(&header(7, 20), Some(kind)), Marker::Needed);
            assert_eq!(txns.pass_marker(&header(7, 21), Some(kind)), Marker::Idle);
            assert_eq!(txns.pass_marker(&header(8, 22), None), Marker::Idle);
            assert!(!txns.pass_data(&header(8, 23)));
            assert_eq!(txns.pass_marker(&header(8, 24), Some(kind)), Marker::Needed, "though its data went");
        }
    }

    #[test]
    fn an_abort_that_no_index_knows_leaves_its_data_and_itself() {
        let mut txns = Txns::default();
        assert!(!txns.pass_data(&header(7, 1)));
        txns.note_kept(&header(7, 1));
        assert_eq!(txns.pass_marker(&header(7, 2), Some(ControlType::Abort)), Marker::Needed);
    }
}

//! Transactions that may have ended among records that are lost, while a log is replayed.
//!
//! ```text
//!   data of P ── [ lost ] ──▶ an entry of P's transaction in an index of aborted ones?
//!                               ├─ its marker is in there: aborted      ├─ its marker comes later: open until then
//!                               └─ none ─▶ in doubt ─▶ P's next marker: a COMMIT, or an ABORT that the index knows
//!                                                        of another transaction: it was not aborted, and is no more open
//! ```
//!
//! An ABORT has its entry in the file before the marker is in the log, and on the disk before the recovery point passes
//! it. So the files know every transaction that was aborted below it, as long as all of them can be believed; where they
//! cannot, or what is lost reaches past it, nobody knows what was lost. Whatever P writes after that begins a new
//! transaction: no marker decides on what lies on both sides of a loss. So an entry of an ABORT that came after a start
//! in doubt says nothing of what lies before the loss. What could not be believed at one start is written anew by it, without
//! what it could not know: that it was in doubt for good is [remembered](crate::txns::undecided).
//!
//! A COMMIT past what is stable settles, and a power cut may take it back when the snapshots of the producers know of no
//! transaction any more: what is remembered stays so until a start finds it settled by what is stable.

use std::collections::HashMap;
use std::mem;
use std::ops::Range;

use pagewire_record::ControlType;

use crate::open::txn_files::TxnFiles;
use crate::producers::ProducerTable;
use crate::txns::undecided::Doubt;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Doubts {
    /// Of producers without a marker since.
    pending: HashMap<i64, Vec<Doubt>>,
    lasting: Vec<Doubt>,
    /// Remembered, and settled by what a power cut may take back.
    unstably_settled: Vec<Doubt>,
}

impl Doubts {
    /// Records of these offsets are lost. `table`: as of the first of them.
    pub(crate) fn lost(&mut self, offsets: &Range<i64>, table: &mut ProducerTable, files: &TxnFiles) {
        for doubt in self.pending.values_mut().flatten() {
            doubt.all_known &= files.know_all(&(doubt.offsets.start..offsets.end));
        }
        let open: Vec<(i64, i64)> = table.open().collect();
        for (first_offset, producer_id) in open {
            match files.aborted_at(producer_id, first_offset) {
                Some(marker) if marker >= offsets.end => continue,
                Some(_) => {}
                None => {
                    let offsets = first_offset..offsets.end;
                    let doubt = Doubt { all_known: files.know_all(&offsets), offsets };
                    self.pending.entry(producer_id).or_default().push(doubt);
                }
            }
            table.end_unseen(producer_id);
        }
    }

    /// A marker of a producer was met at `offset`.
    pub(crate) fn marker(&mut self, producer_id: i64, kind: ControlType, offset: i64, files: &TxnFiles) {
        let Some(pending) = self.pending.remove(&producer_id) else { return };
        let ends = match kind {
            ControlType::Commit => true,
            ControlType::Abort => files.know_marker(offset),
            // Of a later time: what it decides is not known.
            _ => false,
        };
        let (settled, stays): (Vec<_>, Vec<_>) =
            pending.into_iter().partition(|doubt| ends && doubt.all_known);
        if !files.is_stable(offset) {
            // What was never written down is met again by the next start, from the same snapshot.
            let known = files.remembered();
            let is_remembered =
                |doubt: &Doubt| known.iter().any(|part| part.offsets.contains(&doubt.offsets.start));
            self.unstably_settled.extend(settled.into_iter().filter(is_remembered));
        }
        // No later marker is the next one.
        self.lasting.extend(stays.into_iter().map(|doubt| Doubt { all_known: false, ..doubt }));
    }

    /// Those that are settled for now: the next start has to look there again.
    pub(crate) fn take_unstably_settled(&mut self) -> Vec<Doubt> {
        mem::take(&mut self.unstably_settled)
    }

    /// Those that stay in doubt. `table`: as of the log's end. A producer that is forgotten is not waited for.
    pub(crate) fn end(self, table: &ProducerTable) -> Vec<Doubt> {
        let pending = self.pending.into_iter().flat_map(|(producer_id, doubts)| {
            let is_awaited = table.knows(producer_id);
            doubts.into_iter().map(move |doubt| Doubt { all_known: doubt.all_known && is_awaited, ..doubt })
        });
        self.lasting.into_iter().chain(pending).collect()
    }
}

//! What became of each transaction, from the batches alone.

use std::collections::BTreeMap;

use pagewire_record::ControlType;

use super::Sent;

/// How the transaction of a batch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is in none, or is a marker itself.
    None,
    Committed,
    Aborted,
    Open,
}

/// The fate of each batch, by its base offset.
pub(crate) fn fates(batches: &[Sent]) -> BTreeMap<i64, Fate> {
    let (mut fates, mut open) = (BTreeMap::new(), BTreeMap::<i64, Vec<i64>>::new());
    for sent in batches {
        let id = sent.header.producer_id;
        if let Some(marker) = sent.marker {
            let fate = match marker.control_type {
                ControlType::Abort => Fate::Aborted,
                _ => Fate::Committed,
            };
            fates.extend(open.remove(&id).into_iter().flatten().map(|base| (base, fate)));
        }
        let fate = if sent.is_in_txn() { Fate::Open } else { Fate::None };
        if fate == Fate::Open {
            open.entry(id).or_default().push(sent.base);
        }
        fates.insert(sent.base, fate);
    }
    fates
}

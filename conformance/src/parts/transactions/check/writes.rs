//! Records in the logs against what was sent, transaction by transaction and partition by partition.

use std::collections::{BTreeMap, BTreeSet};

use super::{Anomalies, End, Found, Kind};
use crate::parts::transactions::history::{History, Known, Transaction};
use crate::parts::transactions::model::{Place, Txn, Value};

pub(super) fn check(history: &History, found: &Found, anomalies: &mut Anomalies) {
    let visible = each_record(history, found, anomalies);
    for (txn, transaction) in &history.transactions {
        let none = BTreeSet::new();
        whole(*txn, transaction, visible.get(txn).unwrap_or(&none), anomalies);
    }
    acknowledged(history, found, anomalies);
    for place in found.logs.keys() {
        in_order(history, found, *place, anomalies);
    }
}

/// Each stands once, where it was sent, and ended. Returns what is visible of each transaction.
fn each_record(
    history: &History,
    found: &Found,
    anomalies: &mut Anomalies,
) -> BTreeMap<Txn, BTreeSet<(Place, Value)>> {
    let (mut places, mut visible) = (BTreeMap::new(), BTreeMap::<_, BTreeSet<_>>::new());
    for (place, log) in &found.logs {
        for stored in log {
            let (offset, value) = (stored.offset, stored.value);
            let transaction = history.transactions.get(&value.txn);
            if !transaction.is_some_and(|transaction| transaction.tried.contains(&(*place, value))) {
                anomalies.add(Kind::Invented, format!("{value} at {place}:{offset}"));
            }
            if let Some(before) = places.insert(value, (*place, offset)) {
                let (other, at) = before;
                anomalies.add(Kind::Duplicate, format!("{value} at {other}:{at} and at {place}:{offset}"));
            }
            match stored.end {
                End::Commit => {
                    visible.entry(value.txn).or_default().insert((*place, value));
                }
                End::Open => anomalies.add(Kind::Hanging, format!("{value} at {place}:{offset}")),
                End::Abort => {}
            }
        }
    }
    visible
}

/// What is visible of a transaction is all of it or nothing, and what its client was told.
fn whole(txn: Txn, transaction: &Transaction, visible: &BTreeSet<(Place, Value)>, anomalies: &mut Anomalies) {
    let missing = transaction.sent.iter().filter(|sent| !visible.contains(sent)).count();
    let (seen, sent) = (visible.len(), transaction.sent.len());
    let told = format!("{txn}: of {sent} records {seen} are visible, {missing} are missing");
    match transaction.known() {
        Known::Aborted if seen > 0 => anomalies.add(Kind::AbortedRead, format!("{told}, it was aborted")),
        Known::Committed | Known::Nothing if seen > 0 && missing > 0 => anomalies.add(Kind::Torn, told),
        Known::Committed if missing > 0 => {
            anomalies.add(Kind::LostWrite, format!("{told}, it was committed"));
        }
        _ => {}
    }
}

/// Where a record was said to be, it is, whatever became of its transaction.
fn acknowledged(history: &History, found: &Found, anomalies: &mut Anomalies) {
    let all = found
        .logs
        .iter()
        .flat_map(|(place, log)| log.iter().map(move |stored| ((*place, stored.offset), stored.value)));
    let stored: BTreeMap<_, _> = all.collect();
    for ((place, offset), value) in &history.acknowledged {
        let there = stored.get(&(*place, *offset));
        if there != Some(value) {
            let what = format!("{value} was acknowledged at {place}:{offset}, where {there:?} stands");
            anomalies.add(Kind::LostWrite, what);
        }
    }
}

/// Records of one transaction stand as they were sent; a transaction that began when another had been committed stands
/// behind it.
fn in_order(history: &History, found: &Found, place: Place, anomalies: &mut Anomalies) {
    let (mut last_of, mut begun) = (BTreeMap::new(), 0);
    for stored in found.visible_at(place) {
        let (offset, value) = (stored.offset, stored.value);
        if let Some(before) = last_of.insert(value.txn, value.seq).filter(|before| *before >= value.seq) {
            let what = format!("{value} at {place}:{offset} behind the {before}th of its transaction");
            anomalies.add(Kind::Disordered, what);
        }
        let Some(transaction) = history.transactions.get(&value.txn) else { continue };
        if transaction.committed_at.is_some_and(|committed| committed < begun) {
            let what = format!("{value} at {place}:{offset} behind one that began after it was committed");
            anomalies.add(Kind::Disordered, what);
        }
        begun = begun.max(transaction.begun);
    }
}

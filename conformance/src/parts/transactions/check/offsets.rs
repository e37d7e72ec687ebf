//! Exactly once from source to target: where a group stands, and what was made of the records before that, are one.

use std::collections::{BTreeMap, BTreeSet};

use super::{Anomalies, Found, Kind};
use crate::parts::transactions::history::{History, Seen, Transaction};
use crate::parts::transactions::model::{Place, SOURCE, Txn};

pub(super) fn check(history: &History, found: &Found, anomalies: &mut Anomalies) {
    let visible: BTreeSet<Txn> = found.visible().map(|(_, stored)| stored.value.txn).collect();
    for group in &history.groups {
        let of_group =
            |(txn, transaction): &(&Txn, &Transaction)| transaction.group == *group && visible.contains(*txn);
        let committed: Vec<&Transaction> =
            history.transactions.iter().filter(of_group).map(|(_, one)| one).collect();
        let group = Group { name: group, committed };
        for place in Place::of(SOURCE) {
            group.stands_where_it_went(place, found, anomalies);
            group.made_each_once(place, history, found, anomalies);
        }
        for seen in history.seen.iter().filter(|seen| seen.group == group.name) {
            group.was_seen_there(seen, anomalies);
        }
    }
}

struct Group<'h> {
    name: &'h str,
    /// Transactions whose records are visible.
    committed: Vec<&'h Transaction>,
}

impl Group<'_> {
    fn at(&self, place: Place, found: &Found) -> i64 {
        let positions = found.groups.get(self.name).into_iter().flatten();
        positions.filter(|(at, _)| *at == place).map(|(_, offset)| *offset).max().unwrap_or(0)
    }

    /// Where its transactions' records are visible, their offsets count, and no others.
    fn stands_where_it_went(&self, place: Place, found: &Found, anomalies: &mut Anomalies) {
        let stands = self.at(place, found);
        let went = self.committed.iter().filter_map(|one| one.next.get(&place)).max().copied().unwrap_or(0);
        if stands != went {
            let what = format!("group {} stands at {place}:{stands}, its records go to {went}", self.name);
            anomalies.add(Kind::OffsetsApart, what);
        }
    }

    /// Of each record before that something was made once, of those behind nothing.
    fn made_each_once(&self, place: Place, history: &History, found: &Found, anomalies: &mut Anomalies) {
        let stands = self.at(place, found);
        let mut made: BTreeMap<i64, usize> =
            found.visible_at(place).map(|stored| (stored.offset, 0)).filter(|(at, _)| *at < stands).collect();
        for (_, stored) in found.visible() {
            let by =
                history.transactions.get(&stored.value.txn).map(|transaction| transaction.group.as_str());
            let Some((_, source)) = stored.value.made_of.filter(|(from, _)| *from == place) else { continue };
            if by == Some(self.name) {
                *made.entry(source).or_default() += 1;
            }
        }
        for (source, times) in made {
            let expected = usize::from(source < stands);
            if times != expected {
                let what = format!(
                    "of {place}:{source} group {}, which stands at {stands}, made {times}",
                    self.name
                );
                anomalies.add(Kind::OffsetsApart, what);
            }
        }
    }

    /// Whoever asked in between heard of an offset that was committed, and of none that was committed over already.
    fn was_seen_there(&self, seen: &Seen, anomalies: &mut Anomalies) {
        for (place, offset) in &seen.positions {
            let next = |one: &&Transaction| one.next.get(place).copied();
            let is_one = *offset == 0 || self.committed.iter().filter_map(next).any(|at| at == *offset);
            let before =
                self.committed.iter().filter(|one| one.committed_at.is_some_and(|at| at < seen.invoked));
            let least = before.filter_map(next).max().unwrap_or(0);
            if !is_one || *offset < least {
                let what =
                    format!("group {} was seen at {place}:{offset}, {least} was committed before", self.name);
                anomalies.add(Kind::OffsetsApart, what);
            }
        }
    }
}

//! An instance that a later one has fenced off commits nothing any more: it is not told so, and nothing is seen of a
//! transaction whose end it had not asked for before that.

use std::collections::BTreeSet;

use super::{Anomalies, Found, Kind};
use crate::parts::transactions::history::History;
use crate::parts::transactions::ledger::Who;
use crate::parts::transactions::model::Txn;

pub(super) fn check(history: &History, found: &Found, anomalies: &mut Anomalies) {
    for commit in &history.commits {
        late(
            history,
            commit.who,
            commit.invoked,
            &format!("was told that {} is committed", commit.txn),
            anomalies,
        );
    }
    let visible: BTreeSet<Txn> = found.visible().map(|(_, stored)| stored.value.txn).collect();
    for (txn, transaction) in history.transactions.iter().filter(|(txn, _)| visible.contains(txn)) {
        if let Some((who, asked)) = transaction.commit_asked {
            late(history, who, asked, &format!("asked for a commit of {txn}, which is visible"), anomalies);
        }
    }
}

/// What this instance asked for at a moment is wrong if it was fenced off by then.
fn late(history: &History, who: Who, invoked: u64, did: &str, anomalies: &mut Anomalies) {
    if let Some((by, moment)) = history.fenced_off(who, invoked) {
        let what = format!(
            "{}/{} {did} at {invoked}, fenced off by instance {} at {moment}",
            who.client, who.instance, by.instance
        );
        anomalies.add(Kind::ZombieCommit, what);
    }
}

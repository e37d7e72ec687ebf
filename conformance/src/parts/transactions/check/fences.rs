//! An instance that a later one has fenced off commits nothing any more.

use super::{Anomalies, Kind};
use crate::parts::transactions::history::History;

pub(super) fn check(history: &History, anomalies: &mut Anomalies) {
    for commit in &history.commits {
        let fenced = history.fences.iter().find(|(who, moment)| {
            who.client == commit.who.client && who.instance > commit.who.instance && **moment < commit.invoked
        });
        if let Some((by, moment)) = fenced {
            let (who, invoked) = (commit.who, commit.invoked);
            let what = format!(
                "{}/{} committed {} at {invoked}, fenced off by instance {} at {moment}",
                who.client, who.instance, commit.txn, by.instance
            );
            anomalies.add(Kind::ZombieCommit, what);
        }
    }
}

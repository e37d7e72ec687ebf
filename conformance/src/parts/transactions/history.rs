//! What a ledger comes to: transactions and what is known of their ends, what consumers saw, who was fenced off when.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::ledger::{Op, Who};
use super::model::{Answer, At, Call, Place, Txn, Value};

/// What its client knows of how a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It was told so.
    Committed,
    /// It was told so, or never asked for anything else.
    Aborted,
    /// It asked for a commit, and did not hear of one: either may be.
    Nothing,
}

/// One transaction.
#[derive(Debug, Clone, Default)]
pub(super) struct Transaction {
    pub(super) group: String,
    pub(super) begun: u64,
    /// Records that the client took, where they were to go, in this order.
    pub(super) sent: Vec<(Place, Value)>,
    /// Records that the client may have taken: it did not live to say so.
    pub(super) tried: Vec<(Place, Value)>,
    /// Where its group goes on after it.
    pub(super) next: BTreeMap<Place, i64>,
    /// Who asked for its commit first, and when.
    pub(super) commit_asked: Option<(Who, u64)>,
    abort_told: bool,
    /// When it was said to be committed.
    pub(super) committed_at: Option<u64>,
}

impl Transaction {
    pub(super) fn known(&self) -> Known {
        match self {
            Self { committed_at: Some(_), .. } => Known::Committed,
            Self { abort_told: true, .. } | Self { commit_asked: None, .. } => Known::Aborted,
            _ => Known::Nothing,
        }
    }
}

/// A commit and when it was asked for and granted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Commit {
    pub(super) who: Who,
    pub(super) txn: Txn,
    pub(super) invoked: u64,
}

/// A consumer from one seek to the next; one that shares its group from its beginning to its end.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) who: Who,
    /// Partitions come and go as the group says: what is skipped or comes twice shows in what was made of it.
    pub(super) is_shared: bool,
    pub(super) starts: BTreeMap<Place, i64>,
    pub(super) polled: Vec<(At, Value)>,
    /// It was to see everything to the end.
    pub(super) is_whole: bool,
}

/// Where a group was said to stand.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) group: String,
    pub(super) invoked: u64,
    pub(super) positions: Vec<At>,
}

/// All of it.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    pub(super) transactions: BTreeMap<Txn, Transaction>,
    pub(super) acknowledged: Vec<(At, Value)>,
    pub(super) commits: Vec<Commit>,
    /// When an instance of a client was told that all before it are fenced off.
    pub(super) fences: BTreeMap<Who, u64>,
    pub(super) sessions: Vec<Session>,
    pub(super) seen: Vec<Seen>,
    /// Groups for which clients commit offsets.
    pub(super) groups: BTreeSet<String>,
}

impl History {
    /// Which later instance had fenced off this one by then, and when it was told.
    pub(super) fn fenced_off(&self, who: Who, before: u64) -> Option<(Who, u64)> {
        let later = |(by, moment): &(&Who, &u64)| {
            by.client == who.client && by.instance > who.instance && **moment < before
        };
        self.fences.iter().find(later).map(|(by, moment)| (*by, *moment))
    }

    /// `ops` in the order in which they were begun. The last session of each of `readers` was to see everything. `group`:
    /// of a client.
    pub(super) fn of(ops: &[Op], readers: &[usize], group: &dyn Fn(usize) -> String) -> Self {
        let mut history = Self::default();
        let mut open = BTreeMap::new();
        for op in ops {
            history.take(op, group(op.who.client), &mut open);
        }
        for reader in readers {
            let last = history.sessions.iter_mut().rev().find(|session| session.who.client == *reader);
            if let Some(session) = last {
                session.is_whole = true;
            }
        }
        history
    }

    /// `open`: which session each process is in.
    fn take(&mut self, op: &Op, group: String, open: &mut BTreeMap<Who, usize>) {
        let told = op.answered.as_ref().filter(|_| op.is_ok());
        match (&op.call, told) {
            (Call::Init, Some((moment, _))) => {
                self.fences.insert(op.who, *moment);
            }
            (Call::Begin(txn), _) => {
                let begun = Transaction { group, begun: op.invoked, ..Default::default() };
                self.transactions.insert(*txn, begun);
            }
            (Call::Send(place, value, _), told) => {
                let transaction = self.transactions.entry(value.txn).or_default();
                transaction.tried.push((*place, *value));
                if told.is_some() {
                    transaction.sent.push((*place, *value));
                }
            }
            (Call::Offsets(txn, next), _) => {
                self.groups.insert(group);
                self.transactions.entry(*txn).or_default().next.extend(next.iter().copied());
            }
            (Call::Commit(txn), told) => {
                let transaction = self.transactions.entry(*txn).or_default();
                transaction.commit_asked.get_or_insert((op.who, op.invoked));
                if let Some((moment, _)) = told {
                    transaction.committed_at.get_or_insert(*moment);
                    self.commits.push(Commit { who: op.who, txn: *txn, invoked: op.invoked });
                }
            }
            (Call::Abort(txn), Some(_)) => self.transactions.entry(*txn).or_default().abort_told = true,
            (Call::Acked, Some((_, Answer::Records(records)))) => self.acknowledged.extend(records),
            (Call::Committed, Some((_, Answer::Positions(positions)))) => {
                let positions = positions.clone();
                if !self.session(op.who, open).is_some_and(|session| session.is_shared) {
                    self.begin_session(op.who, &positions, open);
                }
                self.seen.push(Seen { group, invoked: op.invoked, positions });
            }
            (Call::Subscribe, Some(_)) => {
                self.begin_session(op.who, &[], open);
                self.sessions.iter_mut().last().into_iter().for_each(|session| session.is_shared = true);
            }
            (Call::Seek(positions), Some(_)) => self.begin_session(op.who, positions, open),
            (Call::Poll, Some((_, Answer::Records(records)))) => {
                if let Some(session) = self.session(op.who, open) {
                    session.polled.extend(records);
                }
            }
            // Nobody knows where it stands now.
            (Call::Poll | Call::Seek(_) | Call::Committed, None)
                if !self.session(op.who, open).is_some_and(|session| session.is_shared) =>
            {
                open.remove(&op.who);
            }
            _ => {}
        }
    }

    /// The session that this process is in.
    fn session(&mut self, who: Who, open: &BTreeMap<Who, usize>) -> Option<&mut Session> {
        open.get(&who).and_then(|at| self.sessions.get_mut(*at))
    }

    fn begin_session(&mut self, who: Who, positions: &[At], open: &mut BTreeMap<Who, usize>) {
        let starts = positions.iter().copied().collect();
        open.insert(who, self.sessions.len());
        self.sessions.push(Session { who, is_shared: false, starts, polled: Vec::new(), is_whole: false });
    }
}

//! Deadlines as data, by the steady clock: when to look for transactions that are open too long, when for transactional ids
//! to forget, when to write markers again, and when to answer who waits for them.

use std::collections::BTreeSet;
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub(crate) struct Deadlines {
    /// The next look for open transactions whose time is up.
    pub(crate) abort_at_ms: Option<i64>,
    /// The next look for transactional ids that nobody used.
    pub(crate) expire_at_ms: Option<i64>,
    /// When the time of each open transaction is up.
    open: BTreeSet<(i64, Arc<str>)>,
    /// When markers are tried again.
    retries: BTreeSet<(i64, Arc<str>)>,
    /// When who waits for the end of a transaction waits no longer.
    answers: BTreeSet<(i64, Arc<str>)>,
}

impl Deadlines {
    pub(crate) fn next(&self) -> Option<i64> {
        let first = |all: &BTreeSet<(i64, Arc<str>)>| all.first().map(|(at_ms, _)| *at_ms);
        [self.abort_at_ms, self.expire_at_ms, first(&self.retries), first(&self.answers)]
            .into_iter()
            .flatten()
            .min()
    }

    /// Moves what is set for an open transaction.
    pub(crate) fn set_open(&mut self, id: &Arc<str>, from: Option<i64>, to: Option<i64>) {
        set(&mut self.open, id, from, to);
    }

    /// Moves what is set for markers.
    pub(crate) fn set_retry(&mut self, id: &Arc<str>, from: Option<i64>, to: Option<i64>) {
        set(&mut self.retries, id, from, to);
    }

    /// Moves what is set for who waits.
    pub(crate) fn set_answer(&mut self, id: &Arc<str>, from: Option<i64>, to: Option<i64>) {
        set(&mut self.answers, id, from, to);
    }

    /// An open transaction whose time was up before `steady_ms`.
    pub(crate) fn overdue(&self, steady_ms: i64) -> Option<Arc<str>> {
        self.open.first().filter(|(at_ms, _)| *at_ms < steady_ms).map(|(_, id)| id.clone())
    }

    /// A transaction whose markers are due at `steady_ms`.
    pub(crate) fn retry_due(&self, steady_ms: i64) -> Option<Arc<str>> {
        due(&self.retries, steady_ms)
    }

    /// A transaction whose end somebody has waited for until `steady_ms`.
    pub(crate) fn answer_due(&self, steady_ms: i64) -> Option<Arc<str>> {
        due(&self.answers, steady_ms)
    }
}

fn due(all: &BTreeSet<(i64, Arc<str>)>, steady_ms: i64) -> Option<Arc<str>> {
    all.first().filter(|(at_ms, _)| *at_ms <= steady_ms).map(|(_, id)| id.clone())
}

fn set(all: &mut BTreeSet<(i64, Arc<str>)>, id: &Arc<str>, from: Option<i64>, to: Option<i64>) {
    if let Some(from) = from {
        all.remove(&(from, id.clone()));
    }
    if let Some(to) = to {
        all.insert((to, id.clone()));
    }
}

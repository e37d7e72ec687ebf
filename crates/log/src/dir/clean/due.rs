//! What the last look found due. All logs are looked at once for as many cleans as that comes to, not once for each:
//! what a look costs does not grow with how much there is to do.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Entry;
use crate::share::Share;

/// For so long the order that a look found is kept to. Then all logs are looked at again, however many still wait: one
/// that has become the dirtiest since comes first.
const GOOD_FOR_MS: i64 = 15_000;

/// Logs that wait for a cleaner.
#[derive(Debug, Default)]
pub(super) struct Due {
    /// The dirtiest last.
    logs: Vec<(Share, Arc<Entry>)>,
    looked_ms: Option<i64>,
}

impl Due {
    /// What a look found, in the order of the logs' names.
    pub(super) fn renew(&mut self, mut logs: Vec<(Share, Arc<Entry>)>, now_ms: i64) {
        logs.sort_by(|(one, _), (other, _)| other.partial_cmp(one).unwrap_or(Ordering::Equal));
        logs.reverse();
        *self = Self { logs, looked_ms: Some(now_ms) };
    }

    /// The dirtiest; `None` if it is time to look again. A clock that was set back does not put that off.
    pub(super) fn next(&mut self, now_ms: i64) -> Option<Arc<Entry>> {
        let age = now_ms.saturating_sub(self.looked_ms?);
        if (0..GOOD_FOR_MS).contains(&age) { self.take() } else { None }
    }

    /// The same, however long ago the look was.
    pub(super) fn take(&mut self) -> Option<Arc<Entry>> {
        self.logs.pop().map(|(_, entry)| entry)
    }

    /// One that was taken and not cleaned: another was dirtier.
    pub(super) fn put_back(&mut self, ratio: Share, entry: Arc<Entry>) {
        let at = self.logs.partition_point(|(other, _)| *other <= ratio);
        self.logs.insert(at, (ratio, entry));
    }
}

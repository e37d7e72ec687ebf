//! Deadlines as data, by the steady clock: the shard names the next one, the runtime sleeps, the shard is told the time.
//! One deadline per key; setting it again moves it.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum TimerKey {
    /// The group waits for members to join.
    Join(Arc<str>),
    /// The group waits for its members to sync.
    Sync(Arc<str>),
    /// A member's session (or the time in which a given member id must be used).
    Session(Arc<str>, Arc<str>),
    /// A member of a consumer group must give partitions back.
    Revoke(Arc<str>, Arc<str>),
    /// A member of a consumer group that speaks the classic protocol must join again.
    MemberJoin(Arc<str>, Arc<str>),
    /// Such a member must fetch its assignment.
    MemberSync(Arc<str>, Arc<str>),
    /// The topics of a group's regular expressions are to be found.
    Resolve(Arc<str>),
    /// Offsets are looked through for expired ones.
    Retention,
}

#[derive(Clone, Default)]
pub(crate) struct Timers {
    by_time: BTreeSet<(i64, TimerKey)>,
    by_key: HashMap<TimerKey, i64>,
    /// No deadline is set before this time.
    earliest_ms: Option<i64>,
}

/// In their order; the other map says the same.
impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers")
            .field("by_time", &self.by_time)
            .field("earliest_ms", &self.earliest_ms)
            .finish_non_exhaustive()
    }
}

impl Timers {
    /// While what is due at `steady_ms` acts, what it sets is due later: acting always comes to an end.
    pub(crate) fn begin_acting(&mut self, steady_ms: i64) {
        self.earliest_ms = Some(steady_ms.saturating_add(1));
    }

    /// From now on a deadline may be at once again.
    pub(crate) fn end_acting(&mut self) {
        self.earliest_ms = None;
    }

    pub(crate) fn set(&mut self, key: TimerKey, deadline_ms: i64) {
        let deadline_ms = self.earliest_ms.map_or(deadline_ms, |earliest_ms| deadline_ms.max(earliest_ms));
        if let Some(old) = self.by_key.insert(key.clone(), deadline_ms) {
            if old == deadline_ms {
                return;
            }
            self.by_time.remove(&(old, key.clone()));
        }
        self.by_time.insert((deadline_ms, key));
    }

    pub(crate) fn cancel(&mut self, key: &TimerKey) {
        if let Some(old) = self.by_key.remove(key) {
            self.by_time.remove(&(old, key.clone()));
        }
    }

    pub(crate) fn has(&self, key: &TimerKey) -> bool {
        self.by_key.contains_key(key)
    }

    pub(crate) fn next_deadline(&self) -> Option<i64> {
        self.by_time.first().map(|(deadline_ms, _)| *deadline_ms)
    }

    /// Takes the earliest key that is due at `steady_ms`.
    pub(crate) fn pop_due(&mut self, steady_ms: i64) -> Option<TimerKey> {
        if self.next_deadline()? > steady_ms {
            return None;
        }
        let (_, key) = self.by_time.pop_first()?;
        self.by_key.remove(&key);
        Some(key)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_set_again_moves() {
        let mut timers = Timers::default();
        timers.set(TimerKey::Retention, 10);
        timers.set(TimerKey::Retention, 30);
        assert_eq!(timers.pop_due(29), None);
        assert_eq!(timers.pop_due(30), Some(TimerKey::Retention));
        assert_eq!(timers.next_deadline(), None);
        assert_eq!(timers.len(), 0);
    }

    #[test]
    fn what_acting_sets_is_due_later() {
        let mut timers = Timers::default();
        timers.set(TimerKey::Retention, 5);
        timers.begin_acting(10);
        assert_eq!(timers.pop_due(10), Some(TimerKey::Retention));
        timers.set(TimerKey::Retention, 10);
        assert_eq!(timers.pop_due(10), None);
        timers.end_acting();
        assert_eq!(timers.next_deadline(), Some(11));
        timers.set(TimerKey::Retention, 10);
        assert_eq!(timers.pop_due(10), Some(TimerKey::Retention));
    }

    #[test]
    fn due_keys_come_in_order_of_time() {
        let mut timers = Timers::default();
        timers.set(TimerKey::Join("b".into()), 5);
        timers.set(TimerKey::Join("a".into()), 7);
        timers.set(TimerKey::Sync("a".into()), 9);
        timers.cancel(&TimerKey::Sync("a".into()));
        assert_eq!(timers.pop_due(100), Some(TimerKey::Join("b".into())));
        assert_eq!(timers.pop_due(100), Some(TimerKey::Join("a".into())));
        assert_eq!(timers.pop_due(100), None);
    }
}

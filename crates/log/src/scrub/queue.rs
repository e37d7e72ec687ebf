//! Which log is verified next: decided from when each was verified last.

use std::cmp::{Ordering, Reverse};

/// A log as the decision sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) topic: String,
    pub(super) partition: i32,
    /// When it was verified last; 0 for never.
    pub(super) verified_ms: i64,
    /// Something in it could not be read.
    pub(super) suspect: bool,
}

impl Candidate {
    /// All of it is to be verified again.
    pub(super) fn is_due(&self, interval_ms: i64, now_ms: i64) -> bool {
        // A time to come is none: the clock was wrong then, or a digit is now.
        self.verified_ms > now_ms || now_ms.saturating_sub(self.verified_ms) >= interval_ms
    }
}

/// Those that are due, the next one last: suspects before all, then by how long ago it was.
pub(super) fn due(mut candidates: Vec<Candidate>, interval_ms: i64, now_ms: i64) -> Vec<Candidate> {
    candidates.retain(|one| one.suspect || one.is_due(interval_ms, now_ms));
    candidates.sort_by(later_first);
    candidates
}

/// Puts one into its place among those that are due.
pub(super) fn insert(due: &mut Vec<Candidate>, one: Candidate) {
    let at = due.partition_point(|other| later_first(other, &one).is_lt());
    due.insert(at, one);
}

fn later_first(a: &Candidate, b: &Candidate) -> Ordering {
    let key = |one: &Candidate| (one.suspect, Reverse(one.verified_ms));
    key(a).cmp(&key(b)).then_with(|| (&b.topic, b.partition).cmp(&(&a.topic, a.partition)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(topic: &str, verified_ms: i64, suspect: bool) -> Candidate {
        Candidate { topic: topic.to_owned(), partition: 0, verified_ms, suspect }
    }

    #[test]
    fn suspects_come_first_then_what_was_not_verified_for_longest() {
        let all = vec![
            one("new", 900, false),
            one("old", 100, false),
            one("never", 0, false),
            one("also-never", 0, false),
            one("suspect", 990, true),
            one("to-come", 2000, false),
        ];
        let mut due = due(all, 500, 1000);
        let order: Vec<String> = std::iter::from_fn(|| due.pop()).map(|one| one.topic).collect();
        assert_eq!(order, ["suspect", "also-never", "never", "old", "to-come"]);
    }

    #[test]
    fn one_that_is_put_back_takes_its_place() {
        let mut all = due(vec![one("old", 100, false), one("never", 0, false)], 500, 1000);
        insert(&mut all, one("older", 50, false));
        insert(&mut all, one("suspect", 990, true));
        let order: Vec<String> = std::iter::from_fn(|| all.pop()).map(|one| one.topic).collect();
        assert_eq!(order, ["suspect", "never", "older", "old"]);
    }
}

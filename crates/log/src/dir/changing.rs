//! Who may change the directories of which partitions.
//!
//! Directories come and go one change at a time. A log that is opened again may have to be checked for minutes: meanwhile its
//! name is taken. Whoever opens it as well, or needs all names, waits; whoever makes or deletes topics, for whom others wait
//! in turn, is told instead.

use std::collections::BTreeSet;

use parking_lot::{Condvar, Mutex, MutexGuard};

/// The right to change what a log directory holds.
#[derive(Debug, Default)]
pub(super) struct Changing {
    right: Mutex<()>,
    opened: Condvar,
    /// Changed by whoever has the right, and read by anybody: never held while something waits for the disk.
    opening: Mutex<Names>,
}

/// Partitions whose logs are being opened.
type Names = BTreeSet<(String, i32)>;

/// The right, while it is held.
pub(super) struct Change<'c> {
    changing: &'c Changing,
    right: MutexGuard<'c, ()>,
}

impl Changing {
    /// To change these partitions of a topic.
    pub(super) fn of(&self, topic: &str, partitions: &[i32]) -> Change<'_> {
        self.when(|opening| {
            !opening.iter().any(|(name, partition)| name == topic && partitions.contains(partition))
        })
    }

    /// The same for somebody who cannot wait: `None` while one of them is being opened.
    pub(super) fn of_free(&self, topic: &str, partitions: &[i32]) -> Option<Change<'_>> {
        let change = self.of_others();
        let is_taken = partitions.iter().any(|&partition| self.is_being_opened(topic, partition));
        (!is_taken).then_some(change)
    }

    /// To change whatever nobody opens at the moment.
    pub(super) fn of_others(&self) -> Change<'_> {
        self.when(|_| true)
    }

    /// To change everything.
    pub(super) fn of_all(&self) -> Change<'_> {
        self.when(BTreeSet::is_empty)
    }

    /// Whether somebody opens it at the moment. Waits for nobody.
    pub(super) fn is_being_opened(&self, topic: &str, partition: i32) -> bool {
        self.opening.lock().iter().any(|(name, other)| name == topic && *other == partition)
    }

    fn when(&self, may: impl Fn(&Names) -> bool) -> Change<'_> {
        let mut right = self.right.lock();
        self.opened.wait_while(&mut right, |()| !may(&self.opening.lock()));
        Change { changing: self, right }
    }
}

impl Change<'_> {
    /// Whether somebody opens it at the moment.
    pub(super) fn is_being_opened(&self, topic: &str, partition: i32) -> bool {
        self.changing.is_being_opened(topic, partition)
    }

    /// Others may change the rest while `open` works on these.
    pub(super) fn while_opening<R>(
        &mut self,
        topic: &str,
        partitions: &[i32],
        open: impl FnOnce() -> R,
    ) -> R {
        let names: Vec<_> = partitions.iter().map(|&partition| (topic.to_owned(), partition)).collect();
        self.changing.opening.lock().extend(names.iter().cloned());
        let taken = Taken { change: self, names };
        MutexGuard::unlocked(&mut taken.change.right, open)
    }
}

/// Names that are given back however the work on them ends.
struct Taken<'t, 'c> {
    change: &'t mut Change<'c>,
    names: Vec<(String, i32)>,
}

impl Drop for Taken<'_, '_> {
    fn drop(&mut self) {
        let changing = self.change.changing;
        {
            let mut opening = changing.opening.lock();
            for name in &self.names {
                opening.remove(name);
            }
        }
        changing.opened.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn while_a_log_is_opened_only_its_own_name_is_taken() {
        let changing = Changing::default();
        let mut change = changing.of("t", &[0, 1]);
        change.while_opening("t", &[0], || {
            let other = changing.of("t", &[1]);
            assert!(other.is_being_opened("t", 0) && !other.is_being_opened("t", 1));
            drop(other);
            drop(changing.of("u", &[0]));
            assert!(changing.of_free("t", &[1]).is_some() && changing.of_free("t", &[1, 0]).is_none());
            drop(changing.of_others());
        });
        drop(change);
        assert!(!changing.of_all().is_being_opened("t", 0), "it is given back");
    }

    #[test]
    fn who_only_asks_what_is_being_opened_waits_for_no_change() {
        let changing = Changing::default();
        let mut change = changing.of("t", &[0]);
        assert!(!changing.is_being_opened("t", 0));
        change.while_opening("t", &[0], || {
            let _other = changing.of_others();
            assert!(changing.is_being_opened("t", 0) && !changing.is_being_opened("t", 1));
        });
    }

    #[test]
    fn whoever_needs_a_name_that_is_taken_waits_until_it_is_given_back() {
        let (changing, opened) = (Changing::default(), AtomicBool::new(false));
        let changes: [fn(&Changing) -> Change<'_>; 2] = [|changing| changing.of("t", &[0]), Changing::of_all];
        std::thread::scope(|scope| {
            let mut change = changing.of("t", &[0]);
            change.while_opening("t", &[0], || {
                for wait in changes {
                    let (changing, opened) = (&changing, &opened);
                    scope.spawn(move || {
                        drop(wait(changing));
                        assert!(opened.load(Ordering::SeqCst));
                    });
                }
                std::thread::yield_now();
                opened.store(true, Ordering::SeqCst);
            });
        });
    }

    #[test]
    fn a_name_is_given_back_though_its_opening_panics() {
        let changing = Changing::default();
        let mut change = changing.of("t", &[0]);
        let opening = AssertUnwindSafe(|| change.while_opening("t", &[0], || panic!("an opening that dies")));
        assert!(catch_unwind(opening).is_err());
        drop(change);
        drop(changing.of("t", &[0]));
    }
}

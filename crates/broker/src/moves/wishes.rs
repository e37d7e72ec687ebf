//! Which of several wishes for one partition is the latest: one that waited for a disk comes late, and is not to take the place of
//! another that was asked for after it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use uuid::Uuid;

use super::Key;

/// All that are being looked at.
#[derive(Default)]
pub(super) struct Wishes(Arc<Mutex<Asked>>);

#[derive(Default)]
struct Asked {
    /// Number of the next.
    next: u64,
    /// How many are being looked at.
    open: usize,
    /// The latest of each partition that counted, while any is looked at.
    latest: HashMap<Key, u64>,
}

/// One that was asked for, until it is known what becomes of it.
pub(crate) struct Wish {
    number: u64,
    wishes: Arc<Mutex<Asked>>,
}

impl Wishes {
    /// Somebody asks for something now.
    pub(super) fn ask(&self) -> Wish {
        let mut asked = self.0.lock();
        asked.next += 1;
        asked.open += 1;
        Wish { number: asked.next, wishes: Arc::clone(&self.0) }
    }

    /// Whether none that was asked for later has counted for the partition before.
    #[cfg(test)]
    fn counts(&self, wish: &Wish, topic_id: Uuid, partition: i32) -> bool {
        self.while_it_counts(wish, topic_id, partition, || ()).is_some()
    }

    /// Does something while it is the latest for the partition, if it is.
    pub(super) fn while_it_counts<R>(
        &self,
        wish: &Wish,
        topic_id: Uuid,
        partition: i32,
        work: impl FnOnce() -> R,
    ) -> Option<R> {
        let mut asked = self.0.lock();
        let latest = asked.latest.entry((topic_id, partition)).or_default();
        if *latest > wish.number {
            return None;
        }
        *latest = wish.number;
        Some(work())
    }
}

impl Drop for Wish {
    fn drop(&mut self) {
        let mut asked = self.wishes.lock();
        asked.open -= 1;
        if asked.open == 0 {
            asked.latest.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_of_wishes_when_none_is_looked_at() {
        let (wishes, topic_id) = (Wishes::default(), Uuid::from_u128(1));
        let (early, late) = (wishes.ask(), wishes.ask());
        assert!(wishes.counts(&late, topic_id, 0) && wishes.counts(&early, topic_id, 1));
        assert!(!wishes.counts(&early, topic_id, 0));
        drop(late);
        assert_eq!(wishes.0.lock().latest.len(), 2, "another one is looked at");
        drop(early);
        assert!(wishes.0.lock().latest.is_empty());
    }
}

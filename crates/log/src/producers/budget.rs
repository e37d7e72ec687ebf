//! A budget of remembered producers for all logs of a directory.
//!
//! Each log has its own bound as well. When all together remember too many, the logs that remember most forget those
//! that were silent for longest, a share each, until there is room. A table's lock is taken within the append lock of its
//! log, or alone: one log forgets for another, and waits for no append of it. Producers in transactions are not forgotten:
//! when they are all that the budget allows, no further transaction begins anywhere until some have ended.

use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::producers::ProducerTable;

/// A table that has to give way gives this part of it.
const SHARE: usize = 16;
/// This part of the budget is made free at a time, so that it is not looked for with every new producer.
const FREED: usize = 64;

/// How many producers may be remembered, and by whom they are.
#[derive(Debug)]
pub(crate) struct ProducerBudget {
    max: usize,
    total: AtomicUsize,
    /// Of these, producers with an open transaction.
    open: AtomicUsize,
    tables: Mutex<Vec<Weak<Producers>>>,
}

/// The producers of one log, counted against a budget.
#[derive(Debug, Default)]
pub(crate) struct Producers {
    budget: Arc<ProducerBudget>,
    table: Mutex<ProducerTable>,
    len: AtomicUsize,
    open: AtomicUsize,
}

impl Default for ProducerBudget {
    /// Without a bound.
    fn default() -> Self {
        let (total, open) = (AtomicUsize::default(), AtomicUsize::default());
        Self { max: usize::MAX, total, open, tables: Mutex::default() }
    }
}

impl ProducerBudget {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, ..Self::default() })
    }

    /// Counts a table from now on.
    pub(crate) fn count(self: &Arc<Self>, table: ProducerTable) -> Arc<Producers> {
        let (empty, len, open) = (Mutex::default(), AtomicUsize::default(), AtomicUsize::default());
        let producers = Arc::new(Producers { budget: Arc::clone(self), table: empty, len, open });
        producers.with(|own| *own = table);
        let mut tables = self.tables.lock();
        if tables.len() == tables.capacity() {
            tables.retain(|table| table.strong_count() > 0);
        }
        tables.push(Arc::downgrade(&producers));
        drop(tables);
        self.make_room();
        producers
    }

    /// Forgets as many as are too many. The caller holds no table.
    pub(crate) fn make_room(&self) {
        let total = self.total.load(Ordering::Relaxed);
        if total <= self.max {
            return;
        }
        let mut surplus = total - self.max + self.max / FREED;
        let mut largest: BinaryHeap<(usize, usize)> = BinaryHeap::new();
        let tables: Vec<Arc<Producers>> = self.tables.lock().iter().filter_map(Weak::upgrade).collect();
        largest.extend(tables.iter().enumerate().map(|(at, table)| (table.len(), at)));
        while surplus > 0
            && let Some((len @ 1.., at)) = largest.pop()
            && let Some(table) = tables.get(at)
        {
            let share = (len / SHARE).max(1).min(surplus);
            table.with(|producers| producers.forget_oldest(share));
            surplus -= share;
            largest.push((len - share, at));
        }
    }
}

impl Producers {
    /// Looks at the table, or changes it.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut ProducerTable) -> R) -> R {
        let mut table = self.table.lock();
        let answer = work(&mut table);
        count(table.len(), &self.len, &self.budget.total);
        count(table.open_count(), &self.open, &self.budget.open);
        answer
    }

    /// How many transactions may be open in this table: `max`, or no more than now where all tables together have as many
    /// as the budget allows.
    pub(crate) fn open_max(&self, max: usize) -> usize {
        let full = self.budget.open.load(Ordering::Relaxed) >= self.budget.max;
        if full { max.min(self.open.load(Ordering::Relaxed)) } else { max }
    }

    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Makes room among all tables of the budget. The caller holds none.
    pub(crate) fn make_room(&self) {
        self.budget.make_room();
    }
}

impl Drop for Producers {
    fn drop(&mut self) {
        self.budget.total.fetch_sub(self.len(), Ordering::Relaxed);
        self.budget.open.fetch_sub(self.open.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// A table has so many now: its own count and that of all.
fn count(now: usize, own: &AtomicUsize, all: &AtomicUsize) {
    let before = own.load(Ordering::Relaxed);
    if now != before {
        own.store(now, Ordering::Relaxed);
        // Wraps where it became less.
        all.fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::producers::Entry;

    fn write(producers: &Producers, ids: std::ops::Range<i64>) {
        for id in ids {
            let mut header = pagewire_record::BatchHeader::decode(&[0; 61]);
            header.producer_id = id;
            let entry = Entry { header: &header, marker: None };
            producers.with(|table| table.record(entry, id, usize::MAX));
            producers.make_room();
        }
    }

    fn ids(producers: &Producers) -> Vec<i64> {
        producers.with(|table| table.describe().iter().map(|producer| producer.producer_id).collect())
    }

    #[test]
    fn the_largest_table_forgets_its_oldest_for_the_others() {
        let budget = ProducerBudget::new(100);
        let (large, small) = (budget.count(ProducerTable::default()), budget.count(ProducerTable::default()));
        write(&large, 0..90);
        write(&small, 0..10);
        assert_eq!((large.len(), small.len()), (90, 10));
        write(&small, 10..30);
        assert_eq!(ids(&small), (0..30).collect::<Vec<_>>());
        let kept = ids(&large);
        assert!(kept.len() < 71 && kept.len() > 50, "{}", kept.len());
        assert_eq!(kept, (90 - kept.len() as i64..90).collect::<Vec<_>>(), "the newest");
    }

    #[test]
    fn many_small_tables_stay_within_the_budget() {
        let budget = ProducerBudget::new(100);
        let tables: Vec<_> = (0..300).map(|_| budget.count(ProducerTable::default())).collect();
        for table in &tables {
            write(table, 0..1);
        }
        assert!(budget.total.load(Ordering::Relaxed) <= 100);
        let counted: usize = tables.iter().map(|table| ids(table).len()).sum();
        assert_eq!(budget.total.load(Ordering::Relaxed), counted);
    }

    #[test]
    fn open_transactions_of_all_tables_are_no_more_than_the_budget() {
        let budget = ProducerBudget::new(3);
        let (one, two) = (budget.count(ProducerTable::default()), budget.count(ProducerTable::default()));
        let begin = |table: &Producers, id: i64| {
            let mut header = pagewire_record::BatchHeader::decode(&[0; 61]);
            (header.producer_id, header.base_offset) = (id, id);
            (header.attributes, header.records_count) = (0x10, 1);
            table.with(|table| table.record(Entry { header: &header, marker: None }, 0, usize::MAX));
        };
        begin(&one, 1);
        begin(&one, 2);
        assert_eq!((one.open_max(10), two.open_max(10)), (10, 10));
        begin(&two, 3);
        assert_eq!((one.open_max(10), two.open_max(10), two.open_max(0)), (2, 1, 0));
        drop(one);
        assert_eq!(two.open_max(10), 10);
    }

    #[test]
    fn a_log_that_is_gone_counts_no_more() {
        let budget = ProducerBudget::new(100);
        for _ in 0..50 {
            write(&budget.count(ProducerTable::default()), 0..3);
        }
        assert_eq!(budget.total.load(Ordering::Relaxed), 0);
        assert!(budget.tables.lock().len() < 10, "nor does it take memory");
    }
}

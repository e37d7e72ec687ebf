//! What requests unfold into and what answers take while they wait to be read, counted and bounded.
//!
//! ```text
//!   frame ── the buffer pool counts it ──> decoded request ── answer ──> socket
//!                                          '-------- counted here ------'
//! ```
//!
//! Two bounds, for bytes and for the open files that answers refer to. A connection that holds more than its share has
//! no further request started until it holds less (`net/connection.rs`). A request or an answer that would take all
//! connections together beyond the budget costs its sender the connection: the process never grows with what strangers
//! ask for. Before it comes to that, fetches answer with fewer files.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use crate::net::Close;

/// What takes less is not counted: requests of every day pass without touching a shared number. A connection has a
/// limited number of them.
const COUNTED_FROM: usize = 4 << 10;

/// What is held. Each file may be held by a range more than once and is counted as often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Load {
    /// Memory.
    pub(crate) bytes: usize,
    /// Ranges of open files.
    pub(crate) files: usize,
}

/// What all connections together hold, and may hold.
#[derive(Debug)]
pub(crate) struct Budget {
    held: Held,
    max: Load,
}

/// What one connection holds of the budget.
#[derive(Debug)]
pub(crate) struct Account {
    budget: Arc<Budget>,
    held: Held,
}

/// Something held; given back on drop.
#[derive(Debug)]
pub(crate) struct Charge {
    account: Arc<Account>,
    load: Load,
}

#[derive(Debug, Default)]
struct Held {
    bytes: AtomicUsize,
    files: AtomicUsize,
}

impl Held {
    fn load(&self) -> Load {
        Load { bytes: self.bytes.load(Relaxed), files: self.files.load(Relaxed) }
    }

    fn add(&self, load: Load) {
        self.bytes.fetch_add(load.bytes, Relaxed);
        self.files.fetch_add(load.files, Relaxed);
    }

    fn take(&self, load: Load) {
        self.bytes.fetch_sub(load.bytes, Relaxed);
        self.files.fetch_sub(load.files, Relaxed);
    }

    /// Adds `load` if that stays within `max`; else says what is held.
    fn add_within(&self, load: Load, max: Load) -> Result<(), Load> {
        let fits =
            |max: usize, more: usize| move |held: usize| held.checked_add(more).filter(|sum| *sum <= max);
        let update =
            |counter: &AtomicUsize, max, more| counter.fetch_update(Relaxed, Relaxed, fits(max, more));
        update(&self.bytes, max.bytes, load.bytes).map_err(|_| self.load())?;
        update(&self.files, max.files, load.files).map_err(|_| {
            self.bytes.fetch_sub(load.bytes, Relaxed);
            self.load()
        })?;
        Ok(())
    }
}

impl Budget {
    pub(crate) fn new(max: Load) -> Self {
        Self { held: Held::default(), max }
    }

    /// Ranges of files that answers may still refer to.
    pub(crate) fn files_left(&self) -> usize {
        self.max.files.saturating_sub(self.held.files.load(Relaxed))
    }

    /// An account for a new connection.
    pub(crate) fn account(self: &Arc<Self>) -> Arc<Account> {
        Arc::new(Account { budget: Arc::clone(self), held: Held::default() })
    }
}

impl Account {
    /// Takes `load` from the budget. `None`: too little to be counted.
    pub(crate) fn charge(self: &Arc<Self>, load: Load) -> Result<Option<Charge>, Close> {
        let load = if load.bytes < COUNTED_FROM { Load { bytes: 0, ..load } } else { load };
        if load == Load::default() {
            return Ok(None);
        }
        let Budget { held, max } = &*self.budget;
        held.add_within(load, *max).map_err(|held| refused(load, held, *max))?;
        self.held.add(load);
        Ok(Some(Charge { account: Arc::clone(self), load }))
    }

    /// What the connection holds now.
    pub(crate) fn held(&self) -> Load {
        self.held.load()
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.held.take(self.load);
        self.account.budget.held.take(self.load);
    }
}

fn refused(load: Load, held: Load, max: Load) -> Close {
    tracing::warn!(
        ?load,
        ?held,
        ?max,
        "connection closed for want of memory or open files: see pagewire.request.memory.max.bytes and the process's limit \
         of open files"
    );
    Close::because(format_args!("{load:?} for a request or its answer, with {held:?} of {max:?} held"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(bytes: usize) -> Load {
        Load { bytes, files: 0 }
    }

    #[test]
    fn what_is_charged_comes_back() {
        let budget = Arc::new(Budget::new(Load { bytes: 100_000, files: 10 }));
        let (one, two) = (budget.account(), budget.account());
        let first = one.charge(bytes(60_000)).expect("room");
        assert!(two.charge(bytes(60_000)).is_err(), "all connections together");
        let second = two.charge(bytes(40_000)).expect("exactly what is left");
        assert_eq!((one.held(), two.held()), (bytes(60_000), bytes(40_000)));
        drop((first, second));
        assert_eq!((one.held(), budget.held.load()), (Load::default(), Load::default()));
        assert!(one.charge(bytes(usize::MAX)).is_err());
        assert_eq!(one.held(), Load::default(), "a refusal holds nothing");
    }

    #[test]
    fn files_have_a_bound_of_their_own() {
        let budget = Arc::new(Budget::new(Load { bytes: 100_000, files: 10 }));
        let account = budget.account();
        let held = account.charge(Load { bytes: 100, files: 7 }).expect("room");
        assert_eq!((account.held(), budget.files_left()), (Load { bytes: 0, files: 7 }, 3));
        assert!(account.charge(Load { bytes: 50_000, files: 4 }).is_err());
        assert_eq!(account.held().bytes, 0, "a refusal holds nothing");
        drop(held);
        assert_eq!(budget.files_left(), 10);
    }

    #[test]
    fn small_requests_are_not_counted() {
        let account = Arc::new(Budget::new(Load::default())).account();
        assert!(account.charge(bytes(COUNTED_FROM - 1)).expect("not counted").is_none());
        assert!(account.charge(bytes(COUNTED_FROM)).is_err());
    }
}

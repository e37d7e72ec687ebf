//! What requests unfold into and what answers take while they wait to be read, counted and bounded.
//!
//! ```text
//!   frame ── the buffer pool counts it ──> decoded request ── answer ──> socket
//!                                          '-------- counted here ------'
//! ```
//!
//! Two bounds. A connection that holds more than its share has no further request started until it holds less
//! (`net/connection.rs`). A request or an answer that would take all connections together beyond the budget costs its
//! sender the connection: the process never grows with what strangers ask for.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use crate::net::Close;

/// What takes less is not counted: requests of every day pass without touching a shared number. A connection has a
/// limited number of them.
const COUNTED_FROM: usize = 4 << 10;

/// The bytes that all connections together hold, and may hold.
#[derive(Debug)]
pub(crate) struct Budget {
    held: AtomicUsize,
    max: usize,
}

/// The bytes that one connection holds of the budget.
#[derive(Debug)]
pub(crate) struct Account {
    budget: Arc<Budget>,
    held: AtomicUsize,
}

/// Bytes held; given back on drop.
#[derive(Debug)]
pub(crate) struct Charge {
    account: Arc<Account>,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(max: usize) -> Self {
        Self { held: AtomicUsize::new(0), max }
    }

    /// An account for a new connection.
    pub(crate) fn account(self: &Arc<Self>) -> Arc<Account> {
        Arc::new(Account { budget: Arc::clone(self), held: AtomicUsize::new(0) })
    }
}

impl Account {
    /// Takes `bytes` from the budget. `None`: too few to be counted.
    pub(crate) fn charge(self: &Arc<Self>, bytes: usize) -> Result<Option<Charge>, Close> {
        if bytes < COUNTED_FROM {
            return Ok(None);
        }
        let Budget { held, max } = &*self.budget;
        let fits = |held: usize| held.checked_add(bytes).filter(|sum| sum <= max);
        held.fetch_update(Relaxed, Relaxed, fits).map_err(|held| refused(bytes, held, *max))?;
        self.held.fetch_add(bytes, Relaxed);
        Ok(Some(Charge { account: Arc::clone(self), bytes }))
    }

    /// What the connection holds now.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held.load(Relaxed)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.held.fetch_sub(self.bytes, Relaxed);
        self.account.budget.held.fetch_sub(self.bytes, Relaxed);
    }
}

fn refused(bytes: usize, held: usize, max: usize) -> Close {
    tracing::warn!(
        bytes,
        held,
        max,
        "connection closed for want of memory: see pagewire.request.memory.max.bytes"
    );
    Close::because(format_args!("{bytes} bytes for a request or its answer, with {held} of {max} held"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_charged_comes_back() {
        let budget = Arc::new(Budget::new(100_000));
        let (one, two) = (budget.account(), budget.account());
        let first = one.charge(60_000).expect("room");
        assert!(two.charge(60_000).is_err(), "all connections together");
        let second = two.charge(40_000).expect("exactly what is left");
        assert_eq!((one.held_bytes(), two.held_bytes()), (60_000, 40_000));
        drop((first, second));
        assert_eq!((one.held_bytes(), budget.held.load(Relaxed)), (0, 0));
        assert!(one.charge(usize::MAX).is_err());
        assert_eq!(one.held_bytes(), 0, "a refusal holds nothing");
    }

    #[test]
    fn small_requests_are_not_counted() {
        let account = Arc::new(Budget::new(0)).account();
        assert!(account.charge(COUNTED_FROM - 1).expect("not counted").is_none());
        assert!(account.charge(COUNTED_FROM).is_err());
    }
}

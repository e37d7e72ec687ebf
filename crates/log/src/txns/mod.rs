//! Transactions as one partition sees them: which are open, which were aborted, and what says so on disk.

pub(crate) mod index;
pub(crate) mod marker;
pub(crate) mod open;
pub(crate) mod undecided;
pub(crate) mod verification;
pub(crate) mod witness;

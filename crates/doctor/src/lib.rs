//! Says what this machine can do for a log, what it cannot, and what to change: one file per group of checks.
//!
//! A check probes; it never guesses by version. It changes nothing on the machine and needs no privilege, and where a
//! privilege would tell more it says so.

use serde::{Deserialize, Serialize};

/// How well something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be.
    Ok,
    /// It works; it could work better.
    CouldBeBetter,
    /// It does not work, or acknowledged records are in danger.
    Broken,
}

/// One line of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was looked at, e.g. `io_uring`.
    pub check: String,
    /// How it stands.
    pub state: State,
    /// What was found, with figures.
    pub found: String,
    /// What to do; empty where there is nothing to do.
    pub advice: String,
}

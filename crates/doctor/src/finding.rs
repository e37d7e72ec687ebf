//! What a check answers.

use std::fmt;
use std::io;

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

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::CouldBeBetter => "could be better",
            Self::Broken => "broken",
        })
    }
}

/// What belongs together for whoever reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// Kernel, processors, memory, clocks.
    Machine,
    /// What the process may take of it.
    Limits,
    /// The ways from a file to a socket.
    Transfer,
    /// Interfaces and TCP.
    Network,
    /// The disk under the data directory.
    Disk,
    /// The data directory itself.
    Data,
    /// What an acknowledgement is worth here.
    Durability,
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Machine => "Machine",
            Self::Limits => "Limits",
            Self::Transfer => "Moving bytes",
            Self::Network => "Network",
            Self::Disk => "Disk",
            Self::Data => "Data directory",
            Self::Durability => "What an acknowledged record survives",
        })
    }
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

impl Finding {
    /// As it should be.
    pub(crate) fn ok(check: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(check, State::Ok, found, "")
    }

    /// It works; it could work better.
    pub(crate) fn better(
        check: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::new(check, State::CouldBeBetter, found, advice)
    }

    /// It does not work, or acknowledged records are in danger.
    pub(crate) fn broken(
        check: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::new(check, State::Broken, found, advice)
    }

    /// A probe that could not be made where nothing is known to be wrong.
    pub(crate) fn unseen(check: impl Into<String>, error: &io::Error) -> Self {
        let advice = if error.kind() == io::ErrorKind::PermissionDenied {
            "this user may not look: run it as the broker's user"
        } else if matches!(error.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::StorageFull) {
            "see the lines file system, space and data directory"
        } else {
            "nothing is known to be wrong; a container may hide it: look on the host itself"
        };
        Self::better(check, format!("could not be looked at: {error}"), advice)
    }

    pub(crate) fn new(
        check: impl Into<String>,
        state: State,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { check: check.into(), state, found: found.into(), advice: advice.into() }
    }

    /// The same with more words on what was found, if there are any.
    #[must_use]
    pub(crate) fn note(mut self, note: Option<&str>) -> Self {
        if let Some(note) = note {
            self.found += "; ";
            self.found += note;
        }
        self
    }

    /// The same with something to do.
    #[must_use]
    pub(crate) fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: advice.into(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_look_is_told_so() {
        let finding = Finding::unseen("lock", &io::ErrorKind::PermissionDenied.into());
        assert!(finding.state == State::CouldBeBetter && finding.advice.contains("may not look"));
    }

    #[test]
    fn a_finding_is_the_json_that_programs_expect() {
        let finding = Finding::better("io_uring", "refused", "allow it");
        let json = serde_json::to_value(&finding).expect("json");
        let expected = serde_json::json!({
            "check": "io_uring", "state": "could-be-better", "found": "refused", "advice": "allow it",
        });
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_value::<Finding>(json).expect("read"), finding);
    }

    #[test]
    fn broken_is_worse_than_could_be_better() {
        assert!(State::Broken > State::CouldBeBetter && State::CouldBeBetter > State::Ok);
    }
}

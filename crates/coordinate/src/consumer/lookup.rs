//! A look at all topics for those that the regular expressions of a group stand for. It takes as long as it takes: whoever
//! runs the machine does it aside, and hands back what was found.
//!
//! ```text
//!   Effects::lookups ─► Lookup::find, not under the machine's lock ─► Found ─► Shard::expressions_found
//!                       or Lookup::give_up, if it cannot be done    ─►
//! ```
//!
//! An expression is understood once per look, and not kept: it may take a megabyte.

use std::sync::Arc;

use super::regex::matches_of;
use crate::topics::Topics;

/// Which expressions of which group. Hand it back, found or given up.
#[derive(Clone, Debug)]
pub struct Lookup {
    pub(crate) group_id: Arc<str>,
    pub(crate) expressions: Vec<Arc<str>>,
}

/// An expression, and the names that it stands for, in order.
pub(crate) type Matches = (Arc<str>, Vec<Arc<str>>);

/// What came of a [`Lookup`].
#[derive(Debug)]
pub struct Found {
    pub(crate) group_id: Arc<str>,
    /// The version of the topics that were looked at.
    pub(crate) version: u64,
    /// What the expressions stand for; none if nobody looked.
    pub(crate) matches: Option<Vec<Matches>>,
}

impl Lookup {
    /// Holds all expressions against all names.
    pub fn find(self, topics: &dyn Topics) -> Found {
        let (version, names) = (topics.version(), topics.names());
        let found = |expression: Arc<str>| {
            let topics = matches_of(&expression, &names);
            (expression, topics)
        };
        let matches = self.expressions.into_iter().map(found).collect();
        Found { group_id: self.group_id, version, matches: Some(matches) }
    }

    /// It cannot be done: the group asks again later.
    pub fn give_up(self) -> Found {
        Found { group_id: self.group_id, version: 0, matches: None }
    }
}

//! What several cases need, made by the first of them; those beside it wait.

use std::sync::OnceLock;

use anyhow::{Result, anyhow};

/// A thing, or why there is none.
#[derive(Debug)]
pub(super) struct Once<T>(OnceLock<Result<T, String>>);

impl<T> Once<T> {
    pub(super) fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Everybody is told the same failure.
    pub(super) fn get(&self, make: impl FnOnce() -> Result<T>) -> Result<&T> {
        let made = self.0.get_or_init(|| make().map_err(|error| format!("{error:#}")));
        made.as_ref().map_err(|reason| anyhow!("{reason}"))
    }

    /// The thing, if it was made.
    pub(super) fn into_made(self) -> Option<T> {
        self.0.into_inner()?.ok()
    }
}

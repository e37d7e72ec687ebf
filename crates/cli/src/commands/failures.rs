//! Several things to do, of which one that fails does not stop the others.

use std::fmt::Display;

use crate::output::complain;

/// What failed so far.
#[derive(Debug)]
pub(super) struct Failures {
    of: usize,
    last: Option<anyhow::Error>,
    count: usize,
}

impl Failures {
    /// None of so many.
    pub(super) fn of(of: usize) -> Self {
        Self { of, last: None, count: 0 }
    }

    /// One failed. With several things to do it is told at once, and how many failed at the end.
    pub(super) fn note(&mut self, error: impl Into<anyhow::Error>, hint: impl Display) {
        let error = error.into();
        self.count += 1;
        if self.of > 1 {
            complain(format_args!("error: {error:#}{hint}"));
        }
        self.last = Some(anyhow::anyhow!("{error:#}{hint}"));
    }

    /// Whether nothing did.
    pub(super) fn is_none(&self) -> bool {
        self.last.is_none()
    }

    /// How it went on the whole.
    pub(super) fn end(self) -> anyhow::Result<()> {
        match self.last {
            None => Ok(()),
            Some(error) if self.of == 1 => Err(error),
            Some(_) => anyhow::bail!("{} of {} failed", self.count, self.of),
        }
    }
}

//! Looking on while bytes move.

use std::future::Future;

use pagewire_broker::backup::{BackupFailed, Progress};
use tokio::sync::watch;

use crate::Stopped;
use crate::output::complain;
use crate::output::progress::Progress as Line;

/// A progress line, where a person looks at it.
#[derive(Debug, Default)]
pub(in crate::commands) struct Watching {
    line: Option<Line>,
}

impl Watching {
    /// How far it is.
    pub(in crate::commands) fn show(&mut self, progress: &Progress) {
        let line = || Line::new(true, Some(progress.bytes_total)).beginning_at(progress.bytes);
        let line = self.line.get_or_insert_with(line);
        let message = format!("{}/{} logs  {}", progress.logs, progress.logs_total, progress.now);
        // What there is to do is known only after the first words.
        line.set_of(progress.bytes, progress.bytes_total, &message);
    }

    /// Says something above it, or where nobody looks at it.
    pub(in crate::commands) fn note(&self, what: &str) {
        match &self.line {
            Some(line) => line.note(what),
            None => complain(what),
        }
    }

    /// Shows what is told while `work` goes on. An end that was asked for is no failure.
    pub(in crate::commands) async fn beside<T>(
        mut self,
        mut told: watch::Receiver<Option<Progress>>,
        work: impl Future<Output = Result<T, BackupFailed>>,
    ) -> anyhow::Result<T> {
        let mut work = std::pin::pin!(work);
        let done = loop {
            tokio::select! {
                biased;
                done = &mut work => break done,
                Ok(()) = told.changed() => {
                    if let Some(progress) = &*told.borrow_and_update() {
                        self.show(progress);
                    }
                }
            }
        };
        done.map_err(|error| if error.is_stopped() { Stopped.into() } else { error.into() })
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        if let Some(line) = &self.line {
            line.clear();
        }
    }
}

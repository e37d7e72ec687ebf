//! The copy of a log takes its place, or does not.
//!
//! ```text
//!   halted, the owner has stored where it goes
//!     ├─ take back: it could not be stored ─────────────────────────── the copy loses its name, then the log goes on
//!     └─ switch ─┬─ the log keeps its name ── the owner stores that ── stay: the log goes on, whatever becomes of the copy
//!                ├─ it has lost its name, perhaps not for good ─────── apart: until its directory is opened anew
//!                └─ it has left ─┬─ the copy cannot be opened ──────── apart: until it can
//!                                └─ switched
//! ```

use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::Path;
use std::sync::Arc;

use tracing::error;

use super::moving::{MoveError, Moving};
use crate::dir::Unleft;
use crate::scrub::Noted;
use crate::{CreateError, Log, LogDir, PartitionSettings};

/// A copy that is not served.
#[derive(Debug)]
pub enum Unswitched {
    /// The log has its name where it was. Once its owner has stored that it is there, it [stays](Moving::stay).
    Stays(Box<Moving>, MoveError),
    /// The log has left.
    Apart(Apart),
}

/// The log has left its directory, and its copy, which is complete, is not open.
#[derive(Debug)]
pub struct Apart {
    error: CreateError,
    /// The command that ends this.
    online: String,
}

impl Apart {
    /// Until the directory is opened.
    fn until(dir: &LogDir, error: CreateError) -> Unswitched {
        Unswitched::Apart(Self { error, online: dir.online().to_string() })
    }
}

impl Display for Apart {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}. When the cause is gone, {} serves it, or a restart", self.error, self.online)
    }
}

impl Moving {
    /// The log goes on where it is. Before that its copy loses its name, durably: it is behind from now on. Where that cannot be,
    /// the log is offline, which is said.
    pub fn take_back(mut self) -> Result<(), MoveError> {
        self.to.drop_future(&self.future).map_err(MoveError::at(self.to.path()))?;
        self.go_on()
    }

    /// The log goes on where it is, which its owner has stored: nobody takes the copy for it.
    pub fn stay(mut self) -> Result<(), MoveError> {
        self.go_on()
    }

    fn go_on(&mut self) -> Result<(), MoveError> {
        if let Some(halted) = self.halted.take() {
            halted.go_on();
        }
        // A name too many in a checkpoint is one that another directory has.
        self.to.expect_no_more(&self.future).map_err(MoveError::at(self.to.path()))
    }

    /// The copy takes the place of the log, which the owner has stored.
    pub fn switch(self, settings: &PartitionSettings, now_ms: i64) -> Result<Arc<Log>, Unswitched> {
        // Nobody else takes the copy for the log meanwhile, nor for lost.
        self.to.await_copy(&self.future, Some(self.from.path()));
        let left = match self.from.leave(&self.entry) {
            Ok(left) => left,
            Err(Unleft::Stays(error)) => {
                self.to.await_copy_no_more(&self.future);
                let error = self.of_source(error);
                return Err(Unswitched::Stays(Box::new(self), error));
            }
            Err(Unleft::Unsure(error)) => {
                return Err(Apart::until(&self.from, CreateError::at(self.from.path())(error)));
            }
        };
        let log = self.adopted(settings, now_ms).map_err(|error| {
            self.to.be_sure_of(&self.future);
            Apart::until(&self.to, error)
        })?;
        if self.is_as_whole(&log) {
            self.from.doom(left, &self.entry, now_ms);
        } else {
            self.keep(&left);
        }
        Ok(log)
    }

    /// Whether nothing was found damaged in the copy that was not in the log.
    fn is_as_whole(&self, copy: &Log) -> bool {
        let known = self.entry.log.damage();
        copy.damage().iter().all(|stretch| known.contains(stretch))
    }

    fn keep(&self, left: &Path) {
        let (topic, partition) = (&*self.future.topic, self.future.partition);
        match self.from.keep(left, &self.entry) {
            Ok(kept) => error!(
                topic,
                partition,
                kept = %kept.display(),
                "damage was found where it is served now that was not known where it was before: what it was there is kept, and nobody \
                 removes it. `pagewire log check` says whether it is whole"
            ),
            Err(error) => error!(
                topic,
                partition,
                left = %left.display(),
                %error,
                "damage was found where it is served now that was not known where it was before: what it was there is removed by the \
                 next start, unless it is renamed before"
            ),
        }
    }

    fn adopted(&self, settings: &PartitionSettings, now_ms: i64) -> Result<Arc<Log>, CreateError> {
        let (topic, partition) = (self.future.topic.as_str(), self.future.partition);
        self.to.adopt(&self.future, &Noted::of(self.damage.clone()), settings, now_ms)?;
        let log = self.to.get(topic, partition);
        let log = log.ok_or_else(|| CreateError::at(&self.dir)(io::ErrorKind::NotFound.into()))?;
        // Somebody may have deleted records while it was copied.
        log.begin_at(self.entry.log.marks().log_start);
        Ok(log)
    }
}

//! A metadata log that does not come along to its end: where it ends, and in which words people are told. What lies behind that is
//! not known to be there at all: topics, settings, and that topics were deleted.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::files::Numbered;
use crate::batches::Stop;
use crate::cut::CutKind;
use crate::follows::Search;

/// Where it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MetadataCut {
    /// What ended it.
    pub kind: CutKind,
    /// The segment in which it ends.
    pub file: PathBuf,
    /// The byte in it.
    pub position: u64,
    /// The first offset that does not count.
    pub offset: i64,
    /// Bytes that do not count: the rest of that segment, and all later ones.
    pub bytes: u64,
    /// What is wrong there.
    pub reason: String,
}

impl MetadataCut {
    /// Of a `segment` that cannot be believed from a byte on, before `later` ones. As for any log: a crash tears the end, with
    /// nothing behind it.
    pub(super) fn judge(
        segment: &Numbered,
        (position, offset): (u64, i64),
        stop: Stop,
        later: &[Numbered],
    ) -> std::io::Result<Self> {
        let (is_torn, reason) = match stop {
            Stop::Io(error) => return Err(error),
            Stop::OldFormat { magic } => (false, format!("magic {magic} is no version 2 batch")),
            Stop::Torn(reason) => (true, reason),
            Stop::Bad(reason) => (false, reason),
        };
        let (file, len) = segment.open()?;
        let search = Search { file: &file, from: position + 1, len, lowest: offset, highest: i64::MAX };
        let kind =
            if is_torn && later.is_empty() && !search.finds()? { CutKind::TornTail } else { CutKind::Damage };
        let mut bytes = len.saturating_sub(position);
        for one in later {
            bytes += one.open()?.1;
        }
        Ok(Self { kind, file: segment.path.clone(), position, offset, bytes, reason })
    }

    /// Of a Kafka that stopped in order, nothing is torn.
    pub(crate) fn after_a_stop(&mut self) {
        if self.kind == CutKind::TornTail {
            self.kind = CutKind::Damage;
            self.reason.push_str(", though Kafka had stopped in order");
        }
    }

    /// Why nothing is taken over, and what can be done. `unknown`: topics that have directories and are not known before this.
    pub(crate) fn refusal(&self, unknown: &[&str]) -> String {
        let (file, position, offset) = (self.file.display(), self.position, self.offset);
        let (reason, lost) = (&self.reason, self.loss(unknown));
        format!(
            "{file} is damaged at byte {position}, offset {offset}: {reason}. It says which topics there are, and their settings. \
             With --accept-damage what was before that counts, and {lost} would be lost; the __cluster_metadata-0 of another \
             controller, or of a backup, may be whole"
        )
    }

    /// What to know beside what is refused though the damage was accepted.
    pub(crate) fn reminder(&self) -> String {
        format!(
            "{self}. What is said of other topics here may come of that: one that was deleted behind it seems to be missing. \
             --exclude leaves such a topic"
        )
    }

    fn loss(&self, unknown: &[&str]) -> String {
        /// Names that are told.
        const NAMED_MAX: usize = 10;
        let lost = format!("all that was made, set or deleted from there on ({} bytes)", self.bytes);
        let named = unknown.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
        let with = "with the topics that have directories here and are not known before it";
        match unknown.len().saturating_sub(NAMED_MAX) {
            _ if named.is_empty() => lost,
            0 => format!("{lost}, {with}: {named}"),
            more => format!("{lost}, {with}: {named} and {more} more"),
        }
    }

    /// What was lost, where it was accepted.
    pub(crate) fn lost(&self, unknown: &[&str]) -> Option<String> {
        let is_loss = self.kind != CutKind::TornTail;
        is_loss.then(|| format!("lost with the damage to the metadata log: {}", self.loss(unknown)))
    }
}

impl fmt::Display for MetadataCut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (offset, position, file, reason) =
            (self.offset, self.position, self.file.display(), &self.reason);
        write!(f, "the metadata log ends at offset {offset}, byte {position} of {file}: {reason}")?;
        match self.kind {
            CutKind::TornTail => {
                write!(f, "; a torn tail of {} bytes, which Kafka would cut as well", self.bytes)
            }
            CutKind::Damage | CutKind::Missing => write!(f, "; {} bytes do not count", self.bytes),
        }
    }
}

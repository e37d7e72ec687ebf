//! What the index of a segment says, in memory, for those who are about to write it anew, or who hold no segment: the
//! entries of the file as they are there. Each is held against the bytes before it is believed, so one that is damaged only
//! says nothing.

use std::io;

use pagewire_disk::DiskFile;

use super::evidence::Anchor;
use crate::files::{Entry, OffsetEntry};

/// So many entries are kept, 16 bytes each: those of a segment of 2 GiB at the usual interval. Of an index with more every
/// second one is, or every third.
const PLACES_MAX: u64 = 1 << 19;
/// Bytes read at once, a whole number of entries.
const PIECE: usize = 8192 * OffsetEntry::LEN;

/// Where batches begin, in rising order.
#[derive(Debug, Default)]
pub(crate) struct Places(Vec<Anchor>);

impl Places {
    /// Of the index in `file`, of a segment that begins at `base_offset`.
    pub(crate) fn read(file: &dyn DiskFile, base_offset: i64) -> io::Result<Self> {
        let len = file.len()?;
        let every = usize::try_from((len / OffsetEntry::LEN as u64).div_ceil(PLACES_MAX).max(1)).unwrap_or(1);
        let (mut places, mut piece) = (Vec::new(), vec![0; PIECE.min(usize::try_from(len).unwrap_or(PIECE))]);
        let mut at = 0;
        while at < len {
            let wanted = usize::try_from(len - at).map_or(piece.len(), |left| left.min(piece.len()));
            let bytes = piece.get_mut(..wanted).unwrap_or_default();
            file.read_exact_at(at, bytes)?;
            at += bytes.len() as u64;
            let entries = bytes.chunks_exact(OffsetEntry::LEN).step_by(every).filter_map(OffsetEntry::parse);
            places.extend(entries.filter_map(|entry| {
                let position = u64::try_from(entry.position).ok()?;
                Some((position, base_offset.saturating_add(i64::from(entry.relative_offset))))
            }));
        }
        places.sort_unstable();
        Ok(Self(places))
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first at or behind a position.
    pub(crate) fn from(&self, position: u64) -> Option<Anchor> {
        self.0.get(self.0.partition_point(|(at, _)| *at < position)).copied()
    }
}

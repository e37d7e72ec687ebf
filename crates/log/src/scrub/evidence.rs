//! Whether a batch behind damage is one of the log's own. A record's value may hold whole batches with offsets that fit, as they
//! are where somebody keeps copies of logs in a topic, or lays a trap; when the header of the batch around them is damaged, a
//! search comes upon them first.
//!
//! ```text
//!   [ damaged header │ ... value [ whole batch ][ whole batch ] ... ][ the log's next batch ][ ...    entry of the index
//!                                └ one that is followed by bytes    └ one that leads, batch by batch, ─▶ to it, or to the end
//!                                  that begin no batch: not its own
//! ```
//!
//! One that breaks off where nothing whole follows is believed: it may be the log's last but one, with a damaged one behind.

use std::cell::OnceCell;
use std::io;

use pagewire_record::BatchHeader;

use crate::files::{BATCH_LEN_MAX, BatchWalk, Step};
use crate::index::offset::OffsetIndex;
use crate::patience::Patience;
use crate::segment::Segment;

/// Stretches of one segment at whose beginnings is read far ahead.
const THOROUGH_MAX: usize = 64;

/// Where a batch begins, and its last offset, as an entry of the index has it.
pub(crate) type Anchor = (u64, i64);
/// The first of them at or behind a position.
pub(crate) type Anchors<'a> = &'a dyn Fn(u64) -> Option<Anchor>;

/// What is known of a segment besides its bytes.
#[derive(Clone, Copy)]
pub(crate) struct Evidence<'a> {
    /// Without them a search believes what it finds: nothing says where the log goes on, and good batches are not to be lost
    /// between two damaged ones.
    anchors: Option<Anchors<'a>>,
    /// Where a batch ends may be looked for by its checksum.
    pub(super) thorough: bool,
}

impl<'a> Evidence<'a> {
    /// Of a segment in which so many stretches were found.
    pub(crate) fn of(anchors: Option<Anchors<'a>>, found: usize) -> Self {
        Self { anchors, thorough: found < THOROUGH_MAX }
    }

    /// Whether a whole batch that a search came upon is one of the log's own: else where the bytes go on in which it
    /// lies. `end`: the offset that no batch reaches past.
    pub(super) fn is_its_own(
        self,
        walk: &mut BatchWalk<'_>,
        position: u64,
        end: i64,
    ) -> io::Result<Result<(), u64>> {
        if self.anchors.is_none() { Ok(Ok(())) } else { self.leads_on(walk, position, end, true) }
    }

    /// Whether the batch at `position` leads to the log's end, to a place that the index names, or further than a
    /// batch is long; else where it breaks off, with more behind. `whole`: only batches with their checksums lead on.
    pub(super) fn leads_on(
        self,
        walk: &mut BatchWalk<'_>,
        position: u64,
        end: i64,
        whole: bool,
    ) -> io::Result<Result<(), u64>> {
        let anchor = self.anchors.and_then(|anchors| anchors(position));
        let (mut at, mut expected) = (position, 0);
        while at < walk.end() && at - position < BATCH_LEN_MAX {
            let header = if whole { whole_at(walk, at)? } else { walk.header_at(at, &(0..=i64::MAX - 1))? };
            let Some(header) = header.filter(|header| header.base_offset >= expected && fits(header, end))
            else {
                let more = walk.find_batch(at, &(0..=i64::MAX - 1))?.is_some();
                return Ok(if more { Err(at) } else { Ok(()) });
            };
            if anchor == Some((at, header.last_offset())) {
                break;
            }
            (at, expected) = (at + header.size_in_bytes(), header.next_offset());
        }
        Ok(Ok(()))
    }
}

fn whole_at(walk: &mut BatchWalk<'_>, at: u64) -> io::Result<Option<BatchHeader>> {
    walk.resume_at(at);
    Ok(match walk.step()? {
        Some(Step::Batch(batch)) if batch.is_whole() => Some(batch.header),
        _ => None,
    })
}

/// Whether a batch ends below `end`, and begins before it does.
pub(super) fn fits(header: &BatchHeader, end: i64) -> bool {
    header.last_offset_delta >= 0 && header.next_offset() <= end
}

impl Segment {
    /// What its index says, which is read if it was not. Nothing is rebuilt: an index that cannot be read says nothing.
    pub(crate) fn anchors(&self) -> impl Fn(u64) -> Option<Anchor> {
        let read = OnceCell::new();
        move |position| {
            let file = || self.index_file();
            let load = || {
                let index = OffsetIndex::default();
                let loaded = index.load(&*file().ok()?, self.end().size).ok()?;
                loaded.then_some(index)
            };
            let index = if self.index.is_loaded() { &self.index } else { read.get_or_init(load).as_ref()? };
            let entry = index.ceiling_position(position, Patience::Endless, file).ok()??;
            Some((u64::from(entry.position), self.base_offset + i64::from(entry.relative)))
        }
    }
}

//! What is known of a segment besides its bytes, where a batch's header is destroyed and the next of the log's own is looked for. A
//! record's value may hold whole batches, of offsets that fit and as many as anybody likes, as it does where copies of logs are
//! kept in a topic, or a trap is laid. So that a batch is whole says nothing, nor that others follow it.
//!
//! ```text
//!   [ damaged header │ ... value [ whole batch ][ whole batch ] ][ the log's next batch ][ ...  ▲ an entry of the index
//!                                └ may lead, batch by batch, to it: a header of a record     └ says that a batch of the
//!                                  may have the last bytes of a batch                          log's own begins there
//! ```
//!
//! An entry of the index is believed where the bytes agree: a whole batch lies there, and has the last offset that it names.
//! Whoever writes records writes no entries.

use std::cell::OnceCell;

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
    anchors: Anchors<'a>,
    /// Where a batch ends may be looked for by its checksum, and its length be believed.
    pub(super) thorough: bool,
}

impl<'a> Evidence<'a> {
    /// Of a segment in which so many stretches were found.
    pub(crate) fn of(anchors: Anchors<'a>, found: usize) -> Self {
        Self { anchors, thorough: found < THOROUGH_MAX }
    }

    /// The first entry of the index for a batch at or behind `position`.
    pub(super) fn entry_from(self, position: u64) -> Option<Anchor> {
        (self.anchors)(position)
    }

    /// Whether the index says that a batch begins there.
    pub(super) fn names(self, position: u64) -> bool {
        self.entry_from(position).is_some_and(|(at, _)| at == position)
    }
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

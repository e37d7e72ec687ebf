//! The time index: from which offset on a timestamp may occur.
//!
//! Lookups by time are rare, so a lock held for nanoseconds guards the few fields; the file is opened when needed.

use std::io;

use pagewire_disk::DiskFile;
use parking_lot::Mutex;

use super::PIECE;

/// Bytes of an entry.
pub(crate) const ENTRY_LEN: usize = 12;
/// Entries read at once when the file is searched.
const PAGE_ENTRIES: u64 = 341;

/// One entry: no record at or below the offset has a larger timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeEntry {
    /// Largest timestamp so far, ms.
    pub(crate) timestamp: i64,
    /// Last offset of the batch that has it, relative to the segment's base.
    pub(crate) relative: u32,
}

impl TimeEntry {
    fn to_bytes(self) -> [u8; ENTRY_LEN] {
        let mut bytes = [0; ENTRY_LEN];
        let (timestamp, relative) = bytes.split_at_mut(8);
        timestamp.copy_from_slice(&self.timestamp.to_be_bytes());
        relative.copy_from_slice(&self.relative.to_be_bytes());
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let timestamp = i64::from_be_bytes(*bytes.first_chunk()?);
        let relative = u32::from_be_bytes(*bytes.get(8..)?.first_chunk()?);
        Some(Self { timestamp, relative })
    }
}

#[derive(Debug, Default)]
struct State {
    /// Largest timestamp of the segment; `None` until known (closed segments) or while there is no record.
    max: Option<TimeEntry>,
    known: bool,
    /// The file's entries were seen to rise.
    judged: bool,
    /// Of the segment that is written, and of one whose entries wait for their file.
    filling: Option<Box<Filling>>,
}

/// Entries on their way into the file.
#[derive(Debug, Default)]
struct Filling {
    /// Entries in the file before `piece`.
    in_file: u32,
    piece: Vec<TimeEntry>,
    last: Option<TimeEntry>,
    /// Stands in the file where `piece` goes: the last word of an orderly stop, or of a segment that could not be
    /// closed after all. Written over by what comes.
    closing: Option<TimeEntry>,
}

impl Filling {
    /// `max`, if it is larger than that of the last entry: what a segment is closed with.
    fn last_word(&self, max: Option<TimeEntry>) -> Option<TimeEntry> {
        let newest = self.last.map_or(-1, |last| last.timestamp);
        max.filter(|max| max.timestamp > newest)
    }
}

/// Nobody has looked yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unknown;

/// The time index of one segment.
#[derive(Debug, Default)]
pub(crate) struct TimeIndex(Mutex<State>);

impl TimeIndex {
    /// Starts with an empty file.
    pub(crate) fn start_empty(&self) {
        self.start_after(0, None, None);
    }

    /// Goes on after the entries of an existing file.
    pub(crate) fn start_after(&self, entries: u32, last: Option<TimeEntry>, max: Option<TimeEntry>) {
        let filling = Filling { in_file: entries, last, ..Filling::default() };
        *self.0.lock() = State { max, known: true, judged: true, filling: Some(Box::new(filling)) };
    }

    /// The file has one more entry than it goes on after. `true` if it is what an orderly stop would write now.
    pub(crate) fn closes_with(&self, entry: TimeEntry) -> bool {
        let mut state = self.0.lock();
        let holds = state.max == Some(entry);
        match &mut state.filling {
            Some(filling) if holds && filling.piece.is_empty() => filling.closing = Some(entry),
            _ => return false,
        }
        true
    }

    /// The largest timestamp, if it is known; `Ok(None)` for a segment without one.
    pub(crate) fn max(&self) -> Result<Option<TimeEntry>, Unknown> {
        let state = self.0.lock();
        if state.known { Ok(state.max) } else { Err(Unknown) }
    }

    /// Whether somebody has looked at all of the file.
    pub(crate) fn is_judged(&self) -> bool {
        self.0.lock().judged
    }

    /// All of the file was looked at.
    pub(crate) fn set_judged(&self) {
        self.0.lock().judged = true;
    }

    /// Makes the largest timestamp known.
    pub(crate) fn set_max(&self, max: Option<TimeEntry>) {
        let mut state = self.0.lock();
        state.max = max;
        state.known = true;
    }

    /// The largest timestamp has to be looked for again.
    pub(crate) fn forget_max(&self) {
        self.0.lock().known = false;
    }

    /// A batch was appended.
    pub(crate) fn observe(&self, batch: TimeEntry) {
        let mut state = self.0.lock();
        if state.max.is_none_or(|max| batch.timestamp > max.timestamp) {
            state.max = Some(batch);
        }
    }

    /// Adds an entry for the largest timestamp if it rose. `true`: [`write`](Self::write) is due. While that fails,
    /// entries are left out.
    pub(crate) fn push(&self) -> bool {
        let mut state = self.0.lock();
        let max = state.max;
        let filling = state.filling.get_or_insert_default();
        if filling.piece.len() < PIECE
            && let Some(max) = filling.last_word(max)
        {
            filling.piece.push(max);
            filling.last = Some(max);
        }
        filling.piece.len() >= PIECE
    }

    /// Number of entries, as far as somebody fills it.
    pub(crate) fn len(&self) -> u32 {
        self.0.lock().filling.as_ref().map_or(0, |filling| filling.in_file + filling.piece.len() as u32)
    }

    /// Bytes of the entries that were written.
    pub(crate) fn len_in_file(&self) -> u64 {
        self.0.lock().filling.as_ref().map_or(0, |filling| u64::from(filling.in_file) * ENTRY_LEN as u64)
    }

    /// Whether entries wait in memory that the file does not have.
    pub(crate) fn is_dirty(&self) -> bool {
        let is_in_file = |filling: &Filling| filling.piece == Vec::from_iter(filling.closing);
        self.0
            .lock()
            .filling
            .as_ref()
            .is_some_and(|filling| !filling.piece.is_empty() && !is_in_file(filling))
    }

    /// Whether the file does not end as [`write_last`](Self::write_last) would let it end.
    pub(crate) fn lacks_last(&self) -> bool {
        let state = self.0.lock();
        state.filling.as_ref().is_some_and(|filling| {
            let end = filling.piece.iter().copied().chain(filling.last_word(state.max));
            let is_in_file = end.clone().eq(filling.closing);
            !is_in_file && end.count() > 0
        })
    }

    /// Writes the entries in memory to the file. Only the writer calls this.
    pub(crate) fn write(&self, file: &dyn DiskFile) -> io::Result<()> {
        self.write_with(file, None)
    }

    /// The same, and behind them the largest time, unless they end with it: not an entry until the segment is closed.
    /// Should it go on after all, what comes takes its place.
    pub(crate) fn write_last(&self, file: &dyn DiskFile) -> io::Result<()> {
        let word = {
            let state = self.0.lock();
            state.filling.as_ref().and_then(|filling| filling.last_word(state.max))
        };
        self.write_with(file, word)
    }

    fn write_with(&self, file: &dyn DiskFile, word: Option<TimeEntry>) -> io::Result<()> {
        let (at, bytes, written) = {
            let state = self.0.lock();
            let Some(filling) = &state.filling else { return Ok(()) };
            let entries = filling.piece.iter().copied().chain(word);
            let bytes: Vec<u8> = entries.flat_map(TimeEntry::to_bytes).collect();
            (u64::from(filling.in_file) * ENTRY_LEN as u64, bytes, filling.piece.len())
        };
        if bytes.is_empty() {
            return Ok(());
        }
        file.write_at(at, &bytes)?;
        if let Some(filling) = &mut self.0.lock().filling {
            filling.in_file += written as u32;
            filling.piece = Vec::new();
            filling.closing = word;
        }
        Ok(())
    }

    /// No more entries, and all are written: the file has them, and nobody keeps them in memory.
    pub(crate) fn close(&self) {
        self.0.lock().filling = None;
    }

    /// The last entry in memory with a timestamp at or below `timestamp`.
    pub(crate) fn floor_in_memory(&self, timestamp: i64) -> Option<TimeEntry> {
        let state = self.0.lock();
        state.filling.as_ref()?.piece.iter().rev().find(|entry| entry.timestamp <= timestamp).copied()
    }
}

/// The last entry of a file; `None` for an empty or torn one.
pub(crate) fn last_in(file: &dyn DiskFile) -> io::Result<Option<TimeEntry>> {
    let len = file.len()?;
    if len == 0 || len % ENTRY_LEN as u64 != 0 {
        return Ok(None);
    }
    let mut bytes = [0; ENTRY_LEN];
    file.read_exact_at(len - ENTRY_LEN as u64, &mut bytes)?;
    Ok(TimeEntry::parse(&bytes))
}

/// The last entry of a file at or below `timestamp`. The caller checks it against the log.
pub(crate) fn floor_in(file: &dyn DiskFile, timestamp: i64) -> io::Result<Option<TimeEntry>> {
    let entries = file.len()? / ENTRY_LEN as u64;
    let (mut low, mut high) = (0, entries.div_ceil(PAGE_ENTRIES));
    let mut page = vec![0; PAGE_ENTRIES as usize * ENTRY_LEN];
    let mut best = None;
    while low < high {
        let middle = low + (high - low) / 2;
        let count = (entries - middle * PAGE_ENTRIES).min(PAGE_ENTRIES) as usize;
        let bytes = page.get_mut(..count * ENTRY_LEN).unwrap_or_default();
        file.read_exact_at(middle * PAGE_ENTRIES * ENTRY_LEN as u64, bytes)?;
        let mut found = bytes.chunks_exact(ENTRY_LEN).filter_map(TimeEntry::parse);
        match found.by_ref().take_while(|entry| entry.timestamp <= timestamp).last() {
            Some(entry) => {
                best = Some(entry);
                low = middle + 1;
            }
            None => high = middle,
        }
    }
    Ok(best)
}

/// The beginning of a file that is believed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Loaded {
    /// How many entries.
    pub(crate) entries: u32,
    /// The last of them.
    pub(crate) last: Option<TimeEntry>,
    /// The file has more than these.
    pub(crate) is_longer: bool,
    /// The one behind them, if it is the only one.
    pub(crate) behind: Option<TimeEntry>,
}

impl Loaded {
    /// Bytes of the entries.
    pub(crate) fn len(&self) -> u64 {
        u64::from(self.entries) * ENTRY_LEN as u64
    }
}

/// Reads the entries of offsets below `upto`; `None` if they do not strictly rise in time (and not fall in offset). For
/// the active segment.
pub(crate) fn load(file: &dyn DiskFile, upto: u64) -> io::Result<Option<Loaded>> {
    let len = file.len()?;
    // Far above what any segment has: an entry per batch, a batch per 61 bytes of 2 GiB.
    if len % ENTRY_LEN as u64 != 0 || len / ENTRY_LEN as u64 > u64::from(u32::MAX) / 61 {
        return Ok(None);
    }
    let mut loaded = Loaded::default();
    let mut at = 0;
    let mut page = vec![0; len.min(PAGE_ENTRIES * ENTRY_LEN as u64) as usize];
    while at < len {
        let wanted = (len - at).min(page.len() as u64);
        let bytes = page.get_mut(..wanted as usize).unwrap_or_default();
        file.read_exact_at(at, bytes)?;
        for entry in bytes.chunks_exact(ENTRY_LEN).filter_map(TimeEntry::parse) {
            let last = loaded.last;
            if last.is_some_and(|last| entry.timestamp <= last.timestamp || entry.relative < last.relative) {
                return Ok(None);
            }
            if u64::from(entry.relative) >= upto {
                let behind = Some(entry).filter(|_| loaded.len() + ENTRY_LEN as u64 == len);
                return Ok(Some(Loaded { is_longer: true, behind, ..loaded }));
            }
            loaded.last = Some(entry);
            loaded.entries += 1;
        }
        at += wanted;
    }
    Ok(Some(loaded))
}

#[cfg(test)]
#[path = "time_tests.rs"]
mod tests;

//! The index of aborted transactions beside a segment, in Kafka's format: what `read_committed` readers must leave out.
//!
//! ```text
//!  .txnindex   | version i16 = 0 | producer id i64 | first offset i64 | last offset i64 | last stable offset i64 |
//! ```
//!
//! An entry stands in the segment that holds the transaction's ABORT marker, at the marker's offset (`last offset`), so
//! entries rise by it. Its last stable offset is the one after the marker: the first offset of the earliest transaction
//! still open then, or the offset after the marker; it never falls from one entry to the next. Transactions without
//! data have no entry, and a segment without entries has no file.
//!
//! An entry is in the file before its marker is in the log, so a marker that readers can see has its entry. What a
//! crash leaves beyond that is found at the next start, because entries are counted against the log.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use pagewire_disk::{Disk, DiskFile, OpenMode, read_small};

use crate::handles::LazySlot;
use crate::patience::Patience;
use crate::segment::flow::SyncError;
use crate::segment::packed::Packed;
use crate::segment::{Segment, names};

/// Bytes of an entry.
pub(crate) const ENTRY_LEN: usize = 34;
/// Of an entry.
pub(crate) const VERSION: i16 = 0;
/// Entries read at once by a lookup.
const PAGE_ENTRIES: u32 = 120;
/// More than any segment has: a marker takes 78 bytes of log, a segment at most 2 GiB.
const FILE_MAX: u64 = ENTRY_LEN as u64 * ((1 << 31) / 78);

/// A transaction that was aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbortedTxn {
    /// Whose it was.
    pub producer_id: i64,
    /// Offset of its first record in this partition.
    pub first_offset: i64,
    /// Offset of its ABORT marker.
    pub last_offset: i64,
    /// The last stable offset when the marker had been appended.
    pub last_stable_offset: i64,
}

impl AbortedTxn {
    /// The entry's bytes.
    pub fn to_bytes(self) -> [u8; ENTRY_LEN] {
        let mut bytes = [0; ENTRY_LEN];
        let (version, rest) = bytes.split_at_mut(2);
        version.copy_from_slice(&VERSION.to_be_bytes());
        let fields = [self.producer_id, self.first_offset, self.last_offset, self.last_stable_offset];
        for (to, field) in rest.chunks_exact_mut(8).zip(fields) {
            to.copy_from_slice(&field.to_be_bytes());
        }
        bytes
    }

    /// Reads one entry; `None` for a version that is not known.
    pub fn parse(bytes: &[u8; ENTRY_LEN]) -> Option<Self> {
        Self::fields(bytes).filter(|(version, _)| *version == VERSION).map(|(_, txn)| txn)
    }

    /// The version of an entry, and its other fields as version 0 has them.
    pub(crate) fn fields(bytes: &[u8; ENTRY_LEN]) -> Option<(i16, Self)> {
        let (version, mut rest) = bytes.split_first_chunk::<2>()?;
        let mut field = || {
            let (field, after) = rest.split_first_chunk::<8>()?;
            rest = after;
            Some(i64::from_be_bytes(*field))
        };
        let (producer_id, first_offset, last_offset, last_stable_offset) =
            (field()?, field()?, field()?, field()?);
        let txn = Self { producer_id, first_offset, last_offset, last_stable_offset };
        Some((i16::from_be_bytes(*version), txn))
    }

    /// Whether records of it may lie in `from..upto`.
    fn touches(&self, from: i64, upto: i64) -> bool {
        self.last_offset >= from && self.first_offset < upto
    }
}

/// The entries of a file's bytes, or what is wrong with them in themselves. Which offsets they may have is not looked
/// at.
pub fn decode_txn_index(bytes: &[u8]) -> Result<Vec<AbortedTxn>, &'static str> {
    let (entries, rest) = bytes.as_chunks::<ENTRY_LEN>();
    if !rest.is_empty() {
        return Err("not whole entries");
    }
    let mut found: Vec<AbortedTxn> = Vec::with_capacity(entries.len());
    for bytes in entries {
        let entry = AbortedTxn::parse(bytes).ok_or("unknown version")?;
        if entry.producer_id < 0 || entry.first_offset < 0 || entry.first_offset >= entry.last_offset {
            return Err("an entry is no transaction");
        }
        if entry.last_stable_offset < 0 || entry.last_stable_offset > entry.last_offset + 1 {
            return Err("a last stable offset past its marker");
        }
        if let Some(before) = found.last()
            && (entry.last_offset <= before.last_offset
                || entry.last_stable_offset < before.last_stable_offset)
        {
            return Err("entries do not rise");
        }
        found.push(entry);
    }
    Ok(found)
}

/// Whether these can be the entries of a segment that holds the offsets `base..end`.
pub(crate) fn check(entries: &[AbortedTxn], base: i64, end: i64) -> Result<(), &'static str> {
    let holds = |entry: &AbortedTxn| (base..end).contains(&entry.last_offset);
    if entries.iter().all(holds) { Ok(()) } else { Err("a marker that is not in the segment") }
}

/// Reads a whole file; no entries if there is no file. `InvalidData` says what is wrong with it.
pub(crate) fn read(disk: &dyn Disk, path: &Path) -> io::Result<Vec<AbortedTxn>> {
    let bytes = match read_small(disk, path, FILE_MAX) {
        Err(error) if error.kind() == ErrorKind::FileTooLarge => {
            return Err(io::Error::new(ErrorKind::InvalidData, "longer than any segment's"));
        }
        bytes => bytes?.unwrap_or_default(),
    };
    decode_txn_index(&bytes).map_err(|reason| io::Error::new(ErrorKind::InvalidData, reason))
}

/// Writes a whole file in place of what is there; removes it if there are no entries. Not synced.
pub(crate) fn write(disk: &dyn Disk, path: &Path, entries: &[AbortedTxn]) -> io::Result<()> {
    if entries.is_empty() {
        return match disk.remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let (file, bytes) = (disk.open(path, OpenMode::Create)?, encode(entries));
    file.set_len(bytes.len() as u64)?;
    file.write_at(0, &bytes)
}

/// A file's bytes.
pub(crate) fn encode(entries: &[AbortedTxn]) -> Vec<u8> {
    entries.iter().flat_map(|entry| entry.to_bytes()).collect()
}

/// [`TxnIndex::sum`] of entries as a file has them.
pub(crate) fn sum(base: i64, entries: &[AbortedTxn]) -> u32 {
    if entries.is_empty() { 0 } else { sum_of(base, crc32c::crc32c(&encode(entries))) }
}

/// The same of the first none, the first one, the first two and so on.
pub(crate) fn sums(base: i64, entries: &[AbortedTxn]) -> impl Iterator<Item = u32> {
    let mut crc = crc32c::crc32c(&[]);
    let grown = entries.iter().map(move |entry| {
        crc = crc32c::crc32c_append(crc, &entry.to_bytes());
        sum_of(base, crc)
    });
    std::iter::once(0).chain(grown)
}

fn sum_of(base: i64, crc: u32) -> u32 {
    crc32c::crc32c_append(crc, &base.to_be_bytes())
}

/// The first entries of an index: how many, and their CRC-32C.
#[derive(Debug, Clone, Copy)]
pub(crate) struct First {
    count: u32,
    crc: u32,
}

impl First {
    fn of(entries: &[AbortedTxn]) -> Self {
        let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        Self { count, crc: crc32c::crc32c(&encode(entries)) }
    }

    fn sum(self, base: i64) -> u32 {
        if self.count == 0 { 0 } else { sum_of(base, self.crc) }
    }
}

/// [`First`] entries that are others by and by.
#[derive(Debug, Default)]
struct FirstCell(Packed);

impl FirstCell {
    fn load(&self) -> First {
        let (count, crc) = self.0.load();
        First { count: count as u32, crc: crc as u32 }
    }

    fn store(&self, First { count, crc }: First) {
        self.0.store(count.into(), crc.into());
    }
}

/// The index of one segment: how many entries its file has, and the file while it is open.
#[derive(Debug, Default)]
pub(crate) struct TxnIndex {
    /// Those that readers may look at.
    published: FirstCell,
    /// As many are on stable storage.
    synced: AtomicU32,
    /// CRC-32C with the entry that is written but not published.
    next_crc: AtomicU32,
    /// Those that are on stable storage, and their markers too.
    stable: FirstCell,
    /// It is written down that there are some.
    named: AtomicBool,
    slot: LazySlot,
}

impl TxnIndex {
    /// Number of entries readers may look at.
    pub(crate) fn len(&self) -> u32 {
        self.published.load().count
    }

    /// The file has these entries, on stable storage or not yet: a process that was killed leaves some that only a
    /// later sync makes stable.
    pub(crate) fn set(&self, entries: &[AbortedTxn], synced: bool) {
        let all = First::of(entries);
        self.published.store(all);
        self.synced.store(if synced { all.count } else { 0 }, Ordering::Release);
    }

    /// Of these, its first ones, the markers are on stable storage as well.
    pub(crate) fn set_stable(&self, entries: &[AbortedTxn]) {
        self.stable.store(First::of(entries));
    }

    /// Everything is on stable storage, the markers too.
    pub(crate) fn settle(&self) {
        let all = self.published.load();
        self.synced.store(all.count, Ordering::Release);
        self.stable.store(all);
    }

    /// The markers of these, whose entries were synced, are on stable storage.
    pub(crate) fn note_stable(&self, first: First) {
        if !self.has_stable(first) {
            self.stable.store(first);
        }
    }

    /// Whether it was noted that these are.
    pub(crate) fn has_stable(&self, first: First) -> bool {
        self.stable.load().count >= first.count
    }

    /// A number that tells these entries of the segment at `base` from others; 0 without entries.
    pub(crate) fn sum(&self, base: i64) -> u32 {
        self.published.load().sum(base)
    }

    /// [`sum`](Self::sum) of the first ones, which a power cut leaves, and their markers.
    pub(crate) fn sum_of_stable(&self, base: i64) -> u32 {
        self.stable.load().sum(base)
    }

    /// Whether it is written down that there are entries.
    pub(crate) fn is_named(&self) -> bool {
        self.named.load(Ordering::Acquire)
    }

    /// It is.
    pub(crate) fn note_named(&self) {
        self.named.store(true, Ordering::Release);
    }
}

impl Segment {
    fn txn_file(&self, patience: Patience, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        self.home.handles.get(&self.txns.slot, || {
            patience.or_would_block()?;
            self.open(names::TXN_INDEX, mode)
        })
    }

    /// Writes an entry for a marker that is about to be appended. Readers see it with
    /// [`publish_aborted`](Self::publish_aborted); until then the next one takes its place. Only the writer calls this.
    pub(crate) fn write_aborted(&self, entry: AbortedTxn) -> io::Result<()> {
        // Before the file is there to be closed, and behind what a sync that has begun covers.
        self.txns.slot.note_write();
        let file = self.txn_file(Patience::Endless, OpenMode::Create)?;
        let bytes = entry.to_bytes();
        let crc = crc32c::crc32c_append(self.txns.published.load().crc, &bytes);
        self.txns.next_crc.store(crc, Ordering::Relaxed);
        let written = file.write_at(u64::from(self.txns.len()) * ENTRY_LEN as u64, &bytes);
        self.txns.slot.note_write();
        written
    }

    /// The marker of the entry last written is in the log. Before the marks say so.
    pub(crate) fn publish_aborted(&self) {
        let crc = self.txns.next_crc.load(Ordering::Relaxed);
        self.txns.published.store(First { count: self.txns.len() + 1, crc });
    }

    /// Cuts off an entry whose marker did not get into the log after all, if there is one.
    pub(crate) fn trim_aborted(&self) -> io::Result<()> {
        match self.txn_file(Patience::Endless, OpenMode::ReadWrite) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            file => {
                file?.set_len(u64::from(self.txns.len()) * ENTRY_LEN as u64)?;
                if self.txns.synced.load(Ordering::Acquire) >= self.txns.len() {
                    self.txns.slot.note_sync(self.txns.slot.writes());
                }
                Ok(())
            }
        }
    }

    /// fdatasync of the entries that are not stable. Before the recovery point passes their markers: below it the file
    /// is believed. Returns those that are: their markers are in the log, and stable once that was synced after this.
    pub(crate) fn sync_aborted(&self) -> Result<First, SyncError> {
        let published = self.txns.published.load();
        let entries = published.count;
        if self.txns.synced.load(Ordering::Acquire) < entries {
            let file = self.txn_file(Patience::Endless, OpenMode::ReadWrite).map_err(SyncError::NotBegun)?;
            let writes = self.txns.slot.writes();
            file.sync_data().map_err(SyncError::Failed)?;
            self.txns.slot.note_sync(writes);
            self.txns.synced.fetch_max(entries, Ordering::AcqRel);
        }
        Ok(published)
    }

    /// Adds to `found` the aborted transactions of this segment's markers with records in `from..upto`. `true`: later
    /// segments have none, because the last stable offset had passed `upto`.
    pub(crate) fn aborted(
        &self,
        from: i64,
        upto: i64,
        patience: Patience,
        found: &mut Vec<AbortedTxn>,
    ) -> io::Result<bool> {
        self.visit_aborted(from, patience, |entry| {
            if entry.touches(from, upto) {
                found.push(entry);
            }
            entry.last_stable_offset >= upto
        })
    }

    /// Shows the aborted transactions of this segment's markers at or above `from`, in their order, until `visit` has seen
    /// enough; whether it had.
    pub(crate) fn visit_aborted(
        &self,
        from: i64,
        patience: Patience,
        mut visit: impl FnMut(AbortedTxn) -> bool,
    ) -> io::Result<bool> {
        let entries = self.txns.len();
        if entries == 0 {
            return Ok(false);
        }
        let file = self.txn_file(patience, OpenMode::ReadWrite)?;
        let mut at = page_since(&*file, entries, from, patience)?;
        let mut page = [0; PAGE_ENTRIES as usize * ENTRY_LEN];
        while at < entries {
            let count = (entries - at).min(PAGE_ENTRIES);
            for entry in read_entries(&*file, at, count, &mut page, patience)? {
                let entry = entry?;
                if entry.last_offset >= from && visit(entry) {
                    return Ok(true);
                }
            }
            at += count;
        }
        Ok(false)
    }
}

/// An entry before which no marker is at or above `from`, and from which on a page has the first that is.
fn page_since(file: &dyn DiskFile, entries: u32, from: i64, patience: Patience) -> io::Result<u32> {
    let (mut low, mut high) = (0, entries);
    let mut one = [0; ENTRY_LEN];
    while high - low > PAGE_ENTRIES {
        let middle = low + (high - low) / 2;
        let entry = read_entries(file, middle, 1, &mut one, patience)?.next().transpose()?;
        if entry.is_some_and(|entry| entry.last_offset < from) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

fn read_entries<'p>(
    file: &dyn DiskFile,
    first: u32,
    count: u32,
    page: &'p mut [u8],
    patience: Patience,
) -> io::Result<impl Iterator<Item = io::Result<AbortedTxn>> + use<'p>> {
    let bytes = page.get_mut(..count as usize * ENTRY_LEN).unwrap_or_default();
    patience.read_exact_at(file, u64::from(first) * ENTRY_LEN as u64, bytes)?;
    let bad = || io::Error::new(ErrorKind::InvalidData, "the index of aborted transactions is damaged");
    Ok(bytes.as_chunks::<ENTRY_LEN>().0.iter().map(move |bytes| AbortedTxn::parse(bytes).ok_or_else(bad)))
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;

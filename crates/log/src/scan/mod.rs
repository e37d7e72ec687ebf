//! Walks the batches of a segment file, header by header, with or without their CRC.
//!
//! Small batches are walked through one window of memory, large ones are skipped over: what a scan costs is headers,
//! not bytes, unless the CRC is asked for.

pub(crate) mod derive;
pub(crate) mod headers;
pub(crate) mod largest;
pub(crate) mod order;
pub(crate) mod walk;
pub(crate) mod window;

use std::io;
use std::sync::Arc;

use pagewire_disk::DiskFile;
use pagewire_record::batch::Batch;
use pagewire_record::header::CRC_START;
use pagewire_record::{BatchError, BatchHeader, HEADER_LEN, fits};

use crate::patience::Patience;
use crate::scan::window::Window;
use crate::scrub::{KnownDamage, Stretches};

/// A window for one lookup: a few headers.
pub(crate) const WINDOW_LOOKUP: usize = 1024;
/// A window for walking a file. Below the size from which allocators hand out buffers that copy slowly.
pub(crate) const WINDOW_WALK: usize = 64 * 1024;

/// A batch found in a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    /// Where it begins.
    pub(crate) position: u64,
    /// Its header.
    pub(crate) header: BatchHeader,
}

impl Found {
    /// Where the next one begins.
    pub(crate) fn end(&self) -> u64 {
        self.position + self.header.size_in_bytes()
    }
}

/// Why a walk ended before the end.
#[derive(Debug)]
pub(crate) enum ScanError {
    /// The disk said no.
    Io(io::Error),
    /// No believable batch here.
    Bad { position: u64, reason: String },
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The walk. Ends at `end`, or after the first error.
pub(crate) struct Scanner<'a> {
    window: Window<'a>,
    window_max: usize,
    position: u64,
    expected: i64,
    last_size: u64,
    /// CRCs of batches that end past this position are checked.
    verify_from: u64,
    contiguous_from: i64,
    upto: i64,
    /// Where the last batch begins, and what was due there.
    last: Option<(u64, i64)>,
    around: Option<Arc<Stretches>>,
}

impl<'a> Scanner<'a> {
    /// Walks `file` from `position`, where a batch begins, to `end`. Base offsets below `expected`, or below the
    /// batch before, are not believed.
    pub(crate) fn new(
        file: &'a dyn DiskFile,
        position: u64,
        end: u64,
        expected: i64,
        window_max: usize,
    ) -> Self {
        let window = Window::new(file, end, window_max);
        let (contiguous_from, upto) = (i64::MAX, i64::MAX);
        Self {
            window,
            window_max,
            position,
            expected,
            last_size: 0,
            verify_from: u64::MAX,
            contiguous_from,
            upto,
            last: None,
            around: None,
        }
    }

    /// Reads no further than it may without waiting.
    pub(crate) fn with(mut self, patience: Patience) -> Self {
        self.window = self.window.with(patience);
        self
    }

    /// Checks CRCs as well, of batches that end past `position`.
    pub(crate) fn verifying_from(mut self, position: u64) -> Self {
        self.verify_from = position;
        self
    }

    /// Where the walk stands: the end of the last believed batch.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Believes no hole between batches that reaches past `offset`: base offsets are not covered by the CRC, only their
    /// order speaks for them.
    pub(crate) fn contiguous_from(mut self, offset: i64) -> Self {
        self.contiguous_from = offset;
        self
    }

    /// Believes no batch that reaches past `offset`.
    pub(crate) fn upto(mut self, offset: i64) -> Self {
        self.upto = offset;
        self
    }

    /// Passes by what is known to be damaged.
    pub(crate) fn around(mut self, damage: &KnownDamage) -> Self {
        self.pass_around(damage);
        self
    }

    /// The same of what is known by now.
    pub(crate) fn pass_around(&mut self, damage: &KnownDamage) {
        self.around = damage.shared();
    }

    /// Where it looks for the next batch.
    pub(crate) fn comes_to(&mut self) -> u64 {
        self.pass_by();
        self.position
    }

    /// Where it ends at the latest.
    pub(crate) fn end(&self) -> u64 {
        self.window.end()
    }

    /// Goes on behind bytes that are not believed, with a batch at `position` that has this base offset.
    pub(crate) fn resume(&mut self, position: u64, expected: i64) {
        (self.position, self.expected, self.last) = (position, expected, None);
    }

    /// Where the last batch begins, and the offset that was due there.
    pub(crate) fn last(&self) -> Option<(u64, i64)> {
        self.last
    }

    /// Base offsets below are not believed.
    pub(crate) fn expected(&self) -> i64 {
        self.expected
    }

    /// Leaves a stretch that is known to be damaged.
    fn pass_by(&mut self) {
        let Some(known) = &self.around else { return };
        if let Some(stretch) = known.ending_behind(self.position)
            && stretch.begin() <= self.position
        {
            self.resume(stretch.end(), stretch.next_offset);
        }
    }

    /// Goes back to a batch just found, so that it is the next one again.
    pub(crate) fn rewind(&mut self, found: &Found) {
        self.position = found.position;
        self.expected = found.header.base_offset;
    }

    /// The next batch; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Found>, ScanError> {
        self.pass_by();
        if self.position >= self.window.end() {
            return Ok(None);
        }
        let left = self.window.end() - self.position;
        let header =
            BatchHeader::parse(self.header_bytes()?).map_err(|error| self.bad(describe(&error, left)))?;
        fits(&header, left, &(self.expected..self.upto)).map_err(|what| self.bad(what))?;
        let (base, expected) = (header.base_offset, self.expected);
        if base > expected.max(self.contiguous_from) {
            return Err(self.bad(format!("its header says offset {base}, where {expected} comes next")));
        }
        let found = Found { position: self.position, header };
        if found.end() > self.verify_from {
            self.check_crc(&header)?;
        }
        self.pass(&found);
        Ok(Some(found))
    }

    /// Goes on behind a batch at the position it is at.
    pub(crate) fn pass(&mut self, found: &Found) {
        self.last = Some((self.position, self.expected));
        self.position = found.end();
        self.expected = found.header.next_offset();
        self.last_size = found.header.size_in_bytes();
    }

    fn bad(&self, reason: String) -> ScanError {
        ScanError::Bad { position: self.position, reason }
    }

    /// The next header. Behind a long batch nothing is read ahead: another one may follow.
    fn header_bytes(&mut self) -> io::Result<&[u8]> {
        if self.last_size > self.window_max as u64 {
            self.window.only_at(self.position, HEADER_LEN)
        } else {
            self.window.at(self.position, HEADER_LEN)
        }
    }

    fn check_crc(&mut self, header: &BatchHeader) -> Result<(), ScanError> {
        let covered = self.position + CRC_START as u64..self.position + header.size_in_bytes();
        match self.window.crc(covered.start, covered.end)? {
            Some(crc) if crc == header.crc => Ok(()),
            Some(computed) => {
                Err(self.bad(BatchError::Checksum { stored: header.crc, computed }.to_string()))
            }
            None => Err(self.bad("the file is shorter than its length".to_owned())),
        }
    }
}

/// Reads the one batch `found` whole, for its records.
pub(crate) fn read_whole(file: &dyn DiskFile, found: &Found) -> io::Result<Vec<u8>> {
    // The size was checked against the file's length by the walk that found it.
    let mut bytes = vec![0; found.header.size_in_bytes() as usize];
    file.read_exact_at(found.position, &mut bytes)?;
    match Batch::first(&bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
    }
}

fn describe(error: &BatchError, left: u64) -> String {
    match error {
        BatchError::Truncated { .. } => format!("{left} bytes, less than a batch header"),
        other => other.to_string(),
    }
}

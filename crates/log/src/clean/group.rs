//! Which neighbouring segments become one: as many as fit a segment by bytes, index entries and offsets. Pure.
//!
//! Kafka counts what the segments are before they are cleaned, and leaves a segment for each that was full, be there nothing left
//! in it, until the next clean. Here counts what was written so far. The next one may be kept whole, so it has to fit as it is.

use crate::config::LogConfig;
use crate::index::{offset, time};

/// Longer ones stay alone, whatever `segment.bytes` says: what is compressed again may grow, and positions have 31 bits.
const SIZE_MAX: u64 = (i32::MAX - i32::MAX / 8) as u64;
/// A group ends when so many bytes were read for it, or so many times the bytes that a segment may have: whoever stops in the
/// middle of a group has done the work for nothing.
const READ_MAX: u64 = 1 << 30;
const READ_SEGMENTS_MAX: u64 = 4;

/// A segment that is to be written anew.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) base_offset: i64,
    /// The offset after its last record.
    pub(super) next_offset: i64,
    pub(super) size: u64,
}

/// What a group has come to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    base_offset: i64,
    /// Bytes of the segments in it.
    read: u64,
    /// Bytes of what was left of them.
    written: u64,
}

impl Group {
    /// One that begins with this piece, which is to be [added](Self::add).
    pub(super) fn beginning_with(first: &Piece) -> Self {
        Self { base_offset: first.base_offset, read: 0, written: 0 }
    }

    /// The piece is in it; what is written has so many bytes now.
    pub(super) fn add(&mut self, piece: &Piece, written: u64) {
        self.read += piece.size;
        self.written = written;
    }

    /// Whether the next one still fits.
    pub(super) fn takes(&self, piece: &Piece, config: &LogConfig) -> bool {
        let (size, limit) = (self.written + piece.size, config.segment_limit().min(SIZE_MAX));
        // An entry comes after more than the interval, so there are no more than this.
        let entries = size / u64::from(config.index_interval_bytes.max(1));
        let entry_len = offset::ENTRY_LEN.max(time::ENTRY_LEN) as u64;
        let last_offset = piece.next_offset - 1;
        size <= limit
            && self.read + piece.size <= READ_MAX.max(limit.saturating_mul(READ_SEGMENTS_MAX))
            && entries * entry_len <= u64::from(config.segment_index_bytes)
            && last_offset - self.base_offset
                <= if piece.size == 0 { i64::from(u32::MAX) - 1 } else { i64::from(i32::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;

    fn piece(base_offset: i64, offsets: i64, size: u64) -> Piece {
        Piece { base_offset, next_offset: base_offset + offsets, size }
    }

    fn config() -> LogConfig {
        LogConfig {
            segment_bytes: 1000,
            index_interval_bytes: 10,
            segment_index_bytes: 1200,
            ..LogConfig::default()
        }
    }

    /// The groups that come of `pieces`, of each of which one part in `kept` is written.
    fn groups(pieces: &[Piece], config: &LogConfig, kept: u64) -> Vec<Range<usize>> {
        let (mut groups, mut at) = (Vec::new(), 0);
        while let Some(first) = pieces.get(at) {
            let (begun, mut group, mut written) = (at, Group::beginning_with(first), 0);
            while let Some(piece) = pieces.get(at).filter(|piece| at == begun || group.takes(piece, config)) {
                written += piece.size.checked_div(kept).unwrap_or(0);
                group.add(piece, written);
                at += 1;
            }
            groups.push(begun..at);
        }
        groups
    }

    #[test]
    fn neighbours_that_fit_one_segment_become_one() {
        let pieces =
            [piece(0, 10, 400), piece(10, 10, 600), piece(20, 10, 1), piece(30, 10, 999), piece(40, 10, 5)];
        assert_eq!(groups(&pieces, &config(), 1), [0..2, 2..4, 4..5]);
    }

    #[test]
    fn what_was_left_of_segments_counts_and_not_what_they_were() {
        let full: Vec<Piece> = (0..30).map(|at| piece(at * 10, 10, 1000)).collect();
        assert_eq!(groups(&full, &config(), 1).len(), 30);
        assert_eq!(groups(&full, &config(), 0), [0..30], "nothing was left");
        let half: Vec<Piece> = (0..4).map(|at| piece(at * 10, 10, 500)).collect();
        assert_eq!(groups(&half, &config(), 2), [0..3, 3..4], "250, 500, and 500 more fit; then none");
    }

    #[test]
    fn a_group_that_comes_to_nothing_ends_before_too_much_work_hangs_on_it() {
        let config = LogConfig { segment_bytes: 1 << 30, ..config() };
        let full: Vec<Piece> = (0..10).map(|at| piece(at * 10, 10, 1 << 30)).collect();
        assert_eq!(
            groups(&full, &LogConfig { index_interval_bytes: 1 << 30, ..config }, 0),
            [0..4, 4..8, 8..10]
        );
    }

    #[test]
    fn a_segment_that_is_too_long_already_stays_alone() {
        let pieces = [piece(0, 10, 5000), piece(10, 10, 1), piece(20, 10, 5000)];
        assert_eq!(groups(&pieces, &config(), 1), [0..1, 1..2, 2..3]);
    }

    #[test]
    fn an_index_that_would_be_full_ends_a_group() {
        let config = LogConfig { segment_index_bytes: 12 * 50, ..config() };
        assert_eq!(
            groups(&[piece(0, 10, 300), piece(10, 10, 200), piece(20, 10, 10)], &config, 1),
            [0..2, 2..3]
        );
    }

    #[test]
    fn offsets_in_one_segment_stay_within_31_bits() {
        let far = i64::from(i32::MAX);
        let pieces = [piece(0, 10, 1), piece(10, far - 10 + 1, 1), piece(far + 1, 10, 1)];
        assert_eq!(groups(&pieces, &config(), 1), [0..2, 2..3]);
        let emptied = [piece(0, 10, 1), piece(10, far, 0), piece(far + 10, 10, 1)];
        assert_eq!(groups(&emptied, &config(), 1), [0..2, 2..3]);
        let farther =
            [piece(0, 10, 1), piece(10, far, 0), piece(far + 10, far, 0), piece(2 * far + 10, far, 0)];
        assert_eq!(groups(&farther, &config(), 1), [0..2, 2..4], "an end takes 32 bits");
    }

    #[test]
    fn there_is_room_for_what_grows() {
        let config = LogConfig { segment_bytes: u32::MAX, index_interval_bytes: u32::MAX, ..config() };
        let half = 1 << 30;
        assert_eq!(groups(&[piece(0, 10, half), piece(10, 10, half)], &config, 1), [0..1, 1..2]);
    }
}

//! Which neighbouring segments become one, as in Kafka: as many as fit a segment by bytes, index entries and offsets,
//! counted before they are cleaned. So one that was full stays one, be there nothing left in it, until the next clean
//! takes it to its neighbours; and retention, which goes by segments, deletes what it would in Kafka. Pure.

use crate::config::LogConfig;

/// Longer ones stay alone, whatever `segment.bytes` says: what is compressed again may grow, and positions have 31
/// bits.
const SIZE_MAX: u64 = (i32::MAX - i32::MAX / 8) as u64;

/// A segment that is to be written anew.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) base_offset: i64,
    /// The offset after its last record.
    pub(super) next_offset: i64,
    pub(super) size: u64,
    /// Bytes of its `.index`.
    pub(super) offset_index: u64,
    /// Bytes of its `.timeindex`.
    pub(super) time_index: u64,
}

/// What a group has come to.
#[derive(Debug, Clone, Copy)]
struct Sum {
    base_offset: i64,
    size: u64,
    offset_index: u64,
    time_index: u64,
}

impl Sum {
    fn of(first: &Piece) -> Self {
        let Piece { base_offset, size, offset_index, time_index, .. } = *first;
        Self { base_offset, size, offset_index, time_index }
    }

    /// With the next one.
    fn with(self, piece: &Piece) -> Self {
        Self {
            base_offset: self.base_offset,
            size: self.size + piece.size,
            offset_index: self.offset_index + piece.offset_index,
            time_index: self.time_index + piece.time_index,
        }
    }

    /// Whether a segment of this sum, of which `last` is the last piece, is not too long. What is written anew is hardly ever
    /// longer than before.
    fn fits(&self, last: &Piece, config: &LogConfig) -> bool {
        let index_max = u64::from(config.segment_index_bytes);
        let offsets = last.next_offset - 1 - self.base_offset;
        let offsets_max = if last.size == 0 { i64::from(u32::MAX) - 1 } else { i64::from(i32::MAX) };
        self.size <= config.segment_limit().min(SIZE_MAX)
            && self.offset_index.max(self.time_index) <= index_max
            && offsets <= offsets_max
    }
}

/// How many of `pieces`, oldest first, the first group has; none of none.
pub(super) fn first_group(pieces: &[Piece], config: &LogConfig) -> usize {
    let Some(first) = pieces.first() else { return 0 };
    let mut sum = Sum::of(first);
    let follow = pieces.iter().skip(1).take_while(|piece| {
        sum = sum.with(piece);
        sum.fits(piece, config)
    });
    1 + follow.count()
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;

    fn piece(base_offset: i64, offsets: i64, size: u64) -> Piece {
        Piece { base_offset, next_offset: base_offset + offsets, size, offset_index: 8, time_index: 12 }
    }

    fn config() -> LogConfig {
        LogConfig { segment_bytes: 1000, segment_index_bytes: 120, ..LogConfig::default() }
    }

    fn groups(pieces: &[Piece], config: &LogConfig) -> Vec<Range<usize>> {
        let (mut groups, mut at) = (Vec::new(), 0);
        while let Some(left) = pieces.get(at..).filter(|left| !left.is_empty()) {
            let end = at + first_group(left, config);
            groups.push(at..end);
            at = end;
        }
        groups
    }

    #[test]
    fn neighbours_that_fit_one_segment_become_one() {
        let pieces =
            [piece(0, 10, 400), piece(10, 10, 600), piece(20, 10, 1), piece(30, 10, 999), piece(40, 10, 5)];
        assert_eq!(groups(&pieces, &config()), [0..2, 2..4, 4..5]);
    }

    #[test]
    fn a_segment_that_is_too_long_already_stays_alone() {
        let pieces = [piece(0, 10, 5000), piece(10, 10, 1), piece(20, 10, 5000)];
        assert_eq!(groups(&pieces, &config()), [0..1, 1..2, 2..3]);
    }

    #[test]
    fn an_index_that_would_be_full_ends_a_group() {
        let of = |offset_index, time_index| move |at| Piece { offset_index, time_index, ..piece(at, 10, 1) };
        let three = |of: &dyn Fn(i64) -> Piece| groups(&[of(0), of(10), of(20)], &config());
        assert_eq!(three(&of(40, 40)).len(), 1);
        assert_eq!(three(&of(60, 12)), [0..2, 2..3]);
        assert_eq!(three(&of(8, 60)), [0..2, 2..3]);
    }

    #[test]
    fn what_counts_is_how_long_the_indexes_are_not_how_long_they_may_become() {
        let config = LogConfig { index_interval_bytes: 0, ..config() };
        assert_eq!(first_group(&[piece(0, 10, 400), piece(10, 10, 400)], &config), 2);
    }

    #[test]
    fn offsets_in_one_segment_stay_within_31_bits() {
        let far = i64::from(i32::MAX);
        let pieces = [piece(0, 10, 1), piece(10, far - 10 + 1, 1), piece(far + 1, 10, 1)];
        assert_eq!(groups(&pieces, &config()), [0..2, 2..3]);
        let emptied = [piece(0, 10, 1), piece(10, far, 0), piece(far + 10, 10, 1)];
        assert_eq!(groups(&emptied, &config()), [0..2, 2..3]);
        let farther =
            [piece(0, 10, 1), piece(10, far, 0), piece(far + 10, far, 0), piece(2 * far + 10, far, 0)];
        assert_eq!(groups(&farther, &config()), [0..2, 2..4], "an end takes 32 bits");
    }

    #[test]
    fn there_is_room_for_what_grows() {
        let config = LogConfig { segment_bytes: u32::MAX, ..config() };
        let half = 1 << 30;
        assert_eq!(groups(&[piece(0, 10, half), piece(10, 10, half)], &config), [0..1, 1..2]);
    }
}

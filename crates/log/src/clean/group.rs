//! Which neighbouring segments become one, as in Kafka: as many as fit a segment by bytes, index entries and offsets,
//! counted before they are cleaned. So one that was full stays one, be there nothing left in it, until the next clean
//! takes it to its neighbours; and retention, which goes by segments, deletes what it would in Kafka. Pure.

use crate::config::LogConfig;
use crate::index::{offset, time};

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
}

/// What a group has come to.
#[derive(Debug, Clone, Copy)]
struct Sum {
    base_offset: i64,
    size: u64,
}

impl Sum {
    /// Whether the next one still fits. What is written anew is hardly ever longer than before.
    fn takes(&self, piece: &Piece, config: &LogConfig) -> bool {
        let size = self.size + piece.size;
        // An entry comes after more than the interval, so there are no more than this.
        let entries = size / u64::from(config.index_interval_bytes.max(1));
        let entry_len = offset::ENTRY_LEN.max(time::ENTRY_LEN) as u64;
        let last_offset = piece.next_offset - 1;
        size <= config.segment_limit().min(SIZE_MAX)
            && entries * entry_len <= u64::from(config.segment_index_bytes)
            && last_offset - self.base_offset
                <= if piece.size == 0 { i64::from(u32::MAX) - 1 } else { i64::from(i32::MAX) }
    }
}

/// How many of `pieces`, oldest first, the first group has; none of none.
pub(super) fn first_group(pieces: &[Piece], config: &LogConfig) -> usize {
    let Some(first) = pieces.first() else { return 0 };
    let mut sum = Sum { base_offset: first.base_offset, size: first.size };
    let follow = pieces.iter().skip(1).take_while(|piece| {
        let takes = sum.takes(piece, config);
        sum.size += piece.size;
        takes
    });
    1 + follow.count()
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
        let config = LogConfig { segment_index_bytes: 12 * 50, ..config() };
        assert_eq!(
            groups(&[piece(0, 10, 300), piece(10, 10, 200), piece(20, 10, 10)], &config),
            [0..2, 2..3]
        );
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
        let config = LogConfig { segment_bytes: u32::MAX, index_interval_bytes: u32::MAX, ..config() };
        let half = 1 << 30;
        assert_eq!(groups(&[piece(0, 10, half), piece(10, 10, half)], &config), [0..1, 1..2]);
    }
}

//! Whether a batch can lie where it was found: what its header says of offsets and length, against what lies around it.
//!
//! The CRC covers neither base offset nor length; only the order of the batches speaks for them.

use std::ops::Range;

use crate::header::BatchHeader;

/// Judges a batch of `header` with `left` bytes from its beginning to the end of its file, at a place where `offsets`
/// may come: none below what was read, none that reaches what follows. Says what is wrong.
pub fn fits(header: &BatchHeader, left: u64, offsets: &Range<i64>) -> Result<(), String> {
    let (base, delta, size) =
        (header.base_offset, i64::from(header.last_offset_delta), header.size_in_bytes());
    if size > left {
        return Err(format!("a batch of {size} bytes with {left} left in the file"));
    }
    if delta < 0 {
        return Err(format!("its header says offset {base}, and that it ends before that"));
    }
    let next = base.checked_add(delta).and_then(|last| last.checked_add(1));
    if base >= offsets.start && next.is_some_and(|next| next <= offsets.end) {
        return Ok(());
    }
    let (said, Range { start, end }) = (base.saturating_add(delta), offsets);
    Err(match end.saturating_sub(1) {
        last if last < *start => format!("its header says offsets {base} to {said}, where none can be"),
        last => format!("its header says offsets {base} to {said}, where only {start} to {last} can be"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(base_offset: i64, last_offset_delta: i32) -> Result<(), String> {
        let header = BatchHeader { base_offset, last_offset_delta, ..BatchHeader::decode(&[0; 61]) };
        fits(&header, header.size_in_bytes(), &(10..20))
    }

    #[test]
    fn offsets_rise_and_end_before_what_follows() {
        assert_eq!(judged(10, 9), Ok(()));
        assert_eq!(judged(19, 0), Ok(()));
        for (base, delta) in [(9, 0), (10, 10), (20, 0), (12, -1), (i64::MAX, 0), (i64::MAX, i32::MAX)] {
            assert!(judged(base, delta).is_err(), "{base} + {delta}");
        }
    }

    #[test]
    fn what_a_header_says_is_told_as_its_own_word_beside_what_can_be() {
        let said = |base, delta| judged(base, delta).expect_err("it cannot be");
        assert_eq!(said(7, 1), "its header says offsets 7 to 8, where only 10 to 19 can be");
        assert_eq!(said(12, -1), "its header says offset 12, and that it ends before that");
        let header = BatchHeader { base_offset: 12, ..BatchHeader::decode(&[0; 61]) };
        let none = fits(&header, header.size_in_bytes(), &(20..20));
        assert_eq!(none, Err("its header says offsets 12 to 12, where none can be".to_owned()));
    }

    #[test]
    fn a_batch_is_no_longer_than_what_is_left_of_its_file() {
        let header = BatchHeader { batch_length: 100, ..BatchHeader::decode(&[0; 61]) };
        assert_eq!(fits(&header, 112, &(0..1)), Ok(()));
        assert!(fits(&header, 111, &(0..1)).is_err_and(|what| what.contains("111 left")));
    }
}

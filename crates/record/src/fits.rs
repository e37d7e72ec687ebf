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
    let next = base.checked_add(delta).and_then(|last| last.checked_add(1));
    if base < offsets.start || delta < 0 || next.is_none() {
        return Err(format!("a batch of offsets {base} + {delta} where {} comes next", offsets.start));
    }
    if next.is_none_or(|next| next > offsets.end) {
        return Err(format!(
            "a batch of offsets {base} + {delta} where what follows begins at {}",
            offsets.end
        ));
    }
    Ok(())
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
    fn a_batch_is_no_longer_than_what_is_left_of_its_file() {
        let header = BatchHeader { batch_length: 100, ..BatchHeader::decode(&[0; 61]) };
        assert_eq!(fits(&header, 112, &(0..1)), Ok(()));
        assert!(fits(&header, 111, &(0..1)).is_err_and(|what| what.contains("111 left")));
    }
}

//! Zig-zag variable-length integers, as records use them.
//!
//! Seven bits a byte, least significant group first, the top bit says "more". Zig-zag first maps small negative
//! numbers to small positive ones: 0, -1, 1, -2 become 0, 1, 2, 3. At most 5 bytes for 32 bits and 10 for 64;
//! surplus bits in the last byte are dropped, as in Kafka's `ByteUtils`.

use thiserror::Error;

/// Most bytes a 32-bit value takes.
pub const MAX_LEN_I32: usize = 5;
/// Most bytes a 64-bit value takes.
pub const MAX_LEN_I64: usize = 10;

/// No integer can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum VarintError {
    /// The bytes end inside the integer.
    #[error("the bytes end inside a variable-length integer")]
    Eof,
    /// The integer goes on after the last byte its type allows.
    #[error("a variable-length integer is too long")]
    TooLong,
}

/// Maps a signed value to the unsigned one that is written.
#[inline]
pub const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Undoes [`zigzag`].
#[inline]
pub const fn unzigzag(value: u64) -> i64 {
    ((value >> 1) as i64) ^ -((value & 1) as i64)
}

/// Reads from a supply of bytes: the one loop behind every reader of this crate. `E` is the supply's own error.
#[inline]
pub(crate) fn read_with<E>(
    max_len: usize,
    too_long: impl FnOnce() -> E,
    mut next: impl FnMut() -> Result<u8, E>,
) -> Result<u64, E> {
    let mut value = 0u64;
    for group in 0..max_len {
        let byte = next()?;
        value |= u64::from(byte & 0x7f) << (7 * group);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(too_long())
}

/// Narrows what [`read_with`] read to 32 bits, dropping what does not fit.
#[inline]
pub(crate) const fn narrow(value: u64) -> i32 {
    unzigzag(value & 0xffff_ffff) as i32
}

/// Reads a 32-bit integer; returns it and the bytes it took.
pub fn read_i32(bytes: &[u8]) -> Result<(i32, usize), VarintError> {
    let (raw, taken) = read_raw(bytes, MAX_LEN_I32)?;
    Ok((narrow(raw), taken))
}

/// Reads a 64-bit integer; returns it and the bytes it took.
pub fn read_i64(bytes: &[u8]) -> Result<(i64, usize), VarintError> {
    let (raw, taken) = read_raw(bytes, MAX_LEN_I64)?;
    Ok((unzigzag(raw), taken))
}

fn read_raw(bytes: &[u8], max_len: usize) -> Result<(u64, usize), VarintError> {
    let mut taken = 0;
    let raw = read_with(
        max_len,
        || VarintError::TooLong,
        || {
            let byte = bytes.get(taken).copied().ok_or(VarintError::Eof)?;
            taken += 1;
            Ok(byte)
        },
    )?;
    Ok((raw, taken))
}

/// Appends a 32-bit integer.
pub fn write_i32(out: &mut Vec<u8>, value: i32) {
    write_i64(out, i64::from(value));
}

/// Appends a 64-bit integer.
pub fn write_i64(out: &mut Vec<u8>, value: i64) {
    let mut rest = zigzag(value);
    while rest >= 0x80 {
        out.push((rest as u8) | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Bytes that [`write_i32`] appends.
pub const fn len_i32(value: i32) -> usize {
    len_i64(value as i64)
}

/// Bytes that [`write_i64`] appends.
pub const fn len_i64(value: i64) -> usize {
    let bits = 64 - (zigzag(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_magnitudes_take_one_byte() {
        for (value, byte) in [(0, 0u8), (-1, 1), (1, 2), (-2, 3), (63, 126), (-64, 127)] {
            let mut out = Vec::new();
            write_i32(&mut out, value);
            assert_eq!(out, [byte]);
        }
    }

    #[test]
    fn extremes_come_back() {
        for value in [i64::MIN, i64::from(i32::MIN), -1, 0, 1, i64::from(i32::MAX), i64::MAX] {
            let mut out = Vec::new();
            write_i64(&mut out, value);
            assert_eq!(read_i64(&out), Ok((value, out.len())));
            assert!(out.len() <= MAX_LEN_I64);
        }
    }

    #[test]
    fn an_endless_integer_is_too_long_and_a_cut_one_is_eof() {
        assert_eq!(read_i32(&[0xff; 6]), Err(VarintError::TooLong));
        assert_eq!(read_i64(&[0x80; 11]), Err(VarintError::TooLong));
        assert_eq!(read_i32(&[0x80; 4]), Err(VarintError::Eof));
        assert_eq!(read_i64(&[]), Err(VarintError::Eof));
    }

    #[test]
    fn surplus_bits_are_dropped_like_kafka() {
        assert_eq!(read_i32(&[0xff, 0xff, 0xff, 0xff, 0x7f]), Ok((i32::MIN, 5)));
    }

    proptest! {
        #[test]
        fn any_value_round_trips_in_the_length_foretold(a in any::<i32>(), b in any::<i64>(), shift in 0u32..64) {
            let b = b >> shift;
            let mut out = Vec::new();
            write_i32(&mut out, a);
            prop_assert_eq!(out.len(), len_i32(a));
            write_i64(&mut out, b);
            let (got, taken) = read_i32(&out).unwrap();
            prop_assert_eq!(got, a);
            prop_assert_eq!(read_i64(&out[taken..]), Ok((b, len_i64(b))));
            prop_assert_eq!(out.len(), taken + len_i64(b));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            if let Ok((_, taken)) = read_i64(&bytes) {
                prop_assert!(taken <= bytes.len() && taken <= MAX_LEN_I64);
            }
        }
    }
}

//! CRC-32C (Castagnoli), and the arithmetic that changes a few leading bytes without reading the rest again.
//!
//! A CRC is linear: if two messages of the same length differ only in their first bytes, the difference of their
//! CRCs is the difference of the CRCs of those first bytes, carried over the length that follows. Carrying over n
//! zero bytes is a multiplication by x^(8n) modulo the polynomial, done here with the powers x^(2^k) from a table:
//! about 20 multiplications of 32 steps for a megabyte, below the price of hashing 16 KiB.

/// The polynomial, bit-reversed: bit 31 is the coefficient of x^0.
const POLYNOMIAL: u32 = 0x82f6_3b78;
/// The polynomial 1.
const ONE: u32 = 1 << 31;

/// `POWERS[k]` = x^(2^k) mod the polynomial.
static POWERS: [u32; 64] = powers();

/// CRC-32C of `bytes`.
#[inline]
pub fn crc32c(bytes: &[u8]) -> u32 {
    ::crc32c::crc32c(bytes)
}

/// CRC-32C of what `crc` is the CRC of, followed by `bytes`. Start with 0.
#[inline]
pub fn append(crc: u32, bytes: &[u8]) -> u32 {
    ::crc32c::crc32c_append(crc, bytes)
}

/// CRC-32C of A followed by B, from the CRCs of both and the length of B in bytes.
#[doc(alias = "crc32c_combine")]
pub fn combine(crc_a: u32, crc_b: u32, len_b: u64) -> u32 {
    carry(crc_a, len_b) ^ crc_b
}

/// CRC-32C of a message whose first bytes were replaced by as many others, from its CRC before.
///
/// `len_after` is the number of bytes that follow the replaced ones. Returns `None` when the replacement has
/// another length, because the rest would move.
pub fn replace_prefix(crc: u32, before: &[u8], after: &[u8], len_after: u64) -> Option<u32> {
    (before.len() == after.len()).then(|| crc ^ carry(crc32c(before) ^ crc32c(after), len_after))
}

/// Multiplies by x^(8 * bytes).
fn carry(crc: u32, bytes: u64) -> u32 {
    // A length is below 2^61, so 8 * bytes fits the 64 powers.
    let mut rest = bytes & (u64::MAX >> 3);
    let mut result = crc;
    for power in &POWERS[3..] {
        if rest == 0 {
            break;
        }
        if rest & 1 == 1 {
            result = multiply(*power, result);
        }
        rest >>= 1;
    }
    result
}

/// The product of two polynomials modulo the polynomial.
const fn multiply(a: u32, b: u32) -> u32 {
    let mut product = 0;
    let mut addend = b;
    let mut rest = a;
    while rest != 0 {
        if rest & ONE != 0 {
            product ^= addend;
        }
        rest <<= 1;
        addend = if addend & 1 == 1 { (addend >> 1) ^ POLYNOMIAL } else { addend >> 1 };
    }
    product
}

const fn powers() -> [u32; 64] {
    let mut table = [0; 64];
    table[0] = ONE >> 1;
    let mut k = 1;
    while k < 64 {
        table[k] = multiply(table[k - 1], table[k - 1]);
        k += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_published_check_value() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn combine_agrees_with_an_independent_implementation_for_every_power_of_two() {
        for bit in 0..34 {
            let len = 1u64 << bit;
            assert_eq!(
                combine(0x1234_5678, 0x9abc_def0, len),
                ::crc32c::crc32c_combine(0x1234_5678, 0x9abc_def0, len as usize),
                "length {len}"
            );
        }
    }

    #[test]
    fn a_prefix_of_another_length_cannot_be_replaced() {
        assert_eq!(replace_prefix(0, b"ab", b"abc", 4), None);
    }

    proptest! {
        #[test]
        fn combine_equals_hashing_it_all(a in vec(any::<u8>(), 0..200), b in vec(any::<u8>(), 0..5000)) {
            let whole = append(crc32c(&a), &b);
            prop_assert_eq!(combine(crc32c(&a), crc32c(&b), b.len() as u64), whole);
        }

        #[test]
        fn replacing_a_prefix_equals_hashing_again(
            pair in (1usize..60).prop_flat_map(|n| (vec(any::<u8>(), n), vec(any::<u8>(), n))),
            rest in vec(any::<u8>(), 0..3000),
        ) {
            let (before, after) = pair;
            let old = append(crc32c(&before), &rest);
            let new = append(crc32c(&after), &rest);
            prop_assert_eq!(replace_prefix(old, &before, &after, rest.len() as u64), Some(new));
        }
    }
}

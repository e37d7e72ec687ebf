//! Sizes as people write them: `4096`, `4KiB`, `64k`, `1MiB`. Units are binary; one kilobyte is 1,024 bytes.

/// Names of the units, largest first, with their exponents of two.
const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];

/// Reads a size: a whole number, and a unit whose first letter is enough.
///
/// # Errors
/// Words that say what a size looks like.
pub fn parse(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size: write bytes, or such as 4KiB, 1MiB");
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let shift = shift(unit.trim()).ok_or_else(wrong)?;
    let bytes = number.checked_mul(1 << shift).filter(|&bytes| bytes > 0);
    bytes.ok_or_else(|| format!("{text:?} is no size that can be measured"))
}

fn shift(unit: &str) -> Option<u32> {
    if unit.is_empty() || unit.eq_ignore_ascii_case("b") {
        return Some(0);
    }
    let (_, shift) = UNITS.into_iter().find(|(name, _)| {
        let short = name.get(..1).is_some_and(|letter| unit.eq_ignore_ascii_case(letter));
        short || unit.eq_ignore_ascii_case(name)
    })?;
    Some(shift)
}

/// Writes a size with the largest unit that divides it.
pub fn text(bytes: u64) -> String {
    for (name, shift) in UNITS {
        if bytes >= 1 << shift && bytes.is_multiple_of(1 << shift) {
            return format!("{} {name}", bytes >> shift);
        }
    }
    format!("{bytes} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_as_it_is_written() {
        for (said, bytes) in [("1", 1), ("4096", 4096), ("4k", 4096), ("4KiB", 4096), ("64 MiB", 64 << 20)] {
            assert_eq!(parse(said), Ok(bytes), "{said}");
        }
        for bad in
            ["", "0", "KiB", "1.5M", "4 parsecs", "-1", "99999999999999999999", "18446744073709551615k"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_written_can_be_read_again() {
        for bytes in [1, 100, 1024, 1536, 4096, 1 << 20, 3 << 20, 1 << 30] {
            assert_eq!(parse(&text(bytes)), Ok(bytes));
        }
    }
}

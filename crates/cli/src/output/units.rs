//! Numbers as people read them.

pub(crate) use pagewire_doctor::words::bytes;

/// `1234567` as `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 log`, `2 batches`, `1,200 topics`.
pub(crate) fn several(number: u64, thing: &str) -> String {
    let ending = match thing {
        _ if number == 1 || thing == "damage" => "",
        _ if thing.ends_with("ch") => "es",
        _ => "s",
    };
    format!("{} {thing}{ending}", count(number))
}

/// A figure with about three significant digits: `0.118`, `1.24`, `35.6`, `5,230`.
pub(crate) fn figure(number: f64) -> String {
    match number.abs() {
        size if size < 1e-3 && size > 0.0 => format!("{number:.1e}"),
        size if size < 1.0 => format!("{number:.3}"),
        size if size < 10.0 => format!("{number:.2}"),
        size if size < 100.0 => format!("{number:.1}"),
        size if size < 1e15 => count(size.round() as u64),
        _ => number.to_string(),
    }
}

/// A rate, whole numbers of it.
pub(crate) fn per_second(number: u64, seconds: f64) -> u64 {
    let micros = (seconds * 1e6).max(1.0) as u128;
    u64::try_from(u128::from(number) * 1_000_000 / micros).unwrap_or(u64::MAX)
}

/// Numbers of nodes and such, separated by commas.
pub(crate) fn list(numbers: &[i32]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// Words separated by commas.
pub(crate) fn list_of<'w>(words: impl Iterator<Item = &'w str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

/// Milliseconds since the Unix epoch as people and programs both read them, always as wide; one that no calendar has as it is.
pub(crate) fn date(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |time| format!("{time:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_their_things_agree() {
        assert_eq!(several(1, "batch"), "1 batch");
        assert_eq!(several(1200, "batch"), "1,200 batches");
        assert_eq!(several(0, "log"), "0 logs");
        assert_eq!(several(2, "damage"), "2 damage");
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0.0, 0.1184, 1.239, 35.62, 5230.4].map(figure),
            ["0.000", "0.118", "1.24", "35.6", "5,230"]
        );
        assert_eq!(list(&[1, 22]), "1,22");
        assert_eq!((per_second(10, 0.5), per_second(1, 0.0)), (20, 1_000_000));
    }
}

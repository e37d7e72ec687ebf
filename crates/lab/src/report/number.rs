//! Figures as people read them: three significant digits, sizes in powers of two, counts in words of the field.

use crate::spread::Spread;

/// Three significant digits, without an exponent: `0.149`, `2.35`, `20.5`, `1240`.
pub(super) fn figure(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let digits = match value.abs() {
        0.0 | 100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        0.1.. => 3,
        0.01.. => 4,
        _ => 5,
    };
    format!("{value:.digits$}")
}

/// Between a number and its unit: a space at which no line ends.
const SPACE: &str = "\u{a0}";

/// A figure as the label of a tick: without zeros at its end, thousands as `k`, millions as `M`.
pub(super) fn tick(value: f64) -> String {
    let (value, unit) = match value {
        1e6.. => (value / 1e6, "M"),
        1e4.. => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = figure(value);
    let short = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{short}{unit}")
}

/// A moment of RFC 3339 without the fractions of its second.
pub(super) fn moment(text: &str) -> String {
    let Some((seconds, rest)) = text.split_once('.') else { return text.to_owned() };
    format!("{seconds}{}", rest.trim_start_matches(|letter: char| letter.is_ascii_digit()))
}

/// Least to largest.
pub(super) fn range(spread: Spread) -> String {
    format!("{}\u{2013}{}", figure(spread.min), figure(spread.max))
}

/// A ratio: `0.97x`.
pub(super) fn times(value: f64) -> String {
    if value.is_finite() { format!("{value:.2}\u{d7}") } else { "-".to_owned() }
}

/// A share of one as per cent.
pub(super) fn percent(share: f64) -> String {
    if !share.is_finite() {
        return "-".to_owned();
    }
    let digits = usize::from(share > 0.0 && share < 1.0);
    format!("{:.digits$}{SPACE}%", share * 100.0)
}

/// A size: `900 B`, `64 KiB`, `1.5 MiB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let fitting = UNITS.iter().find(|(_, shift)| bytes >= 1 << shift);
    let Some((unit, shift)) = fitting else { return format!("{bytes}{SPACE}B") };
    let whole = bytes as f64 / f64::from(1u32 << shift);
    let text = format!("{whole:.1}");
    format!("{}{SPACE}{unit}", text.strip_suffix(".0").unwrap_or(&text))
}

/// Names in a row: `a`, `a and b`, `a, b and c`.
pub(super) fn row<S: AsRef<str>>(names: &[S]) -> String {
    match names {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_three_digits() {
        let shown = [0.0, 0.001_234, 0.0149, 0.1494, 2.345, 20.46, 1240.4].map(figure);
        assert_eq!(shown, ["0", "0.00123", "0.0149", "0.149", "2.35", "20.5", "1240"]);
        assert_eq!([0.1, 20.0, 100.0].map(tick), ["0.1", "20", "100"]);
        assert_eq!([5000.0, 20_000.0, 1_500_000.0].map(tick), ["5000", "20k", "1.5M"]);
        let samples = Spread { min: 0.118, median: 0.149, max: 0.193 };
        assert_eq!(range(samples), "0.118\u{2013}0.193");
        assert_eq!([f64::NAN, f64::INFINITY].map(figure), ["-", "-"]);
    }

    #[test]
    fn sizes_take_the_largest_fitting_unit() {
        let shown = [0, 900, 1024, 1536, 65_536, 1 << 20, 3 << 30].map(size);
        assert_eq!(
            shown,
            ["0 B", "900 B", "1 KiB", "1.5 KiB", "64 KiB", "1 MiB", "3 GiB"]
                .map(|text| text.replace(' ', SPACE))
        );
    }

    #[test]
    fn shares_are_whole_only_where_they_are() {
        assert_eq!(
            [0.0, 0.004, 0.9996, 1.0].map(percent),
            ["0 %", "0.4 %", "100.0 %", "100 %"].map(|text| text.replace(' ', SPACE))
        );
        assert_eq!(times(0.974), "0.97\u{d7}");
    }

    #[test]
    fn moments_are_shown_to_the_second() {
        let shown =
            ["2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.6+01:00"].map(moment);
        assert_eq!(shown, ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05+01:00"]);
    }

    #[test]
    fn names_stand_in_a_row() {
        assert_eq!(row::<&str>(&[]), "");
        assert_eq!(row(&["a"]), "a");
        assert_eq!(row(&["a", "b", "c"]), "a, b and c");
    }
}

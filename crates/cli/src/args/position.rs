//! A place in a partition, as people name it.

use std::str::FromStr;

/// From this number on, a plain number is a time in ms (September 2001), not an offset.
const TIMES_FROM: i64 = 1_000_000_000_000;

/// Where to start reading, or where to set a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    /// The first record there is.
    Beginning,
    /// After the last record.
    End,
    /// This offset.
    Offset(i64),
    /// So many records before the end.
    BeforeEnd(i64),
    /// The first record of this time in ms or later.
    Time(i64),
}

impl FromStr for Position {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "beginning" | "earliest" => return Ok(Self::Beginning),
            "end" | "latest" => return Ok(Self::End),
            _ => {}
        }
        if let Some(offset) = text.strip_prefix("offset:") {
            return number(offset).map(Self::Offset);
        }
        if let Some(time) = text.strip_prefix('@') {
            return number(time).map(Self::Time);
        }
        if let Some(count) = text.strip_prefix('-') {
            return number(count).map(Self::BeforeEnd);
        }
        if let Ok(number) = number(text) {
            return Ok(if number < TIMES_FROM { Self::Offset(number) } else { Self::Time(number) });
        }
        let time: jiff::Timestamp = text.parse().map_err(|_| {
            "write beginning, end, an offset, -N (N before the end), or a time: 2026-01-31T12:00:00Z, or in ms"
                .to_owned()
        })?;
        Ok(Self::Time(time.as_millisecond()))
    }
}

fn number(text: &str) -> Result<i64, String> {
    let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    let parsed = if digits { text.parse().ok() } else { None };
    parsed.ok_or_else(|| format!("{text:?} is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_understood() {
        for (text, position) in [
            ("beginning", Position::Beginning),
            ("earliest", Position::Beginning),
            ("end", Position::End),
            ("0", Position::Offset(0)),
            ("999999999999", Position::Offset(999_999_999_999)),
            ("1700000000000", Position::Time(1_700_000_000_000)),
            ("offset:1700000000000", Position::Offset(1_700_000_000_000)),
            ("@5", Position::Time(5)),
            ("-10", Position::BeforeEnd(10)),
            ("2023-11-14T22:13:20Z", Position::Time(1_700_000_000_000)),
            ("2023-11-14T23:13:20.5+01:00", Position::Time(1_700_000_000_500)),
        ] {
            assert_eq!(text.parse(), Ok(position), "{text}");
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in ["", "begin", "--5", "-", "@", "1.5", "yesterday", "2023-11-14", "99999999999999999999"] {
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
    }
}

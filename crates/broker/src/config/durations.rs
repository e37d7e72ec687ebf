//! Durations as ISO 8601 and Java write them: `P1DT2H`, `pt1.5s`.

/// Whether `text` is a duration of days, hours, minutes and seconds that is not negative (java.time.Duration.parse).
pub(super) fn is_duration(text: &str) -> bool {
    let text = text.to_ascii_uppercase();
    let Some(rest) = text.strip_prefix('P') else { return false };
    let (days, time) = match rest.split_once('T') {
        Some((days, time)) => (days, Some(time)),
        None => (rest, None),
    };
    let days_fit = days.is_empty() || days.strip_suffix('D').is_some_and(is_number);
    match time {
        None => days_fit && !days.is_empty(),
        Some(time) => days_fit && is_time(time),
    }
}

/// At least one of hours, minutes and seconds, in this order.
fn is_time(text: &str) -> bool {
    let mut rest = text;
    for unit in ['H', 'M'] {
        if let Some((number, behind)) = rest.split_once(unit) {
            if !is_number(number) {
                return false;
            }
            rest = behind;
        }
    }
    let seconds_fit = rest.is_empty() || rest.strip_suffix('S').is_some_and(is_fraction);
    !text.is_empty() && seconds_fit
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.parse::<i64>().is_ok() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Seconds with at most nine digits behind the point.
fn is_fraction(text: &str) -> bool {
    match text.split_once(['.', ',']) {
        None => is_number(text),
        Some((whole, part)) => {
            is_number(whole) && part.len() <= 9 && part.bytes().all(|byte| byte.is_ascii_digit())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_java_reads() {
        for good in ["PT1H", "P1D", "P2DT3H4M", "pt1.5s", "PT0S", "PT15M", "PT1,25S", "P1DT2H3M4.000000001S"]
        {
            assert!(is_duration(good), "{good}");
        }
        for bad in ["", "P", "PT", "P1DT", "1H", "P1Y", "PT1M2H", "PTH", "-PT1H", "PT-1H", "PT1.1234567891S"]
        {
            assert!(!is_duration(bad), "{bad}");
        }
    }
}

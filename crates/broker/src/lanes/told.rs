//! What is said of a directory whose disk does not answer, once when it is noticed and once when it is over.

use std::time::Duration;

/// A disk that has answered nothing for so long hangs rather than being slow.
pub(super) const HANGS_AFTER: Duration = Duration::from_secs(30);

/// What is to be said now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// Its disk does not answer.
    Hangs(Duration),
    /// It answers again.
    Answers,
}

/// For how long a directory hangs, which was silent for so long.
pub(super) fn hanging(silent_for: Option<Duration>) -> Option<Duration> {
    silent_for.filter(|silent_for| *silent_for >= HANGS_AFTER)
}

/// The news, if `was_told` was said before.
pub(super) fn news(was_told: bool, hanging: Option<Duration>) -> Option<News> {
    match (was_told, hanging) {
        (false, Some(silent_for)) => Some(News::Hangs(silent_for)),
        (true, None) => Some(News::Answers),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_hangs_when_its_disk_was_silent_for_long_and_that_is_said_once() {
        let nearly = HANGS_AFTER.saturating_sub(Duration::from_nanos(1));
        assert_eq!((hanging(None), hanging(Some(nearly))), (None, None));
        let hangs = hanging(Some(HANGS_AFTER));
        assert_eq!(hangs, Some(HANGS_AFTER));
        assert_eq!(news(false, hangs), Some(News::Hangs(HANGS_AFTER)));
        assert_eq!((news(true, hangs), news(false, None)), (None, None));
        assert_eq!(news(true, None), Some(News::Answers));
    }
}

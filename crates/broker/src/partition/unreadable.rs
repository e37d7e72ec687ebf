//! What is said of records that could not be given out, and how often: clients ask again at once.
//!
//! Damaged records stay so, and whoever wants what lies behind them has to go past. What the disk did not give out may be there
//! later, after a moment, a mount or a restart: whoever went past it would leave it out.

use pagewire_log::ReadError;

/// Damaged places that are told of one partition.
const PLACES_TOLD_MAX: usize = 16;
/// A disk that goes on failing is told again after this time.
const DISK_EVERY_MS: i64 = 600_000;

const DAMAGED: &str = "records are not given out: whoever reads goes past them with another offset (pagewire consume --from, \
                       pagewire group reset)";
const DISK: &str = "the disk did not give out records, which may be readable again: clients are told to try again (KAFKA_STORAGE_ERROR), \
                    and whoever goes past them leaves them out; pagewire cluster says how the disk is, pagewire log check DIR what \
                    of it can be read";

/// What was told of one partition.
#[derive(Debug, Default)]
pub(super) struct Unreadable {
    /// Where good records begin again, if that is known.
    places: Vec<Option<i64>>,
    disk_ms: Option<i64>,
}

impl Unreadable {
    /// What is to be said of a read that failed; `None` if it was said. Each damaged place is told once, as others may be read
    /// meanwhile.
    pub(super) fn words(&mut self, error: &ReadError, now_ms: i64) -> Option<&'static str> {
        let place = match error {
            ReadError::Io(_) => return self.is_due(now_ms).then_some(DISK),
            ReadError::Damaged { next_offset, .. } | ReadError::Undecided { next_offset, .. } => {
                Some(*next_offset)
            }
            ReadError::Corrupt { .. } | ReadError::OffsetOutOfRange { .. } => None,
        };
        let is_news = self.places.len() < PLACES_TOLD_MAX && !self.places.contains(&place);
        is_news.then(|| {
            self.places.push(place);
            DAMAGED
        })
    }

    fn is_due(&mut self, now_ms: i64) -> bool {
        let ago = self.disk_ms.map(|told_ms| now_ms.saturating_sub(told_ms));
        let is_due = ago.is_none_or(|ago| !(0..DISK_EVERY_MS).contains(&ago));
        if is_due {
            self.disk_ms = Some(now_ms);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn damaged(next_offset: i64) -> ReadError {
        ReadError::Damaged { file: "0.log".into(), position: 0, offset: 0, next_offset }
    }

    fn failing() -> ReadError {
        ReadError::Io(io::Error::from_raw_os_error(5))
    }

    #[test]
    fn only_past_damaged_records_readers_are_sent_on() {
        let mut told = Unreadable::default();
        assert!(told.words(&damaged(7), 0).is_some_and(|words| words.contains("another offset")));
        let disk = told.words(&failing(), 0).expect("another trouble");
        assert!(!disk.contains("another offset") && !disk.contains("--from"), "{disk}");
        assert!(disk.contains("may be readable again"), "{disk}");
    }

    #[test]
    fn a_damaged_place_is_told_once_and_a_disk_that_fails_on_now_and_then() {
        let mut told = Unreadable::default();
        let mut says = |error: &ReadError, now_ms| told.words(error, now_ms).is_some();
        assert!(says(&damaged(7), 0) && !says(&damaged(7), DISK_EVERY_MS) && says(&damaged(9), 0));
        assert!(says(&failing(), 5) && !says(&failing(), 5 + DISK_EVERY_MS - 1));
        assert!(says(&failing(), 5 + DISK_EVERY_MS) && !says(&failing(), 6 + DISK_EVERY_MS));
        assert!(says(&failing(), 0), "the clock was set back");
        assert!((100..200).filter(|place| says(&damaged(*place), 0)).count() < PLACES_TOLD_MAX);
    }
}

//! What is said of damaged records that are not given out, and how often: clients ask again at once. What the disk did not give out
//! is told of its directory.

/// Damaged places that are told of one partition.
const PLACES_TOLD_MAX: usize = 16;

/// Damaged records stay so, and whoever wants what lies behind them has to go past.
pub(super) const DAMAGED: &str = "records are not given out: whoever reads goes past them with another offset (pagewire consume --from, \
                                  pagewire group reset)";

/// What was told of one partition: where good records begin again, if that is known.
#[derive(Debug, Default)]
pub(super) struct Unreadable(Vec<Option<i64>>);

impl Unreadable {
    /// Whether a read that failed is to be told, by where good records begin again. Each damaged place is told once, as others
    /// may be read meanwhile.
    pub(super) fn is_news(&mut self, place: Option<i64>) -> bool {
        let is_news = self.0.len() < PLACES_TOLD_MAX && !self.0.contains(&place);
        if is_news {
            self.0.push(place);
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_place_is_told_once() {
        let mut told = Unreadable::default();
        assert!(told.is_news(Some(7)) && !told.is_news(Some(7)) && told.is_news(Some(9)));
        assert!(told.is_news(None) && !told.is_news(None));
        assert!((100..200).filter(|place| told.is_news(Some(*place))).count() < PLACES_TOLD_MAX);
    }
}

//! Memory that a burst left with the allocator goes back to the system: a broker that many large answers once went out of
//! does not look large for the rest of its life.

use pagewire_zcopy::{own_memory, trim_heap};

/// So much more than at its smallest the process must be before it is looked for what can go back: looking locks the
/// allocator for a moment.
const WORTH: u64 = 32 << 20;

/// How small the process was since memory was given back the last time.
#[derive(Debug, Default)]
pub(crate) struct Slack {
    smallest: Option<u64>,
}

impl Slack {
    /// Gives back what there is, if the process has grown enough for that to be worth it. To be called now and then, where
    /// waiting hurts nobody.
    pub(crate) fn give_back(&mut self) {
        if own_memory().is_some_and(|now| self.has_grown(now)) {
            trim_heap();
            // What is left is in use: that is where growth begins anew.
            self.smallest = own_memory();
        }
    }

    /// Whether `now` bytes are worth a look.
    fn has_grown(&mut self, now: u64) -> bool {
        let smallest = self.smallest.map_or(now, |smallest| smallest.min(now));
        self.smallest = Some(smallest);
        now - smallest >= WORTH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_growth_is_worth_a_look() {
        let mut slack = Slack::default();
        assert!(!slack.has_grown(900 << 20), "a large process that stays as it is");
        assert!(!slack.has_grown((900 << 20) + WORTH - 1));
        assert!(slack.has_grown((900 << 20) + WORTH));
        assert!(!slack.has_grown(100 << 20), "it shrank");
        assert!(slack.has_grown((100 << 20) + WORTH), "and grew from there");
    }

    #[test]
    fn what_is_in_use_is_not_looked_through_again() {
        let mut slack = Slack { smallest: Some(0) };
        slack.give_back();
        assert_eq!(slack.smallest.is_some(), own_memory().is_some());
        assert!(!own_memory().is_some_and(|now| slack.has_grown(now)));
    }
}

//! Offsets that no batch of a log has. Compaction makes such holes; in other logs Kafka makes none, so something is
//! lost.

/// How many, and where the first ones are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Holes {
    /// There are some, whatever made them.
    any: bool,
    /// Up to here Kafka's cleaner wrote down that it came: below, holes are its own.
    cleaned_to: i64,
    offsets: i64,
    first: Option<(i64, i64)>,
}

impl Holes {
    /// Of a log that was compacted up to an offset.
    pub(crate) fn in_log(cleaned_to: i64) -> Self {
        Self { cleaned_to, ..Self::default() }
    }

    /// A batch begins at `base`, and what is before it ends at `end`.
    pub(crate) fn note(&mut self, end: i64, base: i64) {
        self.any |= base > end;
        let from = end.max(self.cleaned_to);
        if base > from {
            self.offsets = self.offsets.saturating_add(base.saturating_sub(from));
            self.first = self.first.or(Some((from, base - 1)));
        }
    }

    /// Whether there are some.
    pub(crate) fn any(&self) -> bool {
        self.any
    }

    /// What people should know of a log that is not compacted.
    pub(crate) fn told(&self, topic: &str, index: i32) -> Option<String> {
        let (from, to) = self.first?;
        Some(format!(
            "{topic}-{index} has no records for {} of its offsets, from {from} to {to} first: unless it was compacted once, \
             segments of it were lost",
            self.offsets
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_counted_and_the_first_is_named() {
        let mut holes = Holes::default();
        holes.note(5, 5);
        assert_eq!(holes.told("orders", 0), None);
        holes.note(10, 15);
        holes.note(20, 21);
        let told = holes.told("orders", 0).expect("holes");
        assert!(told.contains("orders-0 has no records for 6 of its offsets, from 10 to 14 first"), "{told}");
    }

    #[test]
    fn what_kafkas_cleaner_says_it_cleaned_lost_nothing() {
        let mut holes = Holes::in_log(100);
        holes.note(5, 50);
        holes.note(60, 100);
        assert!(holes.any() && holes.told("orders", 0).is_none());
        holes.note(90, 103);
        let told = holes.told("orders", 0).expect("a hole behind");
        assert!(told.contains("no records for 3 of its offsets, from 100 to 102 first"), "{told}");
    }
}

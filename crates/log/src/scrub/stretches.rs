//! Stretches of one segment in rising order, of which none overlap: a bounded number.
//!
//! A disk that rots may leave a damaged batch beside every good one, a hundred thousand in a segment. So many are neither kept
//! nor looked through by readers: past [`STRETCHES_MAX`] the two with the least between them become one, and the good records
//! between are refused with them. Records that are missing are found in no bytes, and nothing else tells where; so these stay
//! for themselves as long as there are others to join.

use std::ops::Deref;

use super::damage::Stretch;

/// So many are kept apart in one segment: 32 KiB.
pub(crate) const STRETCHES_MAX: usize = if cfg!(test) { 64 } else { 1024 };

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stretches(Vec<Stretch>);

/// What was added, to those who knew the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Added {
    /// Nothing new.
    Known,
    /// Another one.
    New,
    /// What was known reaches further, or two are one by now.
    More,
}

impl Stretches {
    /// Adds what was found. What it overlaps was another view of the same: both are not believed.
    pub(crate) fn add(&mut self, stretch: Stretch) -> Added {
        let from = self.0.partition_point(|known| known.is_before(&stretch));
        let behind = self.0.partition_point(|known| !stretch.is_before(known));
        let to = behind.max(from);
        let overlapping = self.0.get(from..to).unwrap_or_default();
        let joined = overlapping.iter().fold(stretch, |joined, known| joined.and(*known));
        let added = match overlapping {
            [] => Added::New,
            [known] if *known == joined => return Added::Known,
            _ => Added::More,
        };
        self.0.splice(from..to, [joined]);
        if self.0.len() > STRETCHES_MAX {
            self.join_the_nearest();
            return Added::More;
        }
        added
    }

    fn join_the_nearest(&mut self) {
        let between = |(_, pair): &(usize, &[Stretch])| match pair {
            [one, next] => (one.is_missing() || next.is_missing(), next.begin().saturating_sub(one.end())),
            _ => (true, u64::MAX),
        };
        let nearest = self.0.windows(2).enumerate().min_by_key(between).map(|(at, _)| at);
        if let Some(at) = nearest
            && let Some([one, next]) = self.0.get(at..at + 2)
        {
            let joined = one.and(*next);
            self.0.splice(at..at + 2, [joined]);
        }
    }

    /// Whether all of it is known.
    pub(super) fn cover(&self, stretch: &Stretch) -> bool {
        let known = self.0.get(self.0.partition_point(|known| known.is_before(stretch)));
        known.is_some_and(|known| !stretch.is_before(known) && stretch.and(*known) == *known)
    }

    /// The first that ends behind `position`.
    pub(crate) fn ending_behind(&self, position: u64) -> Option<Stretch> {
        self.0.get(self.0.partition_point(|stretch| stretch.end() <= position)).copied()
    }

    pub(crate) fn into_vec(self) -> Vec<Stretch> {
        self.0
    }
}

impl Deref for Stretches {
    type Target = [Stretch];

    fn deref(&self) -> &[Stretch] {
        &self.0
    }
}

impl FromIterator<Stretch> for Stretches {
    fn from_iter<I: IntoIterator<Item = Stretch>>(stretches: I) -> Self {
        let mut all = Self::default();
        for stretch in stretches {
            all.add(stretch);
        }
        all
    }
}

impl Stretch {
    /// Whether it ends where the other begins or before. Of two that are missing at one place neither does.
    fn is_before(&self, other: &Self) -> bool {
        self.end() <= other.begin() && self.begin() < other.end()
    }

    /// From where the first of both begins to where the last of them ends.
    fn and(self, other: Self) -> Self {
        let bytes = self.begin().min(other.begin())..self.end().max(other.end());
        Self::new(bytes, self.offset.min(other.offset)..self.next_offset.max(other.next_offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of one byte for each offset.
    fn stretch(from: u64, to: u64) -> Stretch {
        Stretch::new(from..to, from as i64..to as i64)
    }

    fn all(known: &Stretches) -> Vec<(u64, u64)> {
        known.iter().map(|stretch| (stretch.begin(), stretch.end())).collect()
    }

    #[test]
    fn what_overlaps_is_one_and_what_only_touches_is_not() {
        let mut known: Stretches = [stretch(30, 35), stretch(10, 15)].into_iter().collect();
        assert_eq!(known.add(stretch(15, 20)), Added::New);
        assert_eq!(known.add(stretch(31, 33)), Added::Known, "a part of what is known");
        assert_eq!(all(&known), [(10, 15), (15, 20), (30, 35)]);
        assert_eq!(known.add(stretch(14, 31)), Added::More);
        assert_eq!(all(&known), [(10, 35)]);
    }

    #[test]
    fn records_that_are_missing_at_one_place_are_known_once() {
        let missing = Stretch::new(20..20, 20..25);
        let mut known: Stretches = [stretch(10, 20), missing, stretch(20, 30)].into_iter().collect();
        assert_eq!(known.add(missing), Added::Known);
        assert_eq!(all(&known), [(10, 20), (20, 20), (20, 30)]);
    }

    #[test]
    fn where_records_are_missing_is_not_forgotten_for_damage_around_it() {
        let missing = Stretch::new(110..110, 110..120);
        let apart = |n: u64| stretch(100 * n, 100 * n + 10);
        let rotten = (0..4 * STRETCHES_MAX as u64).map(apart);
        let known: Stretches = [missing].into_iter().chain(rotten).collect();
        assert_eq!(known.len(), STRETCHES_MAX);
        assert!(known.contains(&missing));
    }

    #[test]
    fn too_many_become_fewer_where_the_least_is_between_them() {
        let apart = |n: u64| stretch(100 * n, 100 * n + 10);
        let mut known: Stretches = (0..STRETCHES_MAX as u64).map(apart).collect();
        assert_eq!(known.add(stretch(520, 530)), Added::More);
        assert_eq!(known.len(), STRETCHES_MAX);
        assert_eq!(
            known.ending_behind(510).map(|stretch| (stretch.begin(), stretch.end())),
            Some((500, 530))
        );
        assert_eq!(known.add(stretch(522, 524)), Added::Known);
        let mut rotten = Stretches::default();
        for n in 0..4 * STRETCHES_MAX as u64 {
            rotten.add(apart(n));
        }
        assert_eq!(rotten.len(), STRETCHES_MAX);
        let unknown = (0..4 * STRETCHES_MAX as u64).map(apart).find(|one| {
            let found = rotten.ending_behind(one.begin());
            found.is_none_or(|found| found.begin() > one.begin() || found.end() < one.end())
        });
        assert_eq!(unknown, None, "all that was added is known");
    }
}

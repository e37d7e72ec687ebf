//! Some of what there may be any number of, and how many there were: a log of a million segments may lack a file of each,
//! and nobody reads a million lines.

use std::ops::Deref;

/// So many are kept.
const FEW: usize = 64;

/// The first ones, in their order, and the number of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Few<T> {
    kept: Vec<T>,
    left_out: u64,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { kept: Vec::new(), left_out: 0 }
    }
}

impl<T> Few<T> {
    /// One more. It is kept, or counted.
    pub(crate) fn push(&mut self, one: T) {
        if self.kept.len() < FEW {
            self.kept.push(one);
        } else {
            self.left_out += 1;
        }
    }

    /// How many there were besides those that are kept.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// How many there were.
    pub fn total(&self) -> u64 {
        self.kept.len() as u64 + self.left_out
    }

    /// Lines about those that are kept, and one that says so of the others. `what` are they?
    pub(crate) fn lines(&self, of: impl Fn(&T) -> String, what: &str) -> impl Iterator<Item = String> {
        let more = (self.left_out > 0).then(|| format!("{} more {what} are not named", self.left_out));
        self.kept.iter().map(of).chain(more)
    }
}

impl<T> Extend<T> for Few<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, more: I) {
        more.into_iter().for_each(|one| self.push(one));
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_the_first_are_kept_and_all_are_counted() {
        let mut few = Few::default();
        few.extend(0..FEW);
        assert_eq!(
            (few.len(), few.left_out(), few.lines(usize::to_string, "numbers").count()),
            (FEW, 0, FEW)
        );
        few.extend(FEW..1000);
        assert_eq!((few.last(), few.left_out(), few.total()), (Some(&(FEW - 1)), 1000 - FEW as u64, 1000));
        let lines: Vec<_> = few.lines(usize::to_string, "numbers").collect();
        assert_eq!(
            (lines.len(), lines.last().map(String::as_str)),
            (FEW + 1, Some("936 more numbers are not named"))
        );
    }
}

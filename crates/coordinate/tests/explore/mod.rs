//! Goes every way that a small world can go, and looks at each world once.

use std::collections::HashSet;
use std::fmt::{Debug, Write as _};
use std::hash::{DefaultHasher, Hash, Hasher as _};

/// Everything there is, at one moment.
pub(crate) trait World: Clone {
    type Step;

    /// What may happen next.
    fn steps(&self) -> Vec<Self::Step>;

    fn take(&mut self, step: Self::Step);

    /// Whatever happened, this is so; panics if it is not.
    fn keeps_its_promises(&self);

    /// Worlds that go on the same way have the same one.
    fn fingerprint(&self) -> u64;
}

/// Says how many worlds there were.
pub(crate) fn explore<W: World>(first: W) -> usize {
    let (mut seen, mut todo) = (HashSet::from([first.fingerprint()]), vec![first]);
    while let Some(world) = todo.pop() {
        world.keeps_its_promises();
        for step in world.steps() {
            let mut next = world.clone();
            next.take(step);
            if seen.insert(next.fingerprint()) {
                todo.push(next);
            }
        }
    }
    seen.len()
}

/// A fingerprint of what is printed, without the text, and of what is hashed.
pub(crate) fn fingerprint(printed: &dyn Debug, hashed: impl Hash) -> u64 {
    let mut text = Hashed(DefaultHasher::new());
    write!(text, "{printed:?}").expect("a hash takes everything");
    let mut hasher = text.0;
    hashed.hash(&mut hasher);
    hasher.finish()
}

/// A text of which only the hash is kept.
struct Hashed(DefaultHasher);

impl std::fmt::Write for Hashed {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

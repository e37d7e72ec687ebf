//! Partitions that move between log directories, as many as fit.

use serde::Serialize;

use crate::bounded::fitting;
use crate::moves::{Shown, Standing};

/// That are told one by one.
const TOLD_MAX: usize = 16;
/// Bytes that these take.
const TOLD_BYTES_MAX: usize = 6 << 10;
/// Bytes of a reason that are told.
const REASON_MAX: usize = 512;

/// How many there are, and some of them.
#[derive(Serialize)]
pub(super) struct Moves {
    copying: usize,
    waiting: usize,
    /// The last ones, since the start.
    given_up: usize,
    some: Vec<Shown>,
}

impl Moves {
    pub(super) fn of(shown: Vec<Shown>) -> Self {
        let count = |state| shown.iter().filter(|one| one.state == state).count();
        let (copying, waiting, given_up) =
            (count(Standing::Copying), count(Standing::Waiting), count(Standing::GivenUp));
        let some = fitting(shown.into_iter().take(TOLD_MAX).map(shortened), TOLD_BYTES_MAX);
        Self { copying, waiting, given_up, some }
    }
}

fn shortened(mut one: Shown) -> Shown {
    if let Some(why) = &mut one.last_failure {
        why.truncate(why.floor_char_boundary(REASON_MAX));
    }
    one
}

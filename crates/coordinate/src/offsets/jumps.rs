//! Jumps of the wall clock in this life of the process.
//!
//! A machine without a clock of its own starts in 1970, and is set to the year when it has a network: what was committed
//! in between is not half a century old. So of a jump forward nothing passes for what was there before it; what a clock
//! that is set back keeps longer is kept. The next life knows of no jump.

use crate::now::Now;

/// What is less than this is no jump: clocks are slewed, and looks come late.
const JUMP_MS: i64 = 60_000;
/// Of more jumps than these the smallest are forgotten.
const JUMPS_MAX: usize = 16;

#[derive(Clone, Debug, Default)]
pub(crate) struct Jumps {
    /// The last look at the clocks.
    seen: Option<Now>,
    jumps: Vec<Jump>,
}

#[derive(Clone, Debug)]
struct Jump {
    /// No time before the jump is later than this.
    before_ms: i64,
    by_ms: i64,
}

impl Jumps {
    /// Looks at the clocks.
    pub(crate) fn look(&mut self, now: Now) {
        let Some(seen) = self.seen.replace(now) else { return };
        let passed_ms = now.steady_ms.saturating_sub(seen.steady_ms);
        let before_ms = seen.wall_ms.saturating_add(passed_ms);
        let by_ms = now.wall_ms.saturating_sub(before_ms);
        if by_ms <= -JUMP_MS {
            self.take_back(by_ms.saturating_neg());
        }
        if by_ms < JUMP_MS {
            return;
        }
        self.jumps.push(Jump { before_ms, by_ms });
        if self.jumps.len() > JUMPS_MAX {
            let smallest = self.jumps.iter().enumerate().min_by_key(|(_, jump)| jump.by_ms);
            if let Some(at) = smallest.map(|(at, _)| at) {
                self.jumps.remove(at);
            }
        }
    }

    /// A clock that is set back was wrong before: the latest jumps were that much shorter, or none.
    fn take_back(&mut self, mut ms: i64) {
        while let Some(last) = self.jumps.last_mut() {
            if last.by_ms > ms {
                last.by_ms -= ms;
                return;
            }
            ms -= last.by_ms;
            self.jumps.pop();
        }
    }

    /// The time for what was there at `since_ms`, when the wall clock shows `wall_ms`.
    pub(crate) fn wall_for(&self, since_ms: i64, wall_ms: i64) -> i64 {
        let jumped = self.jumps.iter().filter(|jump| since_ms <= jump.before_ms);
        jumped.fold(wall_ms, |wall_ms, jump| wall_ms.saturating_sub(jump.by_ms))
    }
}

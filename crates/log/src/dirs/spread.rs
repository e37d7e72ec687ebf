//! Which of several new directories each log goes to, where all logs are known beforehand: the one that has got the fewest
//! bytes so far, since it is bytes that a disk has room for; of those alike the one with the fewest logs. Pure.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Directories that are filled.
#[derive(Debug)]
pub struct Spread {
    /// Bytes, logs, which one: the least first.
    least: BinaryHeap<Reverse<(u64, usize, usize)>>,
}

impl Spread {
    /// So many, all empty. At least one.
    pub fn over(dirs: usize) -> Self {
        Self { least: (0..dirs.max(1)).map(|at| Reverse((0, 0, at))).collect() }
    }

    /// Where a log of so many bytes goes.
    pub fn place(&mut self, bytes: u64) -> usize {
        let Some(Reverse((filled, logs, at))) = self.least.pop() else { return 0 };
        self.least.push(Reverse((filled.saturating_add(bytes), logs + 1, at)));
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(dirs: usize, sizes: &[u64]) -> Vec<usize> {
        let mut spread = Spread::over(dirs);
        sizes.iter().map(|bytes| spread.place(*bytes)).collect()
    }

    #[test]
    fn a_log_goes_where_the_fewest_bytes_are() {
        assert_eq!(placed(3, &[9, 5, 4, 4, 1]), [0, 1, 2, 2, 1]);
        assert_eq!(placed(1, &[9, 5]), [0, 0]);
        assert_eq!(placed(0, &[9]), [0]);
    }

    #[test]
    fn empty_logs_go_round() {
        assert_eq!(placed(2, &[0, 0, 0, 0]), [0, 1, 0, 1]);
        assert_eq!(placed(2, &[5, 0, 0, 5]), [0, 1, 1, 1]);
    }
}

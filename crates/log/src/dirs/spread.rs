//! Which of several new directories each log goes to, where all logs are known beforehand. Bytes are what a disk has
//! room for, so the fullest directory gets no fuller while there is another that can take the log without becoming the
//! fullest. Of those that can, the one with the fewest logs takes it, as a broker places new ones. Pure.

/// Directories that are filled.
#[derive(Debug)]
pub struct Spread(Vec<Filled>);

#[derive(Debug, Clone, Copy, Default)]
struct Filled {
    bytes: u64,
    logs: usize,
}

impl Spread {
    /// So many, all empty. At least one.
    pub fn over(dirs: usize) -> Self {
        Self(vec![Filled::default(); dirs.max(1)])
    }

    /// Where a log of so many bytes goes. It is best told of the largest first.
    pub fn place(&mut self, bytes: u64) -> usize {
        let fullest = self.0.iter().map(|dir| dir.bytes).max().unwrap_or(0);
        let with = |dir: &Filled| dir.bytes.saturating_add(bytes);
        let has_room = |dir: &Filled| with(dir) <= fullest;
        let roomy = self.0.iter().enumerate().filter(|(_, dir)| has_room(dir));
        let fewest_logs = roomy.min_by_key(|(_, dir)| (dir.logs, dir.bytes));
        let fewest_bytes = || self.0.iter().enumerate().min_by_key(|(_, dir)| (dir.bytes, dir.logs));
        let at = fewest_logs.or_else(fewest_bytes).map_or(0, |(at, _)| at);
        if let Some(dir) = self.0.get_mut(at) {
            *dir = Filled { bytes: with(dir), logs: dir.logs + 1 };
        }
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
    fn the_fullest_gets_no_fuller_while_there_is_another_way() {
        assert_eq!(placed(3, &[9, 5, 4, 4, 1]), [0, 1, 2, 2, 1]);
        assert_eq!(placed(2, &[50, 10, 10, 10, 10, 10]), [0, 1, 1, 1, 1, 1]);
        assert_eq!(placed(2, &[5, 5, 5, 5]), [0, 1, 0, 1]);
        assert_eq!(placed(1, &[9, 5]), [0, 0]);
        assert_eq!(placed(0, &[9]), [0]);
    }

    #[test]
    fn where_bytes_do_not_matter_the_fewest_logs_do() {
        assert_eq!(placed(2, &[0, 0, 0, 0]), [0, 1, 0, 1]);
        assert_eq!(placed(2, &[9, 5, 4, 0, 0, 0, 0]), [0, 1, 1, 0, 0, 1, 0]);
    }
}

//! Which directory a new partition goes to: the one with the fewest partitions, as in Kafka.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::LogDirs;
use crate::{LogDir, Offline};

/// No directory takes new partitions.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Homeless {
    /// Those that might are out of order.
    #[error("no log directory takes new partitions: {0}")]
    Offline(Offline),
    /// None of them is to get any.
    #[error("all log directories are cordoned (cordoned.log.dirs)")]
    Cordoned,
}

/// Whether a directory gets new partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Like any other.
    New,
    /// Where there is no other.
    IfNoneElse,
    /// Never.
    Nothing,
}

impl LogDirs {
    /// Where `count` new partitions go, for each the id of its directory, or none for home. Those of one directory
    /// follow each other, so that what remembers them stays short.
    pub fn place(&self, count: usize) -> Result<Vec<Option<Uuid>>, Homeless> {
        self.place_beside(count, |_| Takes::New, |_| 0)
    }

    /// As [`place`](Self::place), but only where a directory takes new ones; `coming` says how many partitions a directory is
    /// getting that have no log yet.
    pub fn place_beside(
        &self,
        count: usize,
        takes: impl Fn(&Path) -> Takes,
        coming: impl Fn(Option<Uuid>) -> usize,
    ) -> Result<Vec<Option<Uuid>>, Homeless> {
        let (mut names, mut loads, mut sick) = (Vec::new(), Vec::new(), None);
        let is_good = |dir: Arc<LogDir>| dir.offline().is_none() && takes(dir.path()) == Takes::New;
        let are_all_spared = !self.here().any(is_good);
        for (at, dir) in self.here().enumerate() {
            let takes = takes(dir.path());
            match dir.offline() {
                _ if takes == Takes::Nothing => {}
                None if are_all_spared || takes == Takes::New => {
                    let name = if at == 0 { None } else { dir.directory_id() };
                    names.push(name);
                    loads.push(dir.log_count() + coming(name));
                }
                None => {}
                Some(why) => sick = sick.or(Some(why)),
            }
        }
        if names.is_empty() {
            return Err(sick.map_or(Homeless::Cordoned, Homeless::Offline));
        }
        let shares = shares(&loads, count);
        Ok(names.into_iter().zip(shares).flat_map(|(name, share)| std::iter::repeat_n(name, share)).collect())
    }
}

/// How many of `count` new partitions each directory gets, where each goes to the one with the fewest then.
fn shares(loads: &[usize], count: usize) -> Vec<usize> {
    let mut shares = vec![0; loads.len()];
    let mut least: BinaryHeap<_> = loads.iter().copied().zip(0..).map(Reverse).collect();
    for _ in 0..count {
        let Some(Reverse((load, at))) = least.pop() else { break };
        if let Some(share) = shares.get_mut(at) {
            *share += 1;
        }
        least.push(Reverse((load + 1, at)));
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_partition_goes_where_the_fewest_are() {
        assert_eq!(shares(&[0, 0], 4), [2, 2]);
        assert_eq!(shares(&[0, 0], 1), [1, 0], "the first listed of those alike");
        assert_eq!(shares(&[5, 1, 2], 3), [0, 2, 1]);
        assert_eq!(shares(&[9], 3), [3]);
        assert_eq!(shares(&[10, 0], 4), [0, 4]);
        assert_eq!(shares(&[], 4), [0; 0]);
    }
}

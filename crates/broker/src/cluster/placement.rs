//! Where partitions may be placed, and how many have their place and no log yet.

use std::{collections::HashMap, sync::Arc};

use pagewire_wire::ErrorCode;
use parking_lot::Mutex;
use uuid::Uuid;

use super::Refused;

/// Partitions that are being made, by the directories that they are placed in.
#[derive(Debug, Default)]
pub(super) struct Placing(Mutex<HashMap<Option<Uuid>, usize>>);

/// Some of them, until they have their logs.
#[derive(Debug)]
pub(super) struct Placed {
    placing: Arc<Placing>,
    directories: Vec<Option<Uuid>>,
}

impl Placing {
    /// How many a directory is getting.
    pub(super) fn of(&self, directory: Option<Uuid>) -> usize {
        self.0.lock().get(&directory).copied().unwrap_or(0)
    }

    pub(super) fn begin(self: &Arc<Self>, directories: Vec<Option<Uuid>>) -> Placed {
        let mut all = self.0.lock();
        for directory in &directories {
            *all.entry(*directory).or_default() += 1;
        }
        drop(all);
        Placed { placing: Arc::clone(self), directories }
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        let mut all = self.placing.0.lock();
        for directory in &self.directories {
            if let Some(count) = all.get_mut(directory) {
                *count -= 1;
            }
        }
        all.retain(|_, count| *count > 0);
    }
}

/// How many copies are asked for; -1 stands for the broker's default.
pub(crate) fn replication(factor: i16, default: i16) -> Result<i16, Refused> {
    match factor {
        -1 => Ok(default),
        factor if factor < 1 => {
            let message = "Replication factor must be larger than 0, or -1 to use the default value.";
            Err(Refused::new(ErrorCode::InvalidReplicationFactor, message))
        }
        factor => Ok(factor),
    }
}

/// Refuses to keep more copies than there are brokers, which is one.
pub(crate) fn check_replication(factor: i16) -> Result<(), Refused> {
    if factor == 1 {
        return Ok(());
    }
    let why = if factor < 1 {
        "the replication factor must be larger than 0.".to_owned()
    } else {
        format!(
            "The target replication factor of {factor} cannot be reached because only 1 broker(s) are registered."
        )
    };
    let message = format!("Unable to replicate the partition {factor} time(s): {why}");
    Err(Refused::new(ErrorCode::InvalidReplicationFactor, message))
}

/// What is wrong with a manual assignment of one partition, where this node is the only broker. Of several things it is the one
/// that Kafka comes to first, which goes by the ids.
pub(crate) fn misplaced(broker_ids: &[i32], node_id: i32) -> Option<String> {
    if broker_ids.is_empty() {
        return Some("The manual partition assignment includes an empty replica list.".into());
    }
    let least = broker_ids.iter().filter(|id| **id != node_id).min();
    let is_twice = broker_ids.iter().filter(|id| **id == node_id).count() > 1;
    match least {
        Some(stranger) if !is_twice || *stranger < node_id => Some(format!(
            "The manual partition assignment includes broker {stranger}, but no such broker is registered."
        )),
        _ => is_twice.then(|| {
            format!("The manual partition assignment includes the broker {node_id} more than once.")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_count_for_their_directories_until_they_have_their_logs() {
        let (placing, second) = (Arc::<Placing>::default(), Some(Uuid::from_u128(2)));
        let one = placing.begin(vec![None, second, second]);
        let other = placing.begin(vec![second]);
        assert_eq!((placing.of(None), placing.of(second)), (1, 3));
        drop(one);
        assert_eq!((placing.of(None), placing.of(second)), (0, 1));
        drop(other);
        assert!(placing.0.lock().is_empty());
    }

    #[test]
    fn one_broker_keeps_one_copy_whoever_says_how_many() {
        let check = |factor, default| replication(factor, default).and_then(check_replication);
        for (factor, default) in [(1, 3), (-1, 1)] {
            assert!(check(factor, default).is_ok());
        }
        for (factor, default) in [(2, 1), (-1, 3), (0, 1), (-2, 1), (-1, 0)] {
            let refused = check(factor, default).expect_err("not to be kept");
            assert_eq!(refused.code, ErrorCode::InvalidReplicationFactor);
        }
    }

    #[test]
    fn of_several_faults_of_an_assignment_the_one_of_the_least_broker_is_told() {
        let told = |ids: &[i32]| misplaced(ids, 1).unwrap_or_default();
        assert_eq!(told(&[1]), "");
        assert!(told(&[]).contains("empty"));
        for ids in [&[3, 2][..], &[1, 3, 2], &[2]] {
            assert!(told(ids).contains("broker 2,"), "{ids:?}");
        }
        assert!(told(&[2, 1, -1, 1]).contains("broker -1,"));
        for ids in [&[1, 1][..], &[2, 1, 1]] {
            assert!(told(ids).contains("broker 1 more than once"), "{ids:?}");
        }
    }
}

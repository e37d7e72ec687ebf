//! Partitions of the internal topics whose groups or transactional ids no broker answers for: it is away with its directory, or could
//! not be loaded. A list leaves out what is in them, without a word in the protocol; so each partition is asked for a name that it
//! would keep, by a description of it, which brings nothing into being. Who answers that there is no such name serves it.

use std::collections::BTreeSet;

use pagewire_coordinate::partition_for;
use pagewire_wire::messages::describe_groups_request::DescribeGroupsRequest;
use pagewire_wire::messages::describe_transactions_request::DescribeTransactionsRequest;
use pagewire_wire::{ErrorCode, Str};

use super::Result;
use super::error::Error;
use super::routing::{Client, Target, Which};

/// Partitions that are asked for at most: Kafka makes 50.
const ASKED_MAX: i32 = 500;
/// Names tried for each partition before it is left out: one that none of so many falls to is not met in practice.
const NAMES_EACH: i32 = 64;

/// What an internal topic keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Groups and their offsets.
    Groups,
    /// Transactional ids.
    Transactions,
}

impl Kept {
    /// Where.
    pub(crate) const fn topic(self) -> &'static str {
        match self {
            Self::Groups => "__consumer_offsets",
            Self::Transactions => "__transaction_state",
        }
    }

    /// In a word.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Groups => "groups",
            Self::Transactions => "transactional ids",
        }
    }
}

/// Partitions for which nobody answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unanswered {
    /// Of which topic.
    pub(crate) kept: Kept,
    /// Which ones, in order.
    pub(crate) partitions: Vec<i32>,
    /// How many the topic has.
    pub(crate) total: usize,
}

impl Client {
    /// Which partitions of the topic nobody answers for, if any.
    pub(crate) async fn unanswered(&mut self, kept: Kept) -> Result<Option<Unanswered>> {
        let topics = self.metadata(Which::Named(&[kept.topic()])).await?;
        let Some(topic) = topics.iter().find(|topic| topic.error == 0) else { return Ok(None) };
        let total = topic.partitions.len();
        let names = one_for_each(i32::try_from(total).unwrap_or(i32::MAX));
        let mut left: BTreeSet<i32> = names.iter().map(|(partition, _)| *partition).collect();
        let nodes: Vec<i32> = self.cluster().nodes.keys().copied().collect();
        for node in nodes {
            let wanted: Vec<&(i32, String)> = names.iter().filter(|(at, _)| left.contains(at)).collect();
            let asked = wanted.iter().map(|(_, name)| Str::from(name.clone())).collect();
            match self.codes(node, kept, asked).await {
                Ok(codes) => {
                    for ((partition, _), _) in wanted.iter().zip(codes).filter(|(_, code)| serves(*code)) {
                        left.remove(partition);
                    }
                }
                // A broker without the API says nothing of it.
                Err(Error::Unsupported { .. }) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        let partitions: Vec<i32> = left.into_iter().collect();
        Ok((!partitions.is_empty()).then_some(Unanswered { kept, partitions, total }))
    }

    /// What the node says of each of these names.
    async fn codes(&mut self, node: i32, kept: Kept, names: Vec<Str>) -> Result<Vec<i16>> {
        let (target, deadline) = (Target::Node(node), self.deadline());
        Ok(match kept {
            Kept::Groups => {
                let request = DescribeGroupsRequest { groups: names, ..DescribeGroupsRequest::default() };
                let answer = self.call_once(target, i16::MAX, deadline, |_| request).await?;
                answer.groups.iter().map(|group| group.error_code).collect()
            }
            Kept::Transactions => {
                let request = DescribeTransactionsRequest { transactional_ids: names };
                let answer = self.call_once(target, i16::MAX, deadline, |_| request).await?;
                answer.transaction_states.iter().map(|state| state.error_code).collect()
            }
        })
    }
}

/// Whether such an answer comes from who keeps the name. One that is loading still has been waited for by the list.
fn serves(code: i16) -> bool {
    ![ErrorCode::NotCoordinator, ErrorCode::CoordinatorNotAvailable].iter().any(|no| no.code() == code)
}

/// A name that each partition would keep.
fn one_for_each(partitions: i32) -> Vec<(i32, String)> {
    let asked = partitions.min(ASKED_MAX);
    let mut names: Vec<Option<String>> = (0..asked).map(|_| None).collect();
    for number in 0..partitions.saturating_mul(NAMES_EACH).min(ASKED_MAX * NAMES_EACH) {
        let name = format!("pagewire-asks-{number}");
        let at = usize::try_from(partition_for(&name, partitions)).ok();
        if let Some(free) = at.and_then(|at| names.get_mut(at)).filter(|free| free.is_none()) {
            *free = Some(name);
        }
    }
    (0..asked).zip(names).filter_map(|(partition, name)| Some((partition, name?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_is_asked_for_a_name_that_it_keeps() {
        for partitions in [1, 3, 50, 100, 499] {
            let names = one_for_each(partitions);
            assert_eq!(names.len(), usize::try_from(partitions).unwrap_or_default(), "{partitions}");
            assert!(names.iter().all(|(at, name)| partition_for(name, partitions) == *at));
        }
    }
}

//! Partitions without a leader: which of them matter, and what is told of them.
//!
//! In a cluster of several brokers another one may take over, so that is waited for. Where a log directory is away, or the
//! only broker does not lead a partition, nothing changes before a person has done something: that is said soon.

use pagewire_wire::ErrorCode;

use super::error::Error;
use super::routing::Client;
use super::{Partition, Topic};

/// Partitions that are named one by one.
const NAMED_MAX: usize = 8;

/// Which partitions of a topic have to have a leader.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Needs<'n> {
    /// All of them.
    All,
    /// These.
    These(&'n [i32]),
    /// All, but if it takes too long, any.
    Any,
}

impl Needs<'_> {
    /// The partitions of `topic` that are waited for.
    fn missing(self, topic: &Topic) -> Vec<i32> {
        let is_needed = |index: i32| match self {
            Self::These(some) => some.contains(&index),
            Self::All | Self::Any => true,
        };
        leaderless(topic).filter(|index| is_needed(*index)).collect()
    }

    /// Whether it will do as it is, when it has been waited for long enough.
    pub(crate) fn are_met_in_part(self, topic: &Topic) -> bool {
        matches!(self, Self::Any) && topic.partitions.iter().any(|partition| partition.leader.is_some())
    }
}

/// Partitions without a leader.
pub(crate) fn leaderless(topic: &Topic) -> impl Iterator<Item = i32> {
    let without = |partition: &&Partition| partition.leader.is_none();
    topic.partitions.iter().filter(without).map(|partition| partition.index)
}

impl Client {
    /// The error where a partition that is needed has no leader, or the topic has none.
    pub(crate) async fn check_leaders(&mut self, topic: &Topic, needs: Needs<'_>) -> Result<(), Error> {
        let missing = needs.missing(topic);
        if missing.is_empty() && !topic.partitions.is_empty() {
            return Ok(());
        }
        let what = told(topic, &missing);
        let code = ErrorCode::LeaderNotAvailable;
        let others = match needs {
            Needs::All if missing.len() < topic.partitions.len() => {
                ". The other partitions can be read, with --partition N"
            }
            _ => "",
        };
        match self.disk_trouble().await {
            Some(trouble) => Err(Error::Stuck { what, why: format!("no leader: {trouble}{others}"), code }),
            None if self.is_alone() => {
                let why = "no leader, and the only broker does not serve it: `pagewire cluster` shows its log \
                           directories, its log says why at its start";
                Err(Error::Stuck { what, why: format!("{why}{others}"), code })
            }
            None => {
                let why = "no leader at the moment: `pagewire cluster` shows the brokers that are there";
                Err(Error::Api { what, code: code.code(), message: Some(format!("{why}{others}")) })
            }
        }
    }

    /// An error of who should lead or coordinate, in view of the brokers' disks.
    pub(crate) async fn in_view_of_disks(&mut self, error: Error) -> Error {
        let (Some(code), Error::Api { what, message, .. }) = (error.code(), &error) else {
            return error;
        };
        if !matches!(
            code,
            ErrorCode::LeaderNotAvailable | ErrorCode::CoordinatorNotAvailable | ErrorCode::NotCoordinator
        ) {
            return error;
        }
        let where_to_look = "Its log says why, `pagewire cluster` shows its log directories";
        let why = match (message, self.disk_trouble().await) {
            (None, Some(trouble)) => trouble,
            (None, None) if code == ErrorCode::NotCoordinator && self.is_alone() => format!(
                "the only broker does not coordinate it: the partition that keeps it, of __consumer_offsets or \
                 __transaction_state, is not served or could not be loaded. {where_to_look}"
            ),
            (Some(said), _) if code == ErrorCode::CoordinatorNotAvailable && self.is_alone() => {
                format!("{said} on the only broker. {where_to_look}")
            }
            _ => return error,
        };
        Error::Stuck { what: what.clone(), why, code }
    }

    /// Nobody else could take over.
    fn is_alone(&self) -> bool {
        self.cluster().nodes.len() == 1
    }
}

fn told(topic: &Topic, missing: &[i32]) -> String {
    let name = &topic.name;
    let (named, more) = missing.split_at(missing.len().min(NAMED_MAX));
    let named: Vec<String> = named.iter().map(ToString::to_string).collect();
    match (missing.len(), more.len()) {
        (0, _) => format!("topic {name}"),
        (all, _) if all > 1 && all == topic.partitions.len() => format!("topic {name}, all {all} partitions"),
        (1, _) => format!("topic {name}, partition {}", named.join("")),
        (_, 0) => format!("topic {name}, partitions {}", named.join(", ")),
        (_, more) => format!("topic {name}, partitions {} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use pagewire_wire::Uuid;

    use super::*;

    fn topic(led: &[bool]) -> Topic {
        let partition = |(index, led): (i32, &bool)| Partition {
            index,
            leader: led.then_some(1),
            epoch: 0,
            replicas: vec![1],
            isr: vec![1],
            offline: Vec::new(),
            error: 0,
        };
        let partitions = (0..).zip(led).map(partition).collect();
        Topic { name: "t".to_owned(), id: Uuid::default(), internal: false, error: 0, partitions }
    }

    #[test]
    fn only_what_is_asked_for_is_missed() {
        let some = topic(&[true, false, true, false]);
        assert_eq!(Needs::All.missing(&some), [1, 3]);
        assert_eq!(Needs::Any.missing(&some), [1, 3]);
        assert_eq!(Needs::These(&[0, 3]).missing(&some), [3]);
        assert!(Needs::These(&[0, 2]).missing(&some).is_empty());
        assert!(Needs::Any.are_met_in_part(&some) && !Needs::All.are_met_in_part(&some));
        assert!(!Needs::Any.are_met_in_part(&topic(&[false])));
    }

    #[test]
    fn partitions_are_named_a_few_of_them() {
        let none = topic(&[false; 12]);
        assert_eq!(told(&none, &[3]), "topic t, partition 3");
        assert_eq!(told(&none, &[0, 3]), "topic t, partitions 0, 3");
        let all: Vec<i32> = (0..12).collect();
        assert_eq!(told(&none, &all), "topic t, all 12 partitions");
        assert_eq!(told(&none, &all[..11]), "topic t, partitions 0, 1, 2, 3, 4, 5, 6, 7 and 3 more");
        assert_eq!(told(&topic(&[]), &[]), "topic t");
    }
}

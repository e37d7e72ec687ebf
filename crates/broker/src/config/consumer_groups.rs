//! `group.consumer.*`: the times of consumer groups, and what they may do.

use std::collections::BTreeMap;

use pagewire_coordinate::{Assignor, ConsumerSettings, GroupTiming, Migration};

use super::layers::Layers;

/// Settings of consumer groups. A group may have times of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsumerGroupsConfig(ConsumerSettings);

impl ConsumerGroupsConfig {
    pub(super) fn of(layers: &Layers) -> Self {
        let int = |name| i32::try_from(layers.int(name)).unwrap_or(i32::MAX);
        let names = layers.list("group.consumer.assignors");
        let mut assignors: Vec<Assignor> = Vec::new();
        for assignor in names.iter().filter_map(|name| Assignor::named(name)) {
            if !assignors.contains(&assignor) {
                assignors.push(assignor);
            }
        }
        let policy = layers.text("group.consumer.migration.policy").unwrap_or_default();
        Self(ConsumerSettings {
            session_timeout_ms: int("group.consumer.session.timeout.ms"),
            heartbeat_interval_ms: int("group.consumer.heartbeat.interval.ms"),
            max_size: usize::try_from(layers.int("group.consumer.max.size")).unwrap_or(usize::MAX),
            assignors,
            migration: Migration::named(&policy).unwrap_or(Migration::Bidirectional),
            assignment_interval_ms: int("group.consumer.assignment.interval.ms"),
            regex_refresh_interval_ms: int("group.consumer.regex.refresh.interval.ms"),
        })
    }

    /// As the machine takes them.
    pub(crate) fn for_machine(&self) -> ConsumerSettings {
        self.0.clone()
    }

    /// The times of a group with these of its own.
    pub(crate) fn timing_of(&self, OwnTimes([session, heartbeat, assignment]): OwnTimes) -> GroupTiming {
        let timing = self.0.timing();
        GroupTiming {
            session_timeout_ms: session.unwrap_or(timing.session_timeout_ms),
            heartbeat_interval_ms: heartbeat.unwrap_or(timing.heartbeat_interval_ms),
            assignment_interval_ms: assignment.unwrap_or(timing.assignment_interval_ms),
        }
    }
}

/// What a group of consumers may set for itself.
const TIMES: [&str; 3] =
    ["consumer.session.timeout.ms", "consumer.heartbeat.interval.ms", "consumer.assignment.interval.ms"];

/// The times that a group has set for itself, in the order of [`TIMES`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct OwnTimes([Option<i32>; 3]);

impl OwnTimes {
    /// Those among a group's settings.
    pub(crate) fn of(own: &BTreeMap<String, String>) -> Self {
        Self(TIMES.map(|name| own.get(name).and_then(|text| text.trim().parse().ok())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_groups_own_times_come_before_those_of_the_broker() {
        let config = ConsumerGroupsConfig(ConsumerSettings::default());
        assert_eq!(config.timing_of(OwnTimes::default()), ConsumerSettings::default().timing());
        let own = BTreeMap::from([("consumer.session.timeout.ms".to_owned(), "50000".to_owned())]);
        let timing = config.timing_of(OwnTimes::of(&own));
        assert_eq!((timing.session_timeout_ms, timing.heartbeat_interval_ms), (50_000, 5_000));
    }
}

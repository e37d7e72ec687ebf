//! `group.consumer.*`: the times of consumer groups, and what they may do.

use std::{collections::BTreeMap, ops::RangeInclusive};

use pagewire_coordinate::{Assignor, ConsumerSettings, GroupTiming, Migration};

use super::{alter::broker_bounds, layers::Layers};

/// Settings of consumer groups. A group may have times of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsumerGroupsConfig {
    settings: ConsumerSettings,
    /// Of the times that a group may set, in the order of [`TIMES`].
    bounds: [RangeInclusive<i32>; 3],
}

impl ConsumerGroupsConfig {
    pub(super) fn of(layers: &Layers) -> Self {
        let int = |name: &str| i32::try_from(layers.int(name)).unwrap_or(i32::MAX);
        let names = layers.list("group.consumer.assignors");
        let mut assignors: Vec<Assignor> = Vec::new();
        let of = |name: &String| {
            Assignor::ALL.into_iter().find(|one| [one.name(), one.class()].contains(&&**name))
        };
        for assignor in names.iter().filter_map(of) {
            if !assignors.contains(&assignor) {
                assignors.push(assignor);
            }
        }
        let policy = layers.text("group.consumer.migration.policy").unwrap_or_default();
        let settings = ConsumerSettings {
            session_timeout_ms: int("group.consumer.session.timeout.ms"),
            heartbeat_interval_ms: int("group.consumer.heartbeat.interval.ms"),
            max_size: usize::try_from(layers.int("group.consumer.max.size")).unwrap_or(usize::MAX),
            assignors,
            migration: Migration::named(&policy).unwrap_or(Migration::Bidirectional),
            assignment_interval_ms: int("group.consumer.assignment.interval.ms"),
            regex_refresh_interval_ms: int("group.consumer.regex.refresh.interval.ms"),
        };
        let bounds = TIMES.map(|name| {
            let [min, max] = broker_bounds(name);
            int(&min)..=int(&max)
        });
        Self { settings, bounds }
    }

    /// As the machine takes them.
    pub(crate) fn for_machine(&self) -> ConsumerSettings {
        self.settings.clone()
    }

    /// The times of a group with these of its own. What was stored under other bounds is capped to those of the broker.
    pub(crate) fn timing_of(&self, own: OwnTimes) -> GroupTiming {
        let timing = self.settings.timing();
        let [session, heartbeat, assignment] = self.capped(own);
        GroupTiming {
            session_timeout_ms: session.unwrap_or(timing.session_timeout_ms),
            heartbeat_interval_ms: heartbeat.unwrap_or(timing.heartbeat_interval_ms),
            assignment_interval_ms: assignment.unwrap_or(timing.assignment_interval_ms),
        }
    }

    fn capped(&self, OwnTimes(own): OwnTimes) -> [Option<i32>; 3] {
        std::array::from_fn(|at| {
            let (time, bounds) = (own.get(at).copied().flatten(), self.bounds.get(at));
            time.map(|time| bounds.map_or(time, |bounds| time.clamp(*bounds.start(), *bounds.end())))
        })
    }

    /// What an operator is told of a group with these times of its own.
    pub(crate) fn notices(&self, own: OwnTimes) -> Vec<String> {
        let capped = TIMES.iter().zip(own.0.into_iter().zip(self.capped(own)));
        let mut notices: Vec<String> = capped
            .filter_map(|(name, (own, capped))| {
                let (own, capped) = own.zip(capped).filter(|(own, capped)| own != capped)?;
                Some(format!("its {name} is {own}, which the broker does not allow: {capped} is in force"))
            })
            .collect();
        let timing = self.timing_of(own);
        if timing.session_timeout_ms <= timing.heartbeat_interval_ms {
            notices.push(format!(
                "its members may be silent for {} ms and are to be heard every {} ms: they are expelled again and again",
                timing.session_timeout_ms, timing.heartbeat_interval_ms
            ));
        }
        notices
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
    use crate::config::BrokerConfig;

    fn own(times: [(&str, &str); 2]) -> OwnTimes {
        OwnTimes::of(&times.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }

    #[test]
    fn a_groups_own_times_come_before_those_of_the_broker() {
        let config = BrokerConfig::defaults().consumer_groups;
        assert_eq!(config.timing_of(OwnTimes::default()), ConsumerSettings::default().timing());
        let own = own([("consumer.session.timeout.ms", "50000"), ("share.session.timeout.ms", "46000")]);
        let timing = config.timing_of(own);
        assert_eq!((timing.session_timeout_ms, timing.heartbeat_interval_ms), (50_000, 5_000));
        assert!(config.notices(own).is_empty());
    }

    #[test]
    fn times_that_the_broker_no_longer_allows_are_capped_and_told() {
        let config = BrokerConfig::defaults().consumer_groups;
        let own = own([("consumer.session.timeout.ms", "90000"), ("consumer.heartbeat.interval.ms", "10")]);
        let timing = config.timing_of(own);
        assert_eq!((timing.session_timeout_ms, timing.heartbeat_interval_ms), (60_000, 5_000));
        let told = [
            "its consumer.session.timeout.ms is 90000, which the broker does not allow: 60000 is in force",
            "its consumer.heartbeat.interval.ms is 10, which the broker does not allow: 5000 is in force",
        ];
        assert_eq!(config.notices(own), told);
    }
}

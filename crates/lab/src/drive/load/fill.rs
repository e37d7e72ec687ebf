//! Fills a topic for the loads that read.

use std::time::Duration;

use crate::drive::broker::Broker;
use crate::drive::client::{Acks, Result};
use crate::drive::plan::Plan;
use crate::drive::topic::Topic;

use super::produce::pumps;
use super::pump::Pump;
use super::race::{self, Limits, runner};

/// No broker takes longer to write what is read afterwards.
const LENGTH_MAX: Duration = Duration::from_hours(1);

/// Writes so many bytes, the same to each partition. Answers where each partition ends.
pub(super) fn fill(topic: &Topic, plan: &Plan, broker: &Broker, bytes: u64) -> Result<Vec<i64>> {
    let plan = Plan { acks: Acks::All, ..plan.clone() };
    let count = plan.partitions_count();
    let quota = bytes / count as u64;
    let mut pumps = pumps(topic, &plan, broker, count)?;
    let limits = Limits { lead_in: Duration::ZERO, length: LENGTH_MAX, bytes: u64::MAX };
    let runners = pumps.iter_mut().map(|pump| runner(move |race| pump.run(race, quota.max(1))));
    race::run(limits, &broker.dial.stop, runners.collect())?;
    let end = |(lane, pump): (usize, &mut Pump)| pump.connection.end_of(&topic.name, topic.partition(lane).0);
    pumps.iter_mut().enumerate().map(end).collect()
}

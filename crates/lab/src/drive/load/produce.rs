//! `produce`: batches as fast as the broker takes them.

use std::time::Duration;

use crate::drive::broker::Broker;
use crate::drive::client::{ProduceFrame, Result, batch, records_in};
use crate::drive::plan::Plan;
use crate::drive::topic::Topic;

use super::Load;
use super::pump::Pump;
use super::race::{Limits, Runner, runner};

/// The load.
#[derive(Debug)]
pub(super) struct Produce {
    topic: Topic,
    limits: Limits,
    pumps: Vec<Pump>,
}

impl Produce {
    pub(super) fn prepare(topic: Topic, plan: &Plan, broker: &Broker) -> Result<Self> {
        let pumps = pumps(&topic, plan, broker, plan.lanes())?;
        Ok(Self {
            topic,
            limits: Limits { lead_in: Duration::ZERO, length: plan.length, bytes: plan.round_bytes },
            pumps,
        })
    }

    /// Has done its work: what it holds of the broker's goes.
    pub(super) fn end(&mut self) -> Result<()> {
        self.pumps.clear();
        self.topic.remove()
    }
}

/// A pump for each lane.
pub(super) fn pumps(topic: &Topic, plan: &Plan, broker: &Broker, lanes: usize) -> Result<Vec<Pump>> {
    let records = records_in(plan.batch_bytes, plan.record_bytes);
    let bytes = batch(records, plan.record_bytes, plan.codec)?;
    let pump = |lane| {
        let (partition, leader) = topic.partition(lane);
        let connection = broker.dial.open(leader)?;
        let frame =
            ProduceFrame::new(connection.versions(), &topic.name, partition, bytes.clone(), plan.acks)?;
        Ok(Pump { connection, frame, batch: (bytes.len() as u64, records as u64), window: plan.in_flight })
    };
    (0..lanes).map(pump).collect()
}

impl Load for Produce {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn runners(&mut self) -> Vec<Runner<'_>> {
        self.pumps.iter_mut().map(|pump| runner(|race| pump.run(race, u64::MAX))).collect()
    }

    fn topic(&mut self) -> &mut Topic {
        &mut self.topic
    }
}

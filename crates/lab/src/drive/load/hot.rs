//! `fetch-hot`: what was just written, over and over.

use std::time::Duration;

use crate::drive::broker::Broker;
use crate::drive::client::Result;
use crate::drive::plan::Plan;
use crate::drive::topic::Topic;

use super::Load;
use super::fill::{fill, fill_by_transactions};
use super::race::{Limits, Runner, runner};
use super::reader::Reader;
use super::together::Together;

/// The load.
#[derive(Debug)]
pub(super) struct FetchHot {
    topic: Topic,
    limits: Limits,
    readers: Vec<Reader>,
    /// Reads in their place.
    together: Option<Together>,
}

impl FetchHot {
    pub(super) fn prepare(topic: Topic, plan: &Plan, broker: &Broker) -> Result<Self> {
        let ends = if plan.committed {
            fill_by_transactions(&topic, plan, broker, plan.hot_bytes)?
        } else {
            fill(&topic, plan, broker, plan.hot_bytes)?
        };
        let limits = Limits { lead_in: Duration::ZERO, length: plan.length, bytes: u64::MAX };
        if plan.together {
            let together = Some(together(&topic, plan, broker, ends)?);
            return Ok(Self { topic, limits, readers: Vec::new(), together });
        }
        let lanes = plan.lanes();
        let mut readers = readers(&topic, plan, broker, &ends, lanes)?;
        for (lane, reader) in readers.iter_mut().enumerate() {
            // Each begins elsewhere, so that they do not read the same in step.
            reader.offset = reader.end / lanes as i64 * lane as i64;
        }
        Ok(Self { topic, limits, readers, together: None })
    }
}

/// One for all partitions.
fn together(topic: &Topic, plan: &Plan, broker: &Broker, ends: Vec<i64>) -> Result<Together> {
    let partitions = 0..plan.partitions_count();
    let (_, leader) = topic.partition(0);
    Ok(Together {
        connection: broker.dial.open(leader)?,
        topic: topic.name.clone(),
        at: partitions.map(|lane| (topic.partition(lane).0, 0)).collect(),
        ends,
        partition_max_bytes: plan.fetch_bytes,
        committed: plan.committed,
    })
}

/// A reader for each lane.
pub(super) fn readers(
    topic: &Topic,
    plan: &Plan,
    broker: &Broker,
    ends: &[i64],
    lanes: usize,
) -> Result<Vec<Reader>> {
    let reader = |lane| {
        let (partition, leader) = topic.partition(lane);
        Ok(Reader {
            connection: broker.dial.open(leader)?,
            topic: topic.name.clone(),
            partition,
            offset: 0,
            end: ends.get(partition as usize).copied().unwrap_or_default(),
            max_bytes: plan.fetch_bytes,
            committed: plan.committed,
        })
    };
    (0..lanes).map(reader).collect()
}

impl Load for FetchHot {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn runners(&mut self) -> Vec<Runner<'_>> {
        let together = self.together.iter_mut().map(|all| runner(|race| all.circle(race)));
        self.readers.iter_mut().map(|reader| runner(|race| reader.circle(race))).chain(together).collect()
    }

    fn topic(&mut self) -> &mut Topic {
        &mut self.topic
    }
}

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
    by: By,
}

/// Who reads.
#[derive(Debug)]
enum By {
    /// One for each partition.
    Each(Vec<Reader>),
    /// One for all of them.
    Together(Together),
}

impl FetchHot {
    pub(super) fn prepare(topic: Topic, plan: &Plan, broker: &Broker) -> Result<Self> {
        let ends = if plan.committed {
            fill_by_transactions(&topic, plan, broker, plan.hot_bytes)?
        } else {
            fill(&topic, plan, broker, plan.hot_bytes)?
        };
        let limits = Limits { lead_in: Duration::ZERO, length: plan.length, bytes: u64::MAX };
        let by = if plan.together {
            By::Together(together(&topic, plan, broker, ends)?)
        } else {
            By::Each(out_of_step(readers(&topic, plan, broker, &ends, plan.lanes())?))
        };
        Ok(Self { topic, limits, by })
    }
}

/// Each begins elsewhere, so that they do not read the same in step.
fn out_of_step(mut readers: Vec<Reader>) -> Vec<Reader> {
    let lanes = readers.len() as i64;
    for (lane, reader) in (0..).zip(&mut readers) {
        reader.offset = reader.end / lanes * lane;
    }
    readers
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
        match &mut self.by {
            By::Each(readers) => {
                readers.iter_mut().map(|reader| runner(|race| reader.circle(race))).collect()
            }
            By::Together(all) => vec![runner(|race| all.circle(race))],
        }
    }

    fn topic(&mut self) -> &mut Topic {
        &mut self.topic
    }
}

//! `connections`: many that each do a little on a schedule, beside many that do nothing.

use std::time::Duration;

use crate::drive::broker::Broker;
use crate::drive::client::{Connection, ProduceFrame, Result, batch};
use crate::drive::latency::Latencies;
use crate::drive::meter::Figures;
use crate::drive::plan::Plan;
use crate::drive::schedule::Schedule;
use crate::drive::topic::Topic;

use super::Load;
use super::idle::Idle;
use super::race::{Limits, Race, Runner, runner};

/// The first record is due so long after the round began, when all threads run.
const LEAD_IN: Duration = Duration::from_millis(100);
/// Answers are waited for so long after the last record was due.
const GRACE: Duration = Duration::from_secs(10);

/// The load.
#[derive(Debug)]
pub(super) struct Connections {
    topic: Topic,
    schedule: Schedule,
    length: Duration,
    busy: Vec<Busy>,
    idle: Idle,
}

#[derive(Debug)]
struct Busy {
    connection: Connection,
    frame: ProduceFrame,
    bytes: u64,
}

impl Connections {
    pub(super) fn prepare(topic: Topic, plan: &Plan, broker: &Broker) -> Result<Self> {
        super::descriptors::allow(plan.busy + plan.idle)?;
        let idle = Idle::open(plan.idle, broker)?;
        let batch = batch(1, plan.record_bytes, plan.codec)?;
        let busy = |lane| {
            let (partition, leader) = topic.partition(lane);
            let connection = broker.dial.open(leader)?;
            let versions = connection.versions();
            let frame = ProduceFrame::new(versions, &topic.name, partition, batch.clone(), plan.acks)?;
            Ok(Busy { connection, frame, bytes: batch.len() as u64 })
        };
        Ok(Self {
            busy: (0..plan.busy).map(busy).collect::<Result<_>>()?,
            schedule: Schedule::new(plan.rate, plan.busy),
            length: plan.length,
            idle,
            topic,
        })
    }
}

impl Load for Connections {
    fn limits(&self) -> Limits {
        Limits { lead_in: LEAD_IN, length: self.length + GRACE, bytes: u64::MAX }
    }

    fn runners(&mut self) -> Vec<Runner<'_>> {
        let (schedule, length) = (self.schedule, self.length);
        let busy = self.busy.iter_mut().enumerate();
        busy.map(|(lane, busy)| runner(move |race| busy.run(race, schedule, lane, length))).collect()
    }

    fn once(&self) -> Figures {
        self.idle.figures.clone()
    }

    fn topic(&mut self) -> &mut Topic {
        &mut self.topic
    }
}

impl Busy {
    /// A record whenever one is due; latencies from then to the answer.
    fn run(&mut self, race: &Race, schedule: Schedule, lane: usize, length: Duration) -> Result<Latencies> {
        let start = race.start();
        let mut latencies = Latencies::default();
        for k in 0..schedule.count(lane, length) {
            let due = schedule.due(lane, k);
            race.sleep_until(start + due);
            if race.is_over() {
                break;
            }
            self.connection.produce(&mut self.frame, k as i32)?;
            if self.frame.is_answered() {
                self.connection.produced(&self.frame, k as i32)?;
                latencies.record(start.elapsed().saturating_sub(due));
            }
            race.count(self.bytes, 1);
        }
        Ok(latencies)
    }
}

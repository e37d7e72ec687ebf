//! `connections`: many that each do a little on a schedule, beside many that do nothing.

use std::time::{Duration, Instant};

use crate::drive::broker::Broker;
use crate::drive::client::{Connection, ProduceFrame, Result, batch};
use crate::drive::latency::Latencies;
use crate::drive::plan::Plan;
use crate::drive::process;
use crate::drive::schedule::Schedule;
use crate::drive::topic::Topic;

use super::race::{Limits, Race, Runner, runner};
use super::{Figure, Load};

/// The first record is due so long after the round began, when all threads run.
const LEAD_IN: Duration = Duration::from_millis(100);
/// Answers are waited for so long after the last record was due.
const GRACE: Duration = Duration::from_secs(10);
/// The broker's memory is looked at so long after the last connection was made.
const SETTLE: Duration = Duration::from_millis(300);

/// The load.
#[derive(Debug)]
pub(super) struct Connections {
    topic: Topic,
    schedule: Schedule,
    length: Duration,
    busy: Vec<Busy>,
    _idle: Vec<Connection>,
    idle_figures: Vec<Figure>,
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
        let (idle, idle_figures) = open_idle(plan, broker)?;
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
            _idle: idle,
            idle_figures,
            topic,
        })
    }
}

/// Opens the idle ones; what opening them took and what each costs the broker in memory.
fn open_idle(plan: &Plan, broker: &Broker) -> Result<(Vec<Connection>, Vec<Figure>)> {
    let resident = || Some(process::memory(broker.pid()?).ok()?.resident_mib);
    let (before, began) = (resident(), Instant::now());
    let open = |_| broker.dial.open(broker.address);
    let idle = (0..plan.idle).map(open).collect::<Result<Vec<_>>>()?;
    let took = began.elapsed();
    if idle.is_empty() {
        return Ok((idle, Vec::new()));
    }
    let count = idle.len() as f64;
    let mut figures = vec![("connects_per_s", count / took.as_secs_f64())];
    std::thread::sleep(SETTLE);
    if let (Some(before), Some(after)) = (before, resident()) {
        figures.push(("idle_kib_per_connection", (after - before) * 1024.0 / count));
    }
    Ok((idle, figures))
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

    fn figures(&mut self) -> Vec<Figure> {
        self.idle_figures.clone()
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

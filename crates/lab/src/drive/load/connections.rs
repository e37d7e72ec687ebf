//! `connections`: many that each do a little on a schedule, beside many that do nothing.
//!
//! Those that do nothing are held to one broker at a time: this process may hold so many and not so many to each.

use std::time::Duration;

use crate::drive::broker::Broker;
use crate::drive::client::{Dial, Result};
use crate::drive::meter::Figures;
use crate::drive::plan::Plan;
use crate::drive::schedule::Schedule;
use crate::drive::topic::Topic;

use super::busy::{Busy, Task};
use super::idle::Idle;
use super::race::{Limits, Runner, runner};
use super::{Figure, Load, Ready};

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
    dial: Dial,
    busy: Vec<Busy>,
    /// How many do nothing in a round.
    idle: usize,
    /// They, as long as its turn lasts.
    held: Option<Idle>,
    /// Of opening them.
    opened: Figures,
    broker: Broker,
}

impl Connections {
    pub(super) fn prepare(topic: Topic, plan: &Plan, broker: &Broker) -> Result<Self> {
        super::descriptors::allow(plan.busy + plan.idle)?;
        let opened = Idle::open(plan.idle, broker)?.figures;
        let busy = Busy::open(plan.busy, &topic, plan, broker)?;
        Ok(Self {
            busy,
            schedule: Schedule::new(plan.rate, plan.busy),
            length: plan.length,
            dial: broker.dial.clone(),
            idle: plan.idle,
            held: None,
            opened,
            broker: broker.clone(),
            topic,
        })
    }
}

impl Load for Connections {
    fn before(&mut self) -> Result<Ready> {
        self.busy.iter_mut().try_for_each(|busy| busy.mend(&self.dial))?;
        super::descriptors::allow(self.idle)?;
        self.held = Some(Idle::open(self.idle, &self.broker)?);
        Ok(Ready::Yes)
    }

    fn limits(&self) -> Limits {
        Limits { lead_in: LEAD_IN, length: self.length + GRACE, bytes: u64::MAX }
    }

    fn runners(&mut self) -> Vec<Runner<'_>> {
        let (schedule, length) = (self.schedule, self.length);
        let busy = self.busy.iter_mut().enumerate();
        busy.map(|(lane, busy)| runner(move |race| busy.run(race, Task { lane, schedule, length }))).collect()
    }

    fn let_go(&mut self) {
        self.held = None;
    }

    fn figures(&mut self) -> Vec<Figure> {
        Busy::figures(&self.busy)
    }

    fn once(&self) -> Figures {
        self.opened.clone()
    }

    fn topic(&mut self) -> &mut Topic {
        &mut self.topic
    }
}

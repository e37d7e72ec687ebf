//! `produce-afresh`: batches as fast as the broker takes them, each round into a topic of its own.
//!
//! ```text
//!   topic | round | hang up, remove the topic, wait until the disk has its room again | whoever is next
//! ```
//!
//! Others would write beside that removal else, and a disk would have to have room for all rounds of all brokers.

use crate::drive::broker::Broker;
use crate::drive::client::Result;
use crate::drive::plan::{Case, Plan};
use crate::drive::process::Room;
use crate::drive::topic::Topic;

use super::produce::Produce;
use super::race::{Limits, Runner};
use super::{Load, Ready};

/// The load.
#[derive(Debug)]
pub(super) struct ProduceAfresh {
    plan: Plan,
    broker: Broker,
    /// Into this round's topic.
    produce: Produce,
    /// That one is gone.
    is_over: bool,
}

impl ProduceAfresh {
    pub(super) fn prepare(topic: Topic, plan: &Plan, broker: &Broker) -> Result<Self> {
        let produce = Produce::prepare(topic, plan, broker)?;
        Ok(Self { plan: plan.clone(), broker: broker.clone(), produce, is_over: false })
    }
}

impl Load for ProduceAfresh {
    fn before(&mut self) -> Result<Ready> {
        if self.is_over {
            let topic = Topic::make(&self.broker, &self.plan, Case::ProduceAfresh)?;
            self.produce = Produce::prepare(topic, &self.plan, &self.broker)?;
            self.is_over = false;
        }
        Ok(Ready::Yes)
    }

    fn limits(&self) -> Limits {
        self.produce.limits()
    }

    fn runners(&mut self) -> Vec<Runner<'_>> {
        self.produce.runners()
    }

    fn after(&mut self, bytes: u64) -> Result<()> {
        self.is_over = true;
        let room = self.broker.pid().and_then(Room::of_log);
        self.produce.end()?;
        if let Some(room) = room {
            room.await_more(bytes, &self.broker.dial.stop);
        }
        Ok(())
    }

    fn topic(&mut self) -> &mut Topic {
        self.produce.topic()
    }
}

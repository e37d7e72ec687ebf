//! A consumer of committed records that reads everything, from the beginning and from where it was, while all else goes
//! on.

use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::{Result, ensure};

use super::cast::{Actor, Cast};
use super::ledger::Who;
use super::model::{Answer, At, Call, Place};
use super::plan::{Flow, Reading};
use crate::harness::PATIENCE;

/// Polls behind the last record that is expected: what comes then is too much.
const POLLS_BEHIND: usize = 2;

/// A reader and where it stands.
pub(super) struct Reader<'c> {
    cast: &'c Cast<'c>,
    flow: Flow,
    actor: Actor<'c>,
    positions: Vec<At>,
}

fn beginning() -> Vec<At> {
    Place::all().map(|place| (place, 0)).collect()
}

impl<'c> Reader<'c> {
    pub(super) fn new(cast: &'c Cast<'c>, client: usize, flow: Flow) -> Result<Self> {
        let actor = Actor::reader(cast, flow, Who { client, instance: 0 })?;
        Ok(Self { cast, flow, actor, positions: beginning() })
    }

    /// Reads until workers have done what they were to do.
    pub(super) fn read_along(mut self, readings: &[Reading]) -> Result<Self> {
        for reading in readings.iter().cycle() {
            if self.cast.is_over.load(Ordering::Relaxed) || self.cast.gives_up() {
                return Ok(self);
            }
            self.session(reading.polls)?;
            if reading.dies {
                self = self.killed()?;
            }
            if reading.again {
                self.positions = beginning();
            }
        }
        Ok(self)
    }

    fn session(&mut self, polls: usize) -> Result<()> {
        self.actor.call(&Call::Seek(self.positions.clone()))?;
        for _ in 0..polls {
            if self.cast.is_over.load(Ordering::Relaxed) || self.polled()?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// How many records came; `None` if the poll failed.
    fn polled(&mut self) -> Result<Option<usize>> {
        let Answer::Records(records) = self.actor.call(&Call::Poll)? else { return Ok(None) };
        for ((place, offset), _) in &records {
            self.positions.iter_mut().filter(|(at, _)| at == place).for_each(|(_, next)| *next = offset + 1);
        }
        Ok(Some(records.len()))
    }

    fn killed(self) -> Result<Self> {
        let Self { cast, flow, actor, positions } = self;
        let who = Who { instance: actor.who.instance + 1, ..actor.who };
        actor.killed(None)?;
        Ok(Self { cast, flow, actor: Actor::reader(cast, flow, who)?, positions })
    }

    /// Reads everything from the beginning: so many records.
    pub(super) fn read_all(mut self, count: usize) -> Result<()> {
        let began = Instant::now();
        self.actor.call(&Call::Seek(beginning()))?;
        let mut seen = 0;
        while seen < count {
            ensure!(began.elapsed() < PATIENCE, "of {count} records {:?} saw {seen}", self.actor.who);
            if let Some(some) = self.polled()? {
                seen += some;
            } else {
                self.actor.call(&Call::Seek(beginning()))?;
                seen = 0;
            }
        }
        for _ in 0..POLLS_BEHIND {
            self.polled()?;
        }
        Ok(())
    }
}

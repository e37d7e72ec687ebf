//! One load on one broker, round by round, for whoever does something else beside it and looks at latencies alone.

use anyhow::{Result, bail};

use super::broker::Broker;
use super::client::{Dial, Stop};
use super::latency::Latencies;
use super::load::{self, Load, Ready, race};
use super::plan::{Case, Plan};
use super::target::Target;
use super::topic::Topic;

/// A load that is ready to run.
pub struct Alone {
    load: Box<dyn Load>,
    stop: Stop,
}

impl Alone {
    /// On a topic of its own, which goes with it. Brokers and cases of the plan are not looked at.
    ///
    /// # Errors
    /// A broker that cannot be reached, or does not make the topic.
    pub fn prepare(case: Case, plan: &Plan, target: &Target) -> Result<Self> {
        let (broker, stop) = meet(plan, target)?;
        Ok(Self { load: load::prepare(case, plan, &broker)?, stop })
    }

    /// On this topic, which is there and which nobody has written to.
    ///
    /// # Errors
    /// A broker that cannot be reached, or does not serve the topic.
    pub fn prepare_on(topic: &str, case: Case, plan: &Plan, target: &Target) -> Result<Self> {
        let (broker, stop) = meet(plan, target)?;
        let topic = Topic::lent(&broker, plan, topic)?;
        Ok(Self { load: load::on(topic, case, plan, &broker)?, stop })
    }

    /// Runs a round to its end.
    ///
    /// # Errors
    /// The first failure of the broker, which ends the round.
    pub fn run(&mut self) -> Result<Latencies> {
        if let Ready::No(why) = self.load.before()? {
            bail!(why);
        }
        Ok(race::run(self.load.limits(), &self.stop, self.load.runners())?.latencies)
    }
}

fn meet(plan: &Plan, target: &Target) -> Result<(Broker, Stop)> {
    let stop = Stop::default();
    let dial =
        Dial { congestion_control: plan.congestion_control.clone(), stop: stop.clone(), ..Dial::default() };
    Ok((Broker::meet(target, &dial)?, stop))
}

//! The loads, one file each. A load is prepared once for a broker, then runs round after round.

mod afresh;
mod busy;
pub(super) mod cold;
mod connections;
mod descriptors;
pub(super) mod end_to_end;
mod fill;
mod hot;
mod idle;
mod produce;
mod pump;
pub(super) mod race;
mod reader;
mod together;

use super::broker::Broker;
use super::client::Result;
use super::meter::Figures;
use super::plan::{Case, Plan};
use super::topic::Topic;
use race::{Limits, Runner};

/// A figure that only one kind of load has.
pub(super) type Figure = (&'static str, f64);

/// Whether a round can be measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ready {
    /// Go on.
    Yes,
    /// The case cannot be measured with this broker, for this reason.
    No(String),
}

/// A load on one broker.
pub(super) trait Load {
    /// What a round needs and does not measure.
    fn before(&mut self) -> Result<Ready> {
        Ok(Ready::Yes)
    }

    /// When a round ends.
    fn limits(&self) -> Limits;

    /// Who does the work of a round, each on a thread of its own.
    fn runners(&mut self) -> Vec<Runner<'_>>;

    /// What is done when a round has run that wrote so many bytes, before anybody else has its turn.
    fn after(&mut self, _bytes: u64) -> Result<()> {
        Ok(())
    }

    /// Gives up what others need for their turn: it is over, however it ended.
    fn let_go(&mut self) {}

    /// Figures of the round that has just ended, beside those that all loads have.
    fn figures(&mut self) -> Vec<Figure> {
        Vec::new()
    }

    /// Figures of its preparation: measured once and no more.
    fn once(&self) -> Figures {
        Figures::new()
    }

    /// The topic it works on.
    fn topic(&mut self) -> &mut Topic;
}

/// Makes the topic and the connections of a case.
pub(super) fn prepare(case: Case, plan: &Plan, broker: &Broker) -> Result<Box<dyn Load>> {
    on(Topic::make(broker, plan, case)?, case, plan, broker)
}

/// The same on this topic, which nobody has written to.
pub(super) fn on(topic: Topic, case: Case, plan: &Plan, broker: &Broker) -> Result<Box<dyn Load>> {
    Ok(match case {
        Case::Produce => Box::new(produce::Produce::prepare(topic, plan, broker)?),
        Case::ProduceAfresh => Box::new(afresh::ProduceAfresh::prepare(topic, plan, broker)?),
        Case::FetchHot => Box::new(hot::FetchHot::prepare(topic, plan, broker)?),
        Case::FetchCold => Box::new(cold::FetchCold::prepare(topic, plan, broker)?),
        Case::EndToEnd => Box::new(end_to_end::EndToEnd::prepare(topic, plan, broker)?),
        Case::Connections => Box::new(connections::Connections::prepare(topic, plan, broker)?),
    })
}

//! Records of some partitions of a topic, from wherever they are led: one fetching task per leader, begun anew where
//! it left off when leaders change or connections break.

use std::collections::BTreeMap;

use pagewire_wire::ErrorCode;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::deadline::Retry;
use super::error::Error;
use super::fetch::{self, Chunk, Event, Job};
use super::offsets::{EARLIEST, LATEST};
use super::routing::Client;
use super::{Place, Result};
use crate::output::complain;

/// Chunks that wait for the reader.
const AHEAD: usize = 4;

/// Where a stream reads.
#[derive(Debug)]
pub(crate) struct Stream {
    topic: String,
    isolation: i8,
    positions: BTreeMap<i32, i64>,
    tasks: JoinSet<()>,
    events: Option<mpsc::Receiver<Event>>,
    retry: Option<Retry>,
}

impl Stream {
    /// From these offsets on. Nothing is fetched before [`Self::next`].
    pub(crate) fn new(topic: &str, positions: BTreeMap<i32, i64>, isolation: i8) -> Self {
        let topic = topic.to_owned();
        Self { topic, isolation, positions, tasks: JoinSet::new(), events: None, retry: None }
    }

    /// The next chunk. May be dropped and called again.
    pub(crate) async fn next(&mut self, client: &mut Client) -> Result<Chunk> {
        loop {
            let event = match &mut self.events {
                Some(events) => events.recv().await,
                None => None,
            };
            let failure = match event {
                Some(Event::Records(chunk)) => {
                    self.retry = None;
                    self.positions.insert(chunk.partition, chunk.next_offset);
                    return Ok(chunk);
                }
                Some(Event::Refused { partition, code }) => self.refused(client, partition, code).await,
                Some(Event::Failed(error)) => Err(error),
                None => Ok(()),
            };
            self.stop();
            let started = match failure {
                Ok(()) => self.start(client).await,
                Err(error) => Err(error),
            };
            if let Err(error) = started {
                self.stop();
                self.retry.get_or_insert_with(|| client.retry()).after(error).await?;
            }
        }
    }

    /// A chunk that is there already.
    pub(crate) fn waiting(&self) -> bool {
        self.events.as_ref().is_some_and(|events| !events.is_empty())
    }

    fn stop(&mut self) {
        self.events = None;
        self.tasks.abort_all();
        self.tasks = JoinSet::new();
    }

    async fn start(&mut self, client: &mut Client) -> Result<()> {
        let topic = client.topic(&self.topic, false).await?;
        let mut by_leader: BTreeMap<i32, Vec<(i32, i64)>> = BTreeMap::new();
        for (&partition, &offset) in &self.positions {
            let known = topic.partitions.iter().find(|known| known.index == partition);
            let leader = known.and_then(|known| known.leader).ok_or_else(|| Error::Api {
                what: Place::new(&self.topic, partition).to_string(),
                code: ErrorCode::UnknownTopicOrPartition.code(),
                message: None,
            })?;
            by_leader.entry(leader).or_default().push((partition, offset));
        }
        let (sender, receiver) = mpsc::channel(AHEAD);
        for (node, positions) in by_leader {
            let connection = client.dedicated(node, client.deadline()).await?;
            let (topic, isolation, timeout) = (self.topic.clone(), self.isolation, client.timeout());
            let job = Job { topic, positions, isolation, timeout };
            self.tasks.spawn(fetch::run(connection, job, sender.clone()));
        }
        self.events = Some(receiver);
        Ok(())
    }

    /// A partition that does not hold the offset (any more) is read from where it begins, or ends.
    async fn refused(&mut self, client: &mut Client, partition: i32, code: i16) -> Result<()> {
        let place = Place::new(&self.topic, partition);
        if code != ErrorCode::OffsetOutOfRange.code() {
            return Error::check(code, None, || place.to_string());
        }
        let limits = limits(client, &place, self.isolation).await?;
        let offset = self.positions.get(&partition).copied().unwrap_or_default();
        let nearest = offset.clamp(limits.0, limits.1.max(limits.0));
        complain(format_args!(
            "{place} holds {} to {}, not {offset}: going on at {nearest}",
            limits.0, limits.1
        ));
        self.positions.insert(partition, nearest);
        Ok(())
    }
}

/// Where a partition begins and ends.
async fn limits(client: &mut Client, place: &Place, isolation: i8) -> Result<(i64, i64)> {
    let mut both = [0; 2];
    for (at, time) in both.iter_mut().zip([EARLIEST, LATEST]) {
        let found = client.offsets(&BTreeMap::from([(place.clone(), time)]), isolation).await?;
        *at = found.get(place).copied().unwrap_or_default();
    }
    Ok((both[0], both[1]))
}

//! Records of some partitions of a topic, from wherever they are led: one fetching task per leader, begun anew where
//! it left off when leaders change or connections break.

use std::collections::{BTreeMap, BTreeSet};

use pagewire_wire::ErrorCode;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::deadline::Retry;
use super::error::Error;
use super::fetch::{self, Chunk, Event, Job};
use super::offsets::{EARLIEST, LATEST};
use super::routing::Client;
use super::{Needs, Place, Result};
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
    trouble: Trouble,
}

/// What is being tried again, until records come from where it was.
#[derive(Debug, Default)]
struct Trouble {
    retry: Option<Retry>,
    /// Partitions that answered with an error: those beside them go on, and say nothing about them.
    refused: BTreeSet<i32>,
}

impl Trouble {
    /// It answers.
    fn passed(&mut self, partition: i32) {
        self.refused.remove(&partition);
        if self.refused.is_empty() {
            self.retry = None;
        }
    }
}

impl Stream {
    /// From these offsets on. Nothing is fetched before [`Self::next`].
    pub(crate) fn new(topic: &str, positions: BTreeMap<i32, i64>, isolation: i8) -> Self {
        let topic = topic.to_owned();
        Self { topic, isolation, positions, tasks: JoinSet::new(), events: None, trouble: Trouble::default() }
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
                    self.trouble.passed(chunk.partition);
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
                self.trouble.retry.get_or_insert_with(|| client.retry()).after(error).await?;
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
        let wanted: Vec<i32> = self.positions.keys().copied().collect();
        let topic = client.topic(&self.topic, false, Needs::These(&wanted)).await?;
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
        let offset = self.positions.get(&partition).copied().unwrap_or_default();
        if code != ErrorCode::OffsetOutOfRange.code() {
            self.trouble.refused.insert(partition);
            let hint = way_on(&place, code);
            return Error::check(code, hint.as_deref(), || format!("{place} at offset {offset}"));
        }
        let limits = limits(client, &place, self.isolation).await?;
        let nearest = offset.clamp(limits.0, limits.1.max(limits.0));
        complain(format_args!(
            "{place} holds {} to {}, not {offset}: going on at {nearest}",
            limits.0, limits.1
        ));
        self.positions.insert(partition, nearest);
        Ok(())
    }
}

/// What can be done about records that the broker does not give out.
fn way_on(place: &Place, code: i16) -> Option<String> {
    let Place { topic, partition } = place;
    match ErrorCode::from_code(code)? {
        ErrorCode::CorruptMessage => Some(format!(
            "the records there are damaged or missing, and are not given out. The broker's log says where good ones \
             begin, as does `pagewire log check DIR` for each place: `pagewire consume {topic} --partition {partition} \
             --from OFFSET` goes on there"
        )),
        ErrorCode::KafkaStorageError => Some(
            "the broker's disk does not give out the records there: its log and `pagewire cluster` say why, `pagewire \
             log check DIR` what can be read"
                .to_owned(),
        ),
        _ => None,
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

//! Batches to their leaders: one request in flight per leader, one batch of a partition in flight, so that order
//! holds whatever is tried again.
//!
//! ```text
//!  batches ─> queue per partition ─> head of each queue of an idle leader ─> Produce ─> done
//!                     ^                                                        │ retriable: back to the front,
//!                     └────────────────────────────────────────────────────────┘ ask who leads now
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pagewire_wire::messages::init_producer_id_request::InitProducerIdRequest;
use pagewire_wire::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use pagewire_wire::messages::produce_response::{PartitionProduceResponse, ProduceResponse};
use pagewire_wire::{ApiKey, ErrorCode, Records, Str};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::deadline::{Deadline, SHORT_PATIENCE};
use super::error::Error;
use super::leaders::{self, Needs};
use super::producer::{ClosedBatch, Identity};
use super::routing::{Client, Target, Which};
use super::{Connection, Result, Topic};

/// The last version of Produce that speaks of names.
const BY_NAME_MAX: i16 = 12;
/// A request carries no more than this, in bytes, unless one batch alone is larger.
const REQUEST_BYTES: usize = 8 << 20;
/// Queues hold no more than this, in bytes; then who produces waits.
const QUEUED_BYTES: usize = 32 << 20;
/// Pause before batches that failed are sent again.
const PAUSE: Duration = Duration::from_millis(100);

/// What was written so far.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Records the leaders have taken.
    pub(crate) records: AtomicU64,
    /// Keys and values of them, in bytes.
    pub(crate) bytes: AtomicU64,
}

/// How to send.
#[derive(Debug, Clone)]
pub(crate) struct Sending {
    /// Topic name.
    pub(crate) topic: String,
    /// 0, 1 or -1.
    pub(crate) acks: i16,
    /// Time a batch may take, attempts included.
    pub(crate) timeout: Duration,
}

/// A batch with the time it has left.
#[derive(Debug)]
struct Queued {
    batch: ClosedBatch,
    deadline: Option<Deadline>,
}

/// A request that came back.
struct Done {
    node: i32,
    connection: Connection,
    batches: Vec<Queued>,
    result: Result<ProduceResponse>,
}

/// Sends batches until there are no more.
pub(crate) struct Sender {
    client: Client,
    sending: Sending,
    progress: Arc<Progress>,
    leaders: BTreeMap<i32, i32>,
    queues: BTreeMap<i32, VecDeque<Queued>>,
    queued_bytes: usize,
    connections: BTreeMap<i32, Option<Connection>>,
    in_flight: JoinSet<Done>,
    again_at: Option<Instant>,
}

impl Client {
    /// A producer's identity, if the broker gives any.
    pub(crate) async fn identity(&mut self) -> Result<Option<Identity>> {
        let deadline = self.deadline();
        if !self.connection(Target::Any, deadline).await?.versions().has(ApiKey::InitProducerId) {
            return Ok(None);
        }
        let request = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: i32::MAX,
            ..InitProducerIdRequest::default()
        };
        let mut retry = self.retry();
        loop {
            let answer = self.call(Target::Any, i16::MAX, |_| request.clone()).await?;
            match Error::check(answer.error_code, None, || "an id for this producer".to_owned()) {
                Ok(()) => return Ok(Some(Identity { id: answer.producer_id, epoch: answer.producer_epoch })),
                Err(error) => {
                    let error = self.in_view_of_disks(error).await;
                    retry.after(error).await?;
                }
            }
        }
    }
}

impl Sender {
    /// For `topic` as it was last described.
    pub(crate) fn new(client: Client, topic: &Topic, sending: Sending, progress: Arc<Progress>) -> Self {
        let mut sender = Self {
            client,
            sending,
            progress,
            leaders: BTreeMap::new(),
            queues: BTreeMap::new(),
            queued_bytes: 0,
            connections: BTreeMap::new(),
            in_flight: JoinSet::new(),
            again_at: None,
        };
        sender.learn(topic);
        sender
    }

    fn learn(&mut self, topic: &Topic) {
        let led = topic.partitions.iter().filter_map(|partition| Some((partition.index, partition.leader?)));
        self.leaders = led.collect();
    }

    /// Sends what arrives until the other end is dropped and everything is written, or something is lost.
    pub(crate) async fn run(mut self, mut arriving: mpsc::Receiver<ClosedBatch>) -> Result<()> {
        let mut open = true;
        loop {
            if self.again_at.is_none() {
                self.dispatch().await?;
            }
            let idle = self.in_flight.is_empty();
            if !open && idle && self.queued_bytes == 0 {
                return Ok(());
            }
            let again_at = self.again_at;
            tokio::select! {
                batch = arriving.recv(), if open && self.queued_bytes < QUEUED_BYTES => match batch {
                    Some(batch) => self.enqueue(batch),
                    None => open = false,
                },
                Some(done) = self.in_flight.join_next(), if !idle => match done {
                    Ok(done) => self.finish(done)?,
                    Err(failed) => return Err(Error::Io {
                        address: "sending".to_owned(),
                        error: std::io::Error::other(failed),
                    }),
                },
                () = wait_until(again_at), if again_at.is_some() && idle => self.look_again().await?,
            }
        }
    }

    fn enqueue(&mut self, batch: ClosedBatch) {
        self.queued_bytes += batch.bytes.len();
        self.queues.entry(batch.partition).or_default().push_back(Queued { batch, deadline: None });
    }

    /// Starts a request to every leader that has none in flight and something to take.
    async fn dispatch(&mut self) -> Result<()> {
        let mut ready: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        for (partition, _) in self.queues.iter().filter(|(_, queue)| !queue.is_empty()) {
            match self.leaders.get(partition) {
                Some(node) if self.connections.get(node).is_none_or(Option::is_some) => {
                    ready.entry(*node).or_default().push(*partition);
                }
                Some(_) => {}
                None => self.again_at = Some(Instant::now() + PAUSE),
            }
        }
        for (node, partitions) in ready {
            let deadline = Deadline::after(self.sending.timeout);
            let usable = self.connections.remove(&node).flatten().filter(Connection::is_usable);
            let connection = match usable {
                Some(connection) => connection,
                None => match self.client.dedicated(node, deadline).await {
                    Ok(connection) => connection,
                    Err(error) => {
                        self.postpone(&partitions, error)?;
                        continue;
                    }
                },
            };
            let batches = self.take(&partitions, deadline);
            self.connections.insert(node, None);
            self.in_flight.spawn(send(node, connection, batches, self.sending.clone()));
        }
        Ok(())
    }

    /// The first batch of each partition, as many as fit one request.
    fn take(&mut self, partitions: &[i32], deadline: Deadline) -> Vec<Queued> {
        let (mut batches, mut size) = (Vec::new(), 0);
        for partition in partitions {
            let Some(queue) = self.queues.get_mut(partition) else { continue };
            let Some(length) = queue.front().map(|queued| queued.batch.bytes.len()) else { continue };
            if !batches.is_empty() && size + length > REQUEST_BYTES {
                break;
            }
            size += length;
            batches.extend(
                queue
                    .pop_front()
                    .map(|queued| Queued { deadline: Some(queued.deadline.unwrap_or(deadline)), ..queued }),
            );
        }
        batches
    }

    /// A leader cannot be reached: its batches wait, unless their time is over.
    fn postpone(&mut self, partitions: &[i32], error: Error) -> Result<()> {
        let fresh = Deadline::after(self.sending.timeout);
        let mut late = false;
        for partition in partitions {
            if let Some(head) = self.queues.get_mut(partition).and_then(VecDeque::front_mut) {
                let deadline = head.deadline.insert(shortened(head.deadline.unwrap_or(fresh), &error));
                late |= deadline.has_passed();
            }
        }
        if late || !error.is_retriable() {
            return Err(error);
        }
        self.again_at = Some(Instant::now() + PAUSE);
        Ok(())
    }

    fn finish(&mut self, done: Done) -> Result<()> {
        let Done { node, connection, batches, result } = done;
        self.connections.remove(&node);
        if connection.is_usable() {
            self.connections.insert(node, Some(connection));
        }
        match result {
            Err(error) => batches.into_iter().rev().try_for_each(|queued| self.again(queued, again(&error))),
            Ok(answer) => batches.into_iter().try_for_each(|queued| {
                match verdict(&answer, queued.batch.partition, &self.sending) {
                    Ok(()) => {
                        self.written(&queued.batch);
                        Ok(())
                    }
                    Err(error) => self.again(queued, error),
                }
            }),
        }
    }

    fn written(&mut self, batch: &ClosedBatch) {
        self.queued_bytes -= batch.bytes.len();
        self.progress.records.fetch_add(batch.records, Ordering::Relaxed);
        self.progress.bytes.fetch_add(batch.size, Ordering::Relaxed);
    }

    fn again(&mut self, mut queued: Queued, error: Error) -> Result<()> {
        queued.deadline = queued.deadline.map(|deadline| shortened(deadline, &error));
        if !error.is_retriable() || queued.deadline.is_some_and(Deadline::has_passed) {
            return Err(error);
        }
        tracing::debug!(%error, partition = queued.batch.partition, "sending again");
        self.queues.entry(queued.batch.partition).or_default().push_front(queued);
        self.again_at = Some(Instant::now() + PAUSE);
        Ok(())
    }

    async fn look_again(&mut self) -> Result<()> {
        self.again_at = None;
        let topics = self.client.metadata(Which::Named(&[&self.sending.topic])).await?;
        let topic = topics.first().filter(|topic| !topic.is_unknown());
        let topic = topic.ok_or_else(|| Error::NoTopic(self.sending.topic.clone()))?;
        self.learn(topic);
        let is_waiting = |at: &i32| self.queues.get(at).is_some_and(|queue| !queue.is_empty());
        let waiting: Vec<i32> = leaders::leaderless(topic).filter(is_waiting).collect();
        // Before those, what has a leader is sent on.
        match self.client.check_leaders(topic, Needs::These(&waiting)).await {
            Err(error) if !waiting.is_empty() => {
                self.postpone(&waiting, error)?;
                self.again_at = None;
            }
            _ => {}
        }
        Ok(())
    }
}

/// What is left of the time of a batch that met this error.
fn shortened(deadline: Deadline, error: &Error) -> Deadline {
    if error.needs_a_person() { deadline.at_most(SHORT_PATIENCE) } else { deadline }
}

async fn wait_until(at: Option<Instant>) {
    if let Some(at) = at {
        tokio::time::sleep_until(at).await;
    }
}

/// A failure of a whole request, said again for each of its batches. A connection that broke may be tried anew.
fn again(error: &Error) -> Error {
    match error {
        Error::Io { address, error } => Error::Io {
            address: address.clone(),
            error: std::io::Error::new(error.kind(), error.to_string()),
        },
        Error::Timeout { what } => Error::Timeout { what: what.clone() },
        other => Error::Protocol { address: "the leader".to_owned(), what: other.to_string() },
    }
}

async fn send(node: i32, mut connection: Connection, batches: Vec<Queued>, sending: Sending) -> Done {
    let deadline = Deadline::after(sending.timeout);
    let partition = |queued: &Queued| PartitionProduceData {
        index: queued.batch.partition,
        records: Records::Bytes(queued.batch.bytes.clone()),
    };
    let data = TopicProduceData {
        name: Str::from(sending.topic.clone()),
        partition_data: batches.iter().map(partition).collect(),
        ..TopicProduceData::default()
    };
    let request = ProduceRequest {
        transactional_id: None,
        acks: sending.acks,
        timeout_ms: deadline.left_ms(),
        topic_data: vec![data],
    };
    let result = if sending.acks == 0 {
        connection.tell(BY_NAME_MAX, deadline, |_| request).await.map(|()| ProduceResponse::default())
    } else {
        connection.ask(BY_NAME_MAX, deadline, |_| request).await
    };
    Done { node, connection, batches, result }
}

/// What became of the batch of `partition`.
fn verdict(answer: &ProduceResponse, partition: i32, sending: &Sending) -> Result<()> {
    if sending.acks == 0 {
        return Ok(());
    }
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partition_responses);
    let Some(found) = partitions.into_iter().find(|found| found.index == partition) else {
        let what = format!("it says nothing about partition {partition}");
        return Err(Error::Protocol { address: "the leader".to_owned(), what });
    };
    if found.error_code == ErrorCode::DuplicateSequenceNumber.code() {
        // An earlier attempt was written after all.
        return Ok(());
    }
    let message = reason(found);
    Error::check(found.error_code, message.as_deref(), || format!("{} [{partition}]", sending.topic))
}

/// The broker's words, the first record they are about included; or a hint where one helps.
fn reason(found: &PartitionProduceResponse) -> Option<String> {
    if found.error_code == ErrorCode::MessageTooLarge.code() {
        return Some(
            "the batch is larger than the topic's max.message.bytes: lower --batch-bytes, compress with --codec, \
             or raise the topic's setting"
                .to_owned(),
        );
    }
    let words = found.error_message.as_ref().map(ToString::to_string);
    let first = found.record_errors.first().and_then(|error| error.batch_index_error_message.as_ref());
    match (words, first) {
        (Some(words), Some(first)) => Some(format!("{words} {first}")),
        (None, Some(first)) => Some(first.to_string()),
        (words, None) => words,
    }
}

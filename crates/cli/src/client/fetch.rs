//! Records from one leader: a task that asks for its partitions in turn, decodes what comes and hands it on.
//!
//! What it hands on waits in a short channel, so a slow reader slows the task. Control batches and the records of
//! aborted transactions are left out; the offsets they take are not.

use std::collections::{BTreeSet, VecDeque};

use pagewire_record::{ControlType, DecompressLimits, Record, SharedBatch, TimestampType, complete_batches};
use pagewire_wire::Str;
use pagewire_wire::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use pagewire_wire::messages::fetch_response::PartitionData;
use tokio::sync::mpsc;

use super::deadline::Deadline;
use super::error::Error;
use super::offsets::READ_COMMITTED;
use super::{Connection, Place, Result};

/// The last version of Fetch that speaks of names.
const BY_NAME_MAX: i16 = 12;
/// How long a broker may wait for records, in ms.
const WAIT_MS: i32 = 500;
/// Most bytes of an answer, unless one batch alone is larger.
const MAX_BYTES: i32 = 16 << 20;
/// Most bytes of a partition in it, likewise.
const PARTITION_MAX_BYTES: i32 = 1 << 20;

/// What a task is to fetch.
#[derive(Debug)]
pub(crate) struct Job {
    /// The topic.
    pub(crate) topic: String,
    /// Partitions and the offsets to begin at.
    pub(crate) positions: Vec<(i32, i64)>,
    /// [`super::offsets::READ_COMMITTED`] or not.
    pub(crate) isolation: i8,
    /// Time an answer may take beyond the broker's own waiting.
    pub(crate) timeout: std::time::Duration,
}

/// What a task found.
#[derive(Debug)]
pub(crate) enum Event {
    /// Records of a partition, perhaps none.
    Records(Chunk),
    /// The partition answered with an error; the task has ended.
    Refused {
        /// Which partition.
        partition: i32,
        /// Kafka's error code.
        code: i16,
    },
    /// The connection or the records are broken; the task has ended.
    Failed(Error),
}

/// Records of one batch, or of a partition with nothing new.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Which partition.
    pub(crate) partition: i32,
    /// In order.
    pub(crate) records: Vec<Record>,
    /// Whether their time is the broker's.
    pub(crate) append_time: bool,
    /// Where to go on.
    pub(crate) next_offset: i64,
}

/// Fetches until the reader is gone or something is wrong, which it says last.
pub(crate) async fn run(mut connection: Connection, job: Job, events: mpsc::Sender<Event>) {
    let mut positions: VecDeque<(i32, i64)> = job.positions.iter().copied().collect();
    loop {
        let request = request(&job, &positions);
        let deadline = Deadline::after(job.timeout);
        let answer = match connection.ask(BY_NAME_MAX, deadline, |_| request).await {
            Ok(answer) => answer,
            Err(error) => return last(&events, Event::Failed(error)).await,
        };
        if let Err(error) = Error::check(answer.error_code, None, || format!("fetching {}", job.topic)) {
            return last(&events, Event::Failed(error)).await;
        }
        let mut refused = None;
        for data in answer.responses.into_iter().flat_map(|topic| topic.partitions) {
            let partition = data.partition_index;
            if data.error_code != 0 {
                // What came of the others is handed on first.
                refused = refused.or(Some(Event::Refused { partition, code: data.error_code }));
                continue;
            }
            let Some(at) = positions.iter().position(|(known, _)| *known == partition) else { continue };
            let Some((_, offset)) = positions.remove(at) else { continue };
            let (chunks, failure) = chunks(&job.topic, &data, offset, job.isolation);
            let next = chunks.last().map_or(offset, |chunk| chunk.next_offset);
            // Who had something goes to the end of the line.
            if next > offset {
                positions.push_back((partition, next));
            } else {
                positions.insert(at, (partition, next));
            }
            for chunk in chunks {
                if events.send(Event::Records(chunk)).await.is_err() {
                    return;
                }
            }
            if let Some(error) = failure {
                return last(&events, Event::Failed(error)).await;
            }
        }
        if let Some(refused) = refused {
            return last(&events, refused).await;
        }
    }
}

/// Whether anybody still listens does not matter for the last word.
async fn last(events: &mpsc::Sender<Event>, event: Event) {
    let _ = events.send(event).await;
}

fn request(job: &Job, positions: &VecDeque<(i32, i64)>) -> FetchRequest {
    let partition = |&(partition, fetch_offset): &(i32, i64)| FetchPartition {
        partition,
        fetch_offset,
        partition_max_bytes: PARTITION_MAX_BYTES,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic: Str::from(job.topic.clone()),
        partitions: positions.iter().map(partition).collect(),
        ..FetchTopic::default()
    };
    FetchRequest {
        max_wait_ms: WAIT_MS,
        min_bytes: 1,
        max_bytes: MAX_BYTES,
        isolation_level: job.isolation,
        topics: vec![topic],
        ..FetchRequest::default()
    }
}

/// The batches of a partition's answer from `offset` on; an empty chunk where nothing is new, which says that all is well.
fn chunks(topic: &str, data: &PartitionData, offset: i64, isolation: i8) -> (Vec<Chunk>, Option<Error>) {
    let partition = data.partition_index;
    let mut aborted = Aborted::new(data, isolation);
    let mut chunks = Vec::new();
    let mut next_offset = offset;
    let records = data.records.bytes().cloned().unwrap_or_default();
    for batch in complete_batches(&records) {
        let decoded = match batch {
            Ok(batch) => decode(&batch, offset, &mut aborted).map(|records| (batch, records)),
            Err(error) => Err(error.to_string()),
        };
        match decoded {
            Ok((batch, records)) => {
                next_offset = next_offset.max(batch.header.next_offset());
                let append_time = batch.header.timestamp_type() == TimestampType::LogAppendTime;
                chunks.push(Chunk { partition, records, append_time, next_offset });
            }
            Err(what) => {
                let place = Place::new(topic, partition);
                return (chunks, Some(Error::Damaged { place, offset: next_offset, what }));
            }
        }
    }
    if chunks.is_empty() {
        if !records.is_empty() {
            let address = format!("partition {partition} at offset {offset}");
            let what = "its first batch is not whole".to_owned();
            return (chunks, Some(Error::Protocol { address, what }));
        }
        chunks.push(Chunk { partition, records: Vec::new(), append_time: false, next_offset });
    }
    (chunks, None)
}

/// The records of a batch that a reader from `offset` on shall see.
fn decode(batch: &SharedBatch, offset: i64, aborted: &mut Aborted) -> Result<Vec<Record>, String> {
    batch.verify_crc().map_err(|error| error.to_string())?;
    if aborted.leaves_out(batch) {
        return Ok(Vec::new());
    }
    let records = batch.records(&DecompressLimits::default()).map_err(|error| error.to_string())?;
    let seen = records.filter(|record| record.as_ref().map_or(true, |record| record.offset >= offset));
    seen.collect::<Result<_, _>>().map_err(|error| error.to_string())
}

/// Which producers' transactions are being left out while walking the batches of an answer.
struct Aborted {
    coming: Vec<(i64, i64)>,
    open: BTreeSet<i64>,
}

impl Aborted {
    fn new(data: &PartitionData, isolation: i8) -> Self {
        let listed = data.aborted_transactions.iter().flatten();
        let mut coming: Vec<(i64, i64)> = match isolation {
            READ_COMMITTED => listed.map(|aborted| (aborted.first_offset, aborted.producer_id)).collect(),
            _ => Vec::new(),
        };
        coming.sort_unstable();
        Self { coming, open: BTreeSet::new() }
    }

    fn leaves_out(&mut self, batch: &SharedBatch) -> bool {
        let header = &batch.header;
        let begun = self.coming.iter().take_while(|(first, _)| *first <= header.last_offset()).count();
        self.open.extend(self.coming.drain(..begun).map(|(_, producer)| producer));
        if header.is_control() {
            if is_abort(batch) {
                self.open.remove(&header.producer_id);
            }
            return true;
        }
        header.is_transactional() && self.open.contains(&header.producer_id)
    }
}

fn is_abort(batch: &SharedBatch) -> bool {
    let records = batch.records(&DecompressLimits::default());
    let first = records.ok().and_then(|mut records| records.next()).and_then(Result::ok);
    let key = first.and_then(|record| record.key).unwrap_or_default();
    ControlType::from_key(&key) == Some(ControlType::Abort)
}

#[cfg(test)]
mod tests;

//! The two requests that carry records.
//!
//! ```text
//!   Produce 9   ... transactional id, acks 2, timeout 4, [name, [partition 4, records, tags], tags], tags
//!   answer      size 4 | correlation 4, tags 1, [name, [partition 4, error 2, base offset 8, append time 8, log start 8, errors 1,
//!               message 1, tags 1], tags 1], throttle 4, tags 1
//!   Fetch 12    ... replica 4, wait 4, least bytes 4, most bytes 4, isolation 1, session 4, epoch 4, [name, [partition 4,
//!               epoch 4, offset 8, last epoch 4, log start 8, most bytes 4, tags], tags], ...
//!   answer      size 4 | correlation 4, tags 1, throttle 4, error 2, session 4, [name, [partition 4, error 2, high watermark 8,
//!               stable 8, log start 8, aborted 1, preferred replica 4, records ‖ tags 1], tags 1], tags 1
//! ```

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::frame::{Cursor, put_count};
use super::held::Held;
use super::log::{Found, Log, Logs, Topics};

const BATCH_HEADER: usize = 61;
/// acks=all.
const ALL: i16 = -1;
/// No request of the drive names more.
const PARTITIONS_MAX: usize = 10_000;
/// What stands behind the records of a fetch.
const BEHIND_RECORDS: [u8; 3] = [0; 3];

/// A connection's, with the topic that it asked for last: most ask for no other, and many for many partitions of it.
pub(super) struct Hot<'t> {
    topics: &'t Topics,
    last: Option<(Vec<u8>, Logs)>,
    answer: Vec<u8>,
    pub(super) held: Held,
}

impl<'t> Hot<'t> {
    pub(super) fn of(topics: &'t Topics) -> Self {
        Self { topics, last: None, answer: Vec::new(), held: Held::default() }
    }

    /// The partitions of a request's only topic.
    fn logs(&mut self, name: &[u8]) -> Result<Logs> {
        if let Some((last, logs)) = &self.last
            && last == name
        {
            return Ok(Arc::clone(logs));
        }
        let logs = self.topics.logs(name).context("no such topic")?;
        self.last = Some((name.to_vec(), Arc::clone(&logs)));
        Ok(logs)
    }

    /// Begins an answer: room for its size, and the request's correlation id.
    fn begin(&mut self, frame: &[u8]) -> Result<()> {
        self.answer.clear();
        self.answer.extend_from_slice(&[0; 4]);
        self.answer.extend_from_slice(frame.get(4..8).context("a short frame")?);
        self.answer.push(0);
        Ok(())
    }

    /// The only topic, as both answers name it, with so many partitions to come.
    fn put_topic(&mut self, name: &[u8], partitions: usize) {
        put_count(&mut self.answer, 1);
        put_count(&mut self.answer, name.len());
        self.answer.extend_from_slice(name);
        put_count(&mut self.answer, partitions);
    }

    /// A partition, as both answers name it, without an error.
    fn put_partition(&mut self, partition: i32) {
        self.answer.extend_from_slice(&partition.to_be_bytes());
        self.answer.extend_from_slice(&0_i16.to_be_bytes());
    }

    /// Writes down how long the answer is, with so many bytes to come.
    fn seal(&mut self, more: usize) {
        let size = (self.answer.len() - 4 + more) as u32;
        if let Some(place) = self.answer.first_chunk_mut::<4>() {
            *place = size.to_be_bytes();
        }
    }

    pub(super) fn produce(&mut self, frame: &mut [u8], stream: &mut TcpStream) -> Result<()> {
        self.begin(frame)?;
        let (range, logs, partition, acks) = {
            let mut request = Cursor::behind_header(frame)?;
            ensure!(request.count()? == 0, "a transaction");
            let acks = request.i16()?;
            request.skip(4)?;
            let (name, partition) = request.only_partition()?;
            let length = request.count()?;
            let from = request.at();
            request.skip(length)?;
            self.put_topic(name, 1);
            (from..from + length, self.logs(name)?, partition, acks)
        };
        let batch = frame.get_mut(range).filter(|batch| batch.len() >= BATCH_HEADER).context("no batch")?;
        let crc = u32::from_be_bytes(batch[17..21].try_into()?);
        ensure!(crc32c::crc32c(&batch[21..]) == crc, "a wrong CRC");
        let records = i64::from(i32::from_be_bytes(batch[57..61].try_into()?));
        let log = log(&logs, partition)?;
        let offset = log.append(batch, records)?;
        self.put_partition(partition);
        self.answer.extend_from_slice(&offset.to_be_bytes());
        self.answer.extend_from_slice(&(-1_i64).to_be_bytes());
        self.answer.extend_from_slice(&0_i64.to_be_bytes());
        // No errors of records, no message, and the tags of partition and topic; then the throttle and the last tags.
        self.answer.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0, 0]);
        self.seal(0);
        if acks == ALL && self.topics.is_flushed() {
            self.held.push(&self.answer, log);
            return Ok(());
        }
        self.held.settle(stream)?;
        Ok(stream.write_all(&self.answer)?)
    }

    /// Two calls for each partition, what stands before its records and the records, and one for the last tags.
    ///
    /// Fewer would be no fetch of this client's. From version 12 on tags stand behind the records, which leave by `sendfile`: what
    /// is behind them goes in a call of its own, and with many partitions in that of the next one's head. In version 11 an answer
    /// of one partition ends with its records, but the drive asks every broker in the newest version that it speaks, and all of
    /// those have the tags: a floor without them would be one of other work. The next answer's head could take them along only
    /// where the next request is there already, and a fetch waits for its answer.
    pub(super) fn fetch(&mut self, frame: &[u8], stream: &mut TcpStream) -> Result<()> {
        self.held.settle(stream)?;
        let Asked { name, wait, partitions } = Asked::read(frame)?;
        let logs = self.logs(name)?;
        self.begin(frame)?;
        self.answer.extend_from_slice(&[0; 4 + 2 + 4]);
        self.put_topic(name, partitions.len());
        let (mut parts, mut bytes) = (Vec::with_capacity(partitions.len()), 0);
        for (at, one) in partitions.iter().enumerate() {
            let log = log(&logs, one.partition)?;
            let found = log.find(one.offset, one.bytes_max, wait);
            if at > 0 {
                // The tags of the one before.
                self.answer.push(0);
            }
            self.put_partition(one.partition);
            self.answer.extend_from_slice(&found.end.to_be_bytes());
            self.answer.extend_from_slice(&found.end.to_be_bytes());
            self.answer.extend_from_slice(&0_i64.to_be_bytes());
            self.answer.push(0);
            self.answer.extend_from_slice(&(-1_i32).to_be_bytes());
            put_count(&mut self.answer, found.bytes);
            bytes += found.bytes;
            parts.push((self.answer.len(), found, log));
        }
        self.seal(bytes + BEHIND_RECORDS.len());
        let mut sent = 0;
        for (upto, found, log) in parts {
            let head = self.answer.get(sent..upto).context("an answer without its heads")?;
            rustix::net::send(&*stream, head, rustix::net::SendFlags::MORE)?;
            sent = upto;
            send_records(log, found, stream)?;
        }
        Ok(stream.write_all(&BEHIND_RECORDS)?)
    }
}

fn log(logs: &[Arc<Log>], partition: i32) -> Result<&Arc<Log>> {
    let log = usize::try_from(partition).ok().and_then(|at| logs.get(at));
    log.context("no such partition")
}

fn send_records(log: &Log, found: Found, stream: &TcpStream) -> Result<()> {
    let (mut position, mut left) = (found.from, found.bytes);
    while left > 0 {
        let sent = rustix::fs::sendfile(stream, &log.file, Some(&mut position), left)?;
        ensure!(sent > 0, "the file shrank");
        left -= sent;
    }
    Ok(())
}

/// What a fetch asks for, of one topic.
struct Asked<'f> {
    name: &'f [u8],
    /// For the first record of each; of several none is waited for.
    wait: Duration,
    partitions: Vec<AskedPartition>,
}

struct AskedPartition {
    partition: i32,
    offset: i64,
    bytes_max: u64,
}

impl<'f> Asked<'f> {
    fn read(frame: &'f [u8]) -> Result<Self> {
        let mut request = Cursor::behind_header(frame)?;
        request.skip(4)?;
        let wait_ms = u64::try_from(request.i32()?)?;
        request.skip(4 + 4 + 1 + 4 + 4)?;
        let (name, count) = request.only_topic()?;
        ensure!((1..=PARTITIONS_MAX).contains(&count), "{count} partitions in a request");
        let mut partitions = Vec::with_capacity(count);
        for _ in 0..count {
            let partition = request.i32()?;
            request.skip(4)?;
            let offset = request.i64()?;
            request.skip(4 + 8)?;
            let bytes_max = u64::try_from(request.i32()?)?;
            request.no_tags()?;
            partitions.push(AskedPartition { partition, offset, bytes_max });
        }
        let wait = if count == 1 { Duration::from_millis(wait_ms) } else { Duration::ZERO };
        Ok(Self { name, wait, partitions })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use bytes::Bytes;
    use pagewire_wire::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
    use pagewire_wire::messages::fetch_response::FetchResponse;
    use pagewire_wire::{Message, Reader, Records, encode_request};

    use super::*;

    fn frame(partitions: i32) -> Bytes {
        let partition = |partition| FetchPartition {
            partition,
            fetch_offset: i64::from(partition) * 1000,
            partition_max_bytes: 16_384 + partition,
            ..FetchPartition::default()
        };
        let partitions = (0..partitions).map(partition).collect();
        let topics = vec![FetchTopic { topic: "some".into(), partitions, ..FetchTopic::default() }];
        let request = FetchRequest { max_wait_ms: 500, topics, ..FetchRequest::default() };
        let frame = encode_request(&request, 12, 7, Some("drive".into())).unwrap().into_bytes().unwrap();
        frame.slice(4..)
    }

    #[test]
    fn every_partition_that_a_fetch_names_is_read() {
        let frame = frame(300);
        let asked = Asked::read(&frame).unwrap();
        assert_eq!((asked.name, asked.wait, asked.partitions.len()), (&b"some"[..], Duration::ZERO, 300));
        for (number, one) in (0..).zip(&asked.partitions) {
            let expected = (number, i64::from(number) * 1000, 16_384 + number as u64);
            assert_eq!((one.partition, one.offset, one.bytes_max), expected);
        }
    }

    #[test]
    fn one_partition_alone_is_waited_for() {
        assert_eq!(Asked::read(&frame(1)).unwrap().wait, Duration::from_millis(500));
    }

    #[test]
    fn a_fetch_of_nothing_and_one_that_is_cut_are_refused() {
        assert!(Asked::read(&frame(0)).is_err());
        let whole = frame(2);
        // What stands behind the partitions is not read.
        assert!((0..whole.len() / 2).all(|end| Asked::read(&whole[..end]).is_err()));
    }

    /// What a fetch of so many partitions is answered with, record bytes of each.
    fn fetched(hot: &mut Hot<'_>, partitions: i32) -> Vec<Vec<u8>> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        hot.fetch(&frame(partitions), &mut stream).unwrap();
        drop(stream);
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        let size = u32::from_be_bytes(answer[..4].try_into().unwrap());
        assert_eq!(size as usize, answer.len() - 4);
        // Size, correlation and tags.
        let mut body = Reader::new(Bytes::copy_from_slice(&answer[4 + 4 + 1..]));
        let answer = FetchResponse::decode(&mut body, 12).unwrap();
        let records = |records: &Records| match records {
            Records::Bytes(bytes) => bytes.to_vec(),
            other => panic!("{other:?}"),
        };
        let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
        partitions.map(|partition| records(&partition.records)).collect()
    }

    #[test]
    fn a_topic_is_looked_up_once_for_all_requests_of_all_of_its_partitions() {
        let dir = tempfile::tempdir().unwrap();
        let topics = Topics::new(dir.path(), ([127, 0, 0, 1], 1).into());
        topics.create("some", 3).unwrap();
        let logs = topics.logs(b"some").unwrap();
        let batch = |partition: u8| vec![partition; 100];
        for (partition, log) in (0..).zip(logs.iter()) {
            // The first bytes are the offset, which is zero.
            log.append(&mut batch(partition), 10_000).unwrap();
        }
        let mut hot = Hot::of(&topics);
        let first = fetched(&mut hot, 3);
        let expected = |partition| [vec![0; 8], batch(partition)[8..].to_vec()].concat();
        assert_eq!(first, [0, 1, 2].map(expected));
        // Whoever looks for it now does not find it.
        topics.delete("some");
        assert_eq!(fetched(&mut hot, 3), first);
        assert!(Hot::of(&topics).fetch(&frame(3), &mut unconnected()).is_err());
    }

    fn unconnected() -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        TcpStream::connect(listener.local_addr().unwrap()).unwrap()
    }
}

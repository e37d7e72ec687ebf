//! The floor: what moving the bytes costs without a broker around it.
//!
//! A thread a connection. A produce is received, its CRC checked, base offset and epoch patched, written with one
//! `pwrite`, answered. A fetch is answered with a header and `sendfile`. Nothing else is understood: the frames are
//! this client's own, one topic of one partition, batches of one size. Answers are encoded once and patched.
//!
//! ```text
//!   produce answer, version 9:  size 4 | correlation 4, tags 1, topics 1, name 1+8, partitions 1, index 4, error 2,
//!                               base offset 8 ...
//!   fetch answer, version 12:   size 4 | correlation 4, tags 1, throttle 4, error 2, session 4, topics 1, name 1+8,
//!                               partitions 1, index 4, error 2, high watermark 8, stable 8, start 8, aborted 1, replica 4,
//!                               records length 1-5, records, tags 1 (partition), 1 (topic), 1 (answer)
//! ```

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use bytes::Bytes;
use pagewire_wire::{
    Records, Str, encode_response,
    messages::{
        fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData},
        produce_response::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse},
    },
};

use crate::client;

/// Hidden first argument by which the bench starts itself as the floor.
pub(crate) const COMMAND: &str = "bare-floor";

const PRODUCE: i16 = 0;
const HEADER_LEN: usize = 61;
const FRAME_MAX: usize = 1 << 20;
/// Where an answer to a produce has its base offset, its size included.
const BASE_OFFSET_AT: usize = 4 + 4 + 1 + 1 + 1 + client::TOPIC_LEN + 1 + 4 + 2;
/// Where an answer to a fetch has the length of its records, its size included.
const RECORDS_AT: usize = 4 + 4 + 1 + 4 + 2 + 4 + 1 + 1 + client::TOPIC_LEN + 1 + 4 + 2 + 8 + 8 + 8 + 1 + 4;
/// What stands behind the records.
const TAGS: usize = 3;
/// A buffer off page alignment makes every copy slower on common processors.
const PAGE: usize = 4096;
/// Batches begin here in the topic's file, one after the other, each of `batch_len` bytes and `batch_records` records.
#[derive(Default)]
struct Log {
    end_bytes: u64,
    end_offset: i64,
    batch_len: u64,
    batch_records: i64,
}

struct Topic {
    file: File,
    /// Answers without an error, to be patched.
    produced: Bytes,
    fetched: Bytes,
    log: Mutex<Log>,
    grown: Condvar,
}

/// The topics by name, each made when it is first named.
struct Topics {
    dir: PathBuf,
    by_name: Mutex<HashMap<Vec<u8>, Arc<Topic>>>,
}

impl Topics {
    /// The topic a frame names: this client's names begin like this one and have eight bytes.
    fn of(&self, frame: &[u8]) -> Result<Arc<Topic>> {
        let at = frame.windows(6).take(96).position(|bytes| bytes == b"bench-").context("no topic")?;
        let name = frame.get(at..at + client::TOPIC_LEN).context("no topic")?;
        let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(topic) = by_name.get(name) {
            return Ok(Arc::clone(topic));
        }
        let path = self.dir.join(String::from_utf8_lossy(name).as_ref());
        let file = OpenOptions::new().create(true).truncate(true).read(true).write(true).open(path)?;
        let (produced, fetched) = answers(std::str::from_utf8(name)?)?;
        let topic = Topic { file, produced, fetched, log: Mutex::default(), grown: Condvar::new() };
        let topic = Arc::new(topic);
        by_name.insert(name.to_vec(), Arc::clone(&topic));
        Ok(topic)
    }
}

/// The answers to a produce and, up to its records, to a fetch.
fn answers(topic: &str) -> Result<(Bytes, Bytes)> {
    let partition = PartitionProduceResponse::default();
    let responses = vec![TopicProduceResponse {
        name: Str::from(topic.to_owned()),
        partition_responses: vec![partition],
        ..TopicProduceResponse::default()
    }];
    let produced = ProduceResponse { responses, ..ProduceResponse::default() };
    let responses = vec![FetchableTopicResponse {
        topic: Str::from(topic.to_owned()),
        partitions: vec![PartitionData { records: Records::EMPTY, ..PartitionData::default() }],
        ..FetchableTopicResponse::default()
    }];
    let fetched = FetchResponse { responses, ..FetchResponse::default() };
    let produced = encode_response(&produced, client::PRODUCE_VERSION, 0)?.head;
    let fetched = encode_response(&fetched, client::FETCH_VERSION, 0)?.head;
    anyhow::ensure!(fetched.len() == RECORDS_AT + 1 + TAGS, "a fetch answer has another layout");
    Ok((produced, fetched.slice(..RECORDS_AT)))
}

/// Serves until it is killed. `dir` is where the file goes.
pub(crate) fn run(dir: &Path) -> Result<()> {
    let topics = Arc::new(Topics { dir: dir.to_path_buf(), by_name: Mutex::default() });
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("ready on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        let (topics, stream) = (Arc::clone(&topics), stream?);
        std::thread::spawn(move || {
            // A client that hangs up ends its thread; there is nobody to tell.
            let _ = serve(&topics, stream);
        });
    }
    Ok(())
}

fn serve(topics: &Topics, mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let _ = socket2::SockRef::from(&stream).set_tcp_congestion(b"cubic");
    let mut memory = vec![0_u8; FRAME_MAX + PAGE];
    let skip = memory.as_ptr().align_offset(PAGE);
    loop {
        let mut size = [0; 4];
        stream.read_exact(&mut size)?;
        let size = u32::from_be_bytes(size) as usize;
        anyhow::ensure!(size <= FRAME_MAX, "a frame of {size} bytes");
        let frame = &mut memory[skip..skip + size];
        stream.read_exact(frame)?;
        let topic = topics.of(frame)?;
        if i16::from_be_bytes([frame[0], frame[1]]) == PRODUCE {
            produce(&topic, &mut stream, frame)?;
        } else {
            fetch(&topic, &mut stream, frame)?;
        }
    }
}

/// Version 9 of this client: the batch stands before three tag buffers (partition, topic, request).
fn produce(shared: &Topic, stream: &mut TcpStream, frame: &mut [u8]) -> Result<()> {
    let at = find_batch(frame).context("no batch")?;
    let end = frame.len() - 3;
    let batch = &mut frame[at..end];
    let crc = u32::from_be_bytes([batch[17], batch[18], batch[19], batch[20]]);
    anyhow::ensure!(crc32c::crc32c(&batch[21..]) == crc, "crc");
    let records = i64::from(i32::from_be_bytes([batch[57], batch[58], batch[59], batch[60]]));
    let mut log = shared.log.lock().unwrap_or_else(PoisonError::into_inner);
    let offset = log.end_offset;
    batch[..8].copy_from_slice(&offset.to_be_bytes());
    shared.file.write_all_at(batch, log.end_bytes)?;
    log.end_bytes += batch.len() as u64;
    log.end_offset += records;
    (log.batch_len, log.batch_records) = (batch.len() as u64, records);
    drop(log);
    shared.grown.notify_all();
    let mut answer = shared.produced.to_vec();
    answer[4..8].copy_from_slice(&frame[4..8]);
    answer[BASE_OFFSET_AT..][..8].copy_from_slice(&offset.to_be_bytes());
    Ok(stream.write_all(&answer)?)
}

/// The batch of a version 9 frame follows the header at a fixed place for fixed names; look for magic 2 behind it.
fn find_batch(frame: &[u8]) -> Option<usize> {
    (0..64).find(|&at| {
        let head = frame.get(at..at + HEADER_LEN);
        head.is_some_and(|h| {
            let len = u32::from_be_bytes([h[8], h[9], h[10], h[11]]) as usize;
            h[16] == 2 && h[..8] == [0; 8] && at + 12 + len + 3 == frame.len()
        })
    })
}

/// Version 12: offset and limit stand at fixed places from the end.
fn fetch(shared: &Topic, stream: &mut TcpStream, frame: &[u8]) -> Result<()> {
    // ... offset 8, last epoch 4, log start 8, max bytes 4 | tags 1, 1, forgotten 1, rack 1, tags 1
    let at = frame.len().checked_sub(29).context("short fetch")?;
    let offset = i64::from_be_bytes(frame[at..at + 8].try_into()?);
    let max_bytes = u64::from(u32::from_be_bytes(frame[at + 20..at + 24].try_into()?));
    let mut log = shared.log.lock().unwrap_or_else(PoisonError::into_inner);
    while log.end_offset <= offset {
        let wait = shared.grown.wait_timeout(log, Duration::from_millis(500));
        log = wait.unwrap_or_else(PoisonError::into_inner).0;
    }
    let from = offset as u64 / log.batch_records.max(1) as u64 * log.batch_len;
    let len = (log.end_bytes - from).min(max_bytes.max(log.batch_len));
    drop(log);
    let mut records_len = Vec::with_capacity(5);
    let mut rest = len as u32 + 1;
    while rest >= 0x80 {
        records_len.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    records_len.push(rest as u8);
    let size = RECORDS_AT - 4 + records_len.len() + len as usize + TAGS;
    let mut head = Vec::with_capacity(128);
    head.extend_from_slice(&(size as u32).to_be_bytes());
    head.extend_from_slice(&frame[4..8]);
    head.extend_from_slice(&shared.fetched[8..]);
    head.extend_from_slice(&records_len);
    rustix::net::send(&*stream, &head, rustix::net::SendFlags::MORE)?;
    let (mut position, mut left) = (from, len as usize);
    while left > 0 {
        let sent = rustix::fs::sendfile(&*stream, &shared.file, Some(&mut position), left)?;
        anyhow::ensure!(sent > 0, "the file shrank");
        left -= sent;
    }
    Ok(stream.write_all(&[0; TAGS])?)
}

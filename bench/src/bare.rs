//! The floor: what moving the bytes costs without a broker around it.
//!
//! A thread a connection. A produce is received, its CRC checked, base offset and epoch patched, written with one
//! `pwrite`, answered. A fetch is answered with a header and `sendfile`. Nothing else is understood: the frames are this
//! client's own, with the layouts of `client.rs`, one topic of one partition, batches of one size.

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

use crate::client;

/// Hidden first argument by which the bench starts itself as the floor.
pub(crate) const COMMAND: &str = "bare-floor";

const PRODUCE: i16 = 0;
const HEADER_LEN: usize = 61;
const FRAME_MAX: usize = 1 << 20;
const ANSWER_LEN: usize = 64;
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
        let topic = Arc::new(Topic { file, log: Mutex::default(), grown: Condvar::new() });
        by_name.insert(name.to_vec(), Arc::clone(&topic));
        Ok(topic)
    }
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
    // As long as a real answer, with the offset where a real one has it.
    let mut answer = vec![0; ANSWER_LEN];
    answer[..4].copy_from_slice(&(ANSWER_LEN as u32 - 4).to_be_bytes());
    answer[4..8].copy_from_slice(&frame[4..8]);
    answer[4 + client::BASE_OFFSET_AT..][..8].copy_from_slice(&offset.to_be_bytes());
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
    let size = client::FETCH_RECORDS_AT + records_len.len() + len as usize + client::FETCH_TAGS;
    let mut head = Vec::with_capacity(128);
    head.extend_from_slice(&(size as u32).to_be_bytes());
    head.extend_from_slice(&frame[4..8]);
    head.resize(4 + client::FETCH_RECORDS_AT, 0);
    head.extend_from_slice(&records_len);
    rustix::net::send(&*stream, &head, rustix::net::SendFlags::MORE)?;
    let (mut position, mut left) = (from, len as usize);
    while left > 0 {
        let sent = rustix::fs::sendfile(&*stream, &shared.file, Some(&mut position), left)?;
        anyhow::ensure!(sent > 0, "the file shrank");
        left -= sent;
    }
    Ok(stream.write_all(&[0; client::FETCH_TAGS])?)
}

//! The proof that record bytes leave without passing through the broker's memory, on the whole broker.
//!
//! ```text
//! fetch 8 MiB, read nothing  ->  the kernel holds what fits   [ header | A A A A A A ... ]  queued at the client
//! write B over every A, in place, in the segment file
//! read                       ->  sendfile: the queued bytes are B, all of them: the socket holds the file's own pages
//!                                copy (control): the queued bytes are A: they were copied before the file changed
//! ```
//!
//! Only bytes that the kernel says are queued at the client (FIONREAD) count. Those still unsent are read from the file
//! later by any route.

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pagewire_record::{BatchBuilder, Codec, patch_header};
use pagewire_wire::messages::{
    fetch_request::FetchRequest,
    write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic, WriteTxnMarkersRequest},
};

use super::{Cases, Context};
use crate::harness::raw::{self, Raw};
use crate::harness::{Broker, wide_receiver};

const OLD: u8 = b'A';
const NEW: u8 = b'B';
/// Runs shorter than this may be chance bytes of a header: they stay as they are.
const RUN_MIN: usize = 256;
const TOPIC: &str = "proof";
const VALUE_BYTES: usize = 60_000;
const BATCHES: usize = 140;
/// Fewer queued bytes than this would prove little.
const QUEUED_MIN: usize = 64 * 1024;

/// What became of the bytes that were queued when the file was overwritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    old: usize,
    new: usize,
}

/// The part.
pub fn proof(context: &Context<'_>, cases: &Cases<'_>) {
    cases.run("sendfile_route_delivers_only_the_new_bytes", || {
        let seen = park_overwrite_read(&context.binary, &[], Filled::Plain)?;
        ensure!(seen.old == 0 && seen.new >= QUEUED_MIN / 2, "by default: {seen:?}");
        let settings = &["pagewire.transfer.route=sendfile"];
        let seen = park_overwrite_read(&context.binary, settings, Filled::Plain)?;
        ensure!(seen.old == 0 && seen.new >= QUEUED_MIN / 2, "with sendfile forced: {seen:?}");
        Ok(())
    });
    cases.run("aborted_records_leave_by_sendfile_too", || {
        let seen = park_overwrite_read(&context.binary, &[], Filled::Aborted)?;
        ensure!(seen.old == 0 && seen.new >= QUEUED_MIN / 2, "{seen:?}");
        Ok(())
    });
    cases.run("copy_route_delivers_none_of_them", || {
        let seen = park_overwrite_read(&context.binary, &["pagewire.transfer.route=copy"], Filled::Plain)?;
        ensure!(seen.new == 0 && seen.old >= QUEUED_MIN / 2, "with copy forced: {seen:?}");
        Ok(())
    });
}

/// What is in the log, and how it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filled {
    /// Plain records.
    Plain,
    /// Records of a transaction that was aborted, by a reader of committed ones: it leaves them out itself.
    Aborted,
}

fn park_overwrite_read(binary: &Path, settings: &[&str], filled: Filled) -> Result<Seen> {
    let mut broker = Broker::start(binary, settings)?;
    let mut client = Raw::connect(broker.address())?;
    client.create_topic(TOPIC, 1, &[])?;
    match filled {
        Filled::Plain => fill(&mut client)?,
        Filled::Aborted => fill_aborted(&mut broker)?,
    }

    let mut reader = Raw::over(wide_receiver(broker.address())?)?;
    let everything = i32::try_from(BATCHES * VALUE_BYTES * 2)?;
    let isolation_level = i8::from(filled == Filled::Aborted);
    let asked = FetchRequest { isolation_level, ..raw::fetch_request(TOPIC, 0, 0, everything) };
    reader.send(&asked, raw::FETCH)?;
    let queued = settled(&mut reader)?;
    ensure!(queued >= QUEUED_MIN, "only {queued} bytes are queued at the client");

    let segment = segment_of(&broker.data_dir(), TOPIC)?;
    let before = fs::read(&segment)?;
    let after = overwritten(&before);
    OpenOptions::new().write(true).open(&segment)?.write_all_at(&after, 0)?;

    let mut response = vec![0; queued];
    reader.stream().read_exact(&mut response)?;
    // The header of the first batch is as it was: where it stands, the file's bytes begin.
    let first = before.get(..61).context("the segment is shorter than a batch header")?;
    let start = response
        .windows(61)
        .take(1024)
        .position(|window| window == first)
        .context("no batch in the response")?;
    let mut seen = Seen { old: 0, new: 0 };
    for (got, (old, new)) in response.iter().skip(start).zip(before.iter().zip(&after)) {
        if old != new {
            seen.old += usize::from(got == old);
            seen.new += usize::from(got == new);
        }
    }
    Ok(seen)
}

fn fill(client: &mut Raw) -> Result<()> {
    let value = vec![OLD; VALUE_BYTES];
    for _ in 0..BATCHES {
        client.append(TOPIC, 0, &raw::batch(&[&value], None)?)?;
    }
    Ok(())
}

/// Writes an open transaction into the segment as a broker that was killed leaves it, starts the broker on it and aborts
/// the transaction.
fn fill_aborted(broker: &mut Broker) -> Result<()> {
    const PRODUCER: i64 = 7;
    broker.kill();
    let segment = segment_of(&broker.data_dir(), TOPIC)?;
    let mut bytes = Vec::with_capacity(BATCHES * (VALUE_BYTES + RUN_MIN));
    for at in 0..BATCHES {
        let sequence = i32::try_from(at)?;
        let mut builder = BatchBuilder::new(Codec::None).producer(PRODUCER, 0, sequence).transactional();
        builder.append(1000, None, Some(&vec![OLD; VALUE_BYTES]), &[])?;
        let mut batch = builder.build()?.to_vec();
        patch_header(batch.first_chunk_mut().context("a header")?, i64::from(sequence), 0);
        bytes.extend_from_slice(&batch);
    }
    fs::write(&segment, &bytes)?;
    broker.start_again()?;
    let mut client = Raw::connect(broker.address())?;
    let topic = WritableTxnMarkerTopic {
        name: raw::text(TOPIC),
        partition_indexes: vec![0],
        ..WritableTxnMarkerTopic::default()
    };
    let abort =
        WritableTxnMarker { producer_id: PRODUCER, topics: vec![topic], ..WritableTxnMarker::default() };
    let request = WriteTxnMarkersRequest { markers: vec![abort], ..WriteTxnMarkersRequest::default() };
    let answer = client.call(&request, 1)?;
    let code = answer.markers.first().and_then(|marker| marker.topics.first()?.partitions.first());
    ensure!(code.is_some_and(|one| one.error_code == 0), "the marker: {answer:?}");
    // The transaction is named; who reads it leaves it out.
    let few = FetchRequest { isolation_level: 1, ..raw::fetch_request(TOPIC, 0, 0, 1) };
    let aborted = raw::partition_of(client.call(&few, raw::FETCH)?)?.aborted_transactions;
    let named = aborted.iter().flatten().any(|txn| (txn.producer_id, txn.first_offset) == (PRODUCER, 0));
    ensure!(named, "aborted transactions: {aborted:?}");
    Ok(())
}

/// The number of bytes queued at the client, once it has stopped growing.
fn settled(reader: &mut Raw) -> Result<usize> {
    let deadline = Instant::now() + Duration::from_secs(20);
    let (mut last, mut same) = (0, 0);
    while same < 5 {
        ensure!(Instant::now() < deadline, "the response never settled");
        std::thread::sleep(Duration::from_millis(50));
        let queued = usize::try_from(rustix::io::ioctl_fionread(reader.stream())?)?;
        same = if queued > 0 && queued == last { same + 1 } else { 0 };
        last = queued;
    }
    Ok(last)
}

/// The same bytes, every long run of the old byte replaced.
fn overwritten(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for run in out.chunk_by_mut(|a, b| a == b) {
        if run.len() >= RUN_MIN && run.first() == Some(&OLD) {
            run.fill(NEW);
        }
    }
    out
}

/// The first segment of partition 0, wherever the log directory has it.
fn segment_of(data_dir: &Path, topic: &str) -> Result<PathBuf> {
    let partition = find(data_dir, &format!("{topic}-0"), 3).context("the partition's folder is missing")?;
    Ok(partition.join("00000000000000000000.log"))
}

fn find(folder: &Path, name: &str, depth: usize) -> Option<PathBuf> {
    let entries: Vec<PathBuf> = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir())
        .collect();
    let here = entries.iter().find(|path| path.file_name().is_some_and(|found| found == name)).cloned();
    here.or_else(
        || if depth == 0 { None } else { entries.iter().find_map(|path| find(path, name, depth - 1)) },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_runs_are_overwritten() {
        let mut bytes = vec![OLD; 10];
        bytes.push(0);
        bytes.extend([OLD; RUN_MIN]);
        let after = overwritten(&bytes);
        assert_eq!(after.get(..11), bytes.get(..11));
        assert_eq!(after.get(11..), Some(&[NEW; RUN_MIN][..]));
    }
}

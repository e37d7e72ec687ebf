//! The sending process.
//!
//! ```text
//!   sender    connect  [file hot or cold]  warm up ----->              responses ------------->        read gauges
//!   receiver  accept                                     <---- a byte                 reads all   <---- a byte
//! ```
//!
//! Dropping a file takes a while, so it comes before warming up: a connection that idles gets cold itself.
//!
//! The clock runs from the first measured byte until the peer has all of them: what the kernel does for this process
//! after the last call is counted too.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::net::TcpStream;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use bytes::Bytes;

use super::protocol::{Load, Queue, Queued, Send, Sent, WARM_BYTES};
use super::subject::{Subject, chill, filled};
use super::{LIMIT, connection};
use crate::measure::gauge::{CpuBusy, PageTracer, SyscallCounter, Usage, monotonic_ns};
use crate::measure::link;
use crate::measure::way::{Carry, Moved, Way, carrier};
use crate::record::{ColdHow, PagesFrom};

/// What the sender keeps between orders.
pub(super) struct Sender {
    dir: PathBuf,
    subject: Subject,
    /// Made when first used, and kept: a route's pools are warm in a server too.
    carriers: HashMap<Way, Box<dyn Carry>>,
    syscalls: Option<SyscallCounter>,
    busy: Option<CpuBusy>,
    queued: Option<InFlight>,
}

/// A file whose bytes are on their way, and what keeps them there.
struct InFlight {
    file: Arc<File>,
    bytes: u64,
    _carrier: Box<dyn Carry>,
    _socket: TcpStream,
}

impl Sender {
    pub(super) fn prepare(dir: &Path, bytes: u64) -> anyhow::Result<Self> {
        // Before any thread is started, so that all are counted.
        let syscalls = SyscallCounter::start().ok();
        let subject = Subject::write(dir, bytes)?;
        let (dir, busy) = (dir.to_owned(), CpuBusy::pinned());
        Ok(Self { dir, subject, carriers: HashMap::new(), syscalls, busy, queued: None })
    }

    /// Where the pages come from when the file is hot.
    pub(super) fn pages_from(&self) -> PagesFrom {
        self.subject.pages_from
    }

    /// Drops the file from the page cache; how that is known.
    pub(super) fn chill(&mut self) -> anyhow::Result<ColdHow> {
        self.subject.chill()
    }

    pub(super) fn counts_syscalls(&self) -> bool {
        self.syscalls.is_some()
    }

    pub(super) fn send(&mut self, order: &Send) -> anyhow::Result<Sent> {
        // First of all: the receiver waits for it, and sees by its end that something else failed.
        let mut socket = connect(order.to, &order.congestion)?;
        let Self { subject, carriers, syscalls, busy, .. } = self;
        let load = order.load;
        let carrier = match carriers.entry(order.way) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(carrier(order.way, &subject.file)?)
            }
        };
        let cold_how = if order.cold {
            Some(subject.chill()?)
        } else {
            subject.heat()?;
            None
        };
        let header = Bytes::from(vec![b'H'; usize::try_from(load.header_bytes)?]);
        let tail = subject.bytes..subject.bytes + WARM_BYTES;
        stream(&mut **carrier, &socket, &header, load.warm(), tail)?;
        wait_for_peer(&mut socket)?;
        let word_before = carrier.word(&socket)?;
        let mut pages = order.trace_pages.then(PageTracer::start);
        if let Some(Ok(tracer)) = &mut pages {
            // What came before is of no interest, lost or not.
            let _ = tracer.take_bytes();
        }
        let busy_before = busy.and_then(CpuBusy::read_ns);
        let began = Usage::now()?;
        let began_ns = monotonic_ns();
        let calls_before = syscalls.as_mut().map(SyscallCounter::read).transpose()?;
        let moved = stream(&mut **carrier, &socket, &header, load, 0..subject.bytes)?;
        let counted = match (syscalls.as_mut(), calls_before) {
            (Some(counter), Some(before)) => Some(counter.since(before)?),
            _ => None,
        };
        wait_for_peer(&mut socket)?;
        let usage = Usage::now()?.since(began);
        let busy_after = busy.and_then(CpuBusy::read_ns);
        let word = carrier.word(&socket)?;
        Ok(Sent {
            usage,
            began_ns,
            syscalls: counted,
            calls: moved.calls,
            busy_ns: busy_after.zip(busy_before).map(|(after, before)| after.saturating_sub(before)),
            took: moved.took,
            by_way: moved.by_way,
            refusal: (moved.by_way < load.file_bytes()).then(|| carrier.refusal()).flatten(),
            allocated: pages.map(|tracer| match tracer {
                Ok(mut tracer) => tracer.take_bytes().map_err(|error| format!("{error:#}")),
                Err(error) => Err(format!("{error:#}")),
            }),
            cold_how,
            word: word.zip(word_before).map(|(now, before)| now.since(before)),
        })
    }

    /// Queues a file of `A`s while nobody reads.
    pub(super) fn queue(&mut self, order: &Queue) -> anyhow::Result<Queued> {
        let socket = connect(order.to, &order.congestion)?;
        let len = order.bytes;
        let file = Arc::new(filled(&self.dir, b'A', len)?);
        if order.cold {
            chill(&file, len)?;
        }
        let mut carrier = carrier(order.way, &file)?;
        // Room for all of it, so that the sender need not wait for a peer that does not read.
        rustix::net::sockopt::set_socket_send_buffer_size(&socket, usize::try_from(2 * len)?)?;
        let moved = carrier.carry(&socket, &Bytes::new(), 0, len)?;
        let refusal = (moved.by_way < len).then(|| carrier.refusal()).flatten();
        let queued = Queued { by_way: moved.by_way, refusal };
        self.queued = Some(InFlight { file, bytes: len, _carrier: carrier, _socket: socket });
        Ok(queued)
    }

    /// Makes it a file of `B`s, in place.
    pub(super) fn overwrite(&mut self) -> anyhow::Result<()> {
        let queued = self.queued.as_ref().context("nothing is queued")?;
        let bytes = vec![b'B'; usize::try_from(queued.bytes)?];
        queued.file.write_all_at(&bytes, 0).context("overwriting the file")
    }
}

/// Sends `load` out of a part of the file, front to back and again.
fn stream(
    carrier: &mut dyn Carry,
    socket: &TcpStream,
    header: &Bytes,
    load: Load,
    within: Range<u64>,
) -> anyhow::Result<Moved> {
    let mut moved = Moved::default();
    let mut at = within.start;
    for _ in 0..load.responses {
        if at + load.bytes > within.end {
            at = within.start;
        }
        moved += carrier.carry(socket, header, at, load.bytes)?;
        at += load.bytes;
    }
    Ok(moved)
}

fn connect(to: std::net::SocketAddr, congestion: &str) -> anyhow::Result<TcpStream> {
    let socket = link::congestion::connect(to, LIMIT, Some(congestion))
        .with_context(|| format!("connecting to the receiver with congestion control {congestion}"))?;
    connection(&socket)?;
    Ok(socket)
}

fn wait_for_peer(socket: &mut TcpStream) -> anyhow::Result<()> {
    let mut byte = [0];
    socket.read_exact(&mut byte).map_err(|error| anyhow!("the receiver does not answer: {error}"))
}

//! Sender, receiver and the link between them, ready to measure.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context, bail};

use super::link::{self, veth};
use super::way::Way;
use super::worker::protocol::{Answer, Load, Order, Queue, Queued, Receive, Received, Send, Sent};
use super::worker::{Program, Worker};
use crate::record::{Link, PagesFrom, Receiver, Residency, Scheduling};
use crate::watch::Watch;

/// One measurement to make.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) way: Way,
    pub(crate) load: Load,
    pub(crate) residency: Residency,
    pub(crate) receiver: Receiver,
    pub(crate) trace_pages: bool,
}

/// What one measurement gave.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) load: Load,
    pub(crate) sent: Sent,
    pub(crate) received: Received,
}

impl Sample {
    /// Bytes of the file that were sent. Those of the headers are not what is paid for.
    pub(crate) fn bytes(&self) -> f64 {
        self.load.file_bytes() as f64
    }

    /// Seconds from the first byte sent to the last received.
    pub(crate) fn seconds(&self) -> f64 {
        self.received.ended_ns.saturating_sub(self.sent.began_ns).max(1) as f64 / 1e9
    }

    /// CPU seconds of the sender per GB (10^9 bytes).
    pub(crate) fn cpu_s_per_gb(&self) -> f64 {
        self.sent.usage.cpu_ns as f64 / self.bytes()
    }

    /// CPU seconds of both processes per GB.
    pub(crate) fn processes_cpu_s_per_gb(&self) -> f64 {
        (self.sent.usage.cpu_ns + self.received.usage.cpu_ns) as f64 / self.bytes()
    }

    /// Microseconds of the sender's CPU per response.
    pub(crate) fn cpu_us_per_response(&self) -> f64 {
        self.sent.usage.cpu_ns as f64 / 1e3 / self.load.responses.max(1) as f64
    }

    /// System calls of the sender: counted by the kernel, or as the way reports them.
    pub(crate) fn syscalls(&self) -> u64 {
        self.sent.syscalls.unwrap_or(self.sent.calls)
    }

    /// Share of the file's bytes that really went this way.
    pub(crate) fn by_way(&self) -> f64 {
        self.sent.by_way as f64 / self.load.file_bytes().max(1) as f64
    }
}

/// The answer of one aliasing test.
#[derive(Debug, Clone)]
pub(crate) struct Aliasing {
    /// Share of the bytes that changed after they had been sent.
    pub(crate) aliased: f64,
    pub(crate) bytes: u64,
    pub(crate) queued: Queued,
}

/// On what terms everything of a pair is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// Whether the kernel counts system calls for us.
    pub(crate) syscalls_counted: bool,
    /// Where the pages of the hot file come from.
    pub(crate) pages_from: PagesFrom,
    /// The CPU both processes are kept on.
    pub(crate) pinned_cpu: Option<usize>,
    /// How both get that CPU.
    pub(crate) scheduling: Scheduling,
}

/// The two processes. Both end when this is dropped, and with them all they made.
#[derive(Debug)]
pub(crate) struct Pair {
    sender: Worker,
    receiver: Worker,
    to: SocketAddr,
    pub(crate) link: Link,
    pub(crate) congestion: String,
    pub(crate) congestion_default: String,
    pub(crate) offloads: BTreeMap<String, String>,
    pub(crate) terms: Terms,
}

impl Pair {
    /// Starts both on the same CPU (no wake-ups across CPUs, which would cost more than what is measured), with
    /// `link` between them and a file of `bytes` in `dir`.
    /// Given up when `watch` says stop.
    pub(crate) fn start(
        program: &Program,
        link: Link,
        dir: &Path,
        bytes: u64,
        watch: &dyn Watch,
    ) -> anyhow::Result<Self> {
        let mut sender = Worker::start(program, "sender")?;
        let mut receiver = Worker::start(program, "receiver")?;
        let pinned_cpu = link::cpus()?.first().copied();
        if let Some(cpu) = pinned_cpu {
            for worker in [&mut sender, &mut receiver] {
                worker.ask(&Order::Pin(cpu), watch)?;
            }
        }
        // A receiver that interrupts its sender the moment it wakes makes the cost of both a matter of chance.
        let calmed = [&mut sender, &mut receiver].map(|worker| worker.ask(&Order::Calm, watch).is_ok());
        let scheduling = if calmed == [true; 2] { Scheduling::Batch } else { Scheduling::Default };
        let (address, interface) = connect(link, &mut sender, &mut receiver, watch)?;
        let Answer::Congestion { chosen, default } = sender.ask(&Order::Congestion, watch)? else {
            bail!("the sender does not say which congestion control")
        };
        let offloads = match sender.ask(&Order::Offloads(interface.to_owned()), watch) {
            Ok(Answer::Offloads(offloads)) => offloads,
            // They are recorded where they can be read; nothing depends on them.
            _ => BTreeMap::new(),
        };
        let Answer::Prepared { syscalls_counted, pages_from } =
            sender.ask(&Order::Prepare { dir: dir.to_owned(), bytes }, watch)?
        else {
            bail!("the sender does not prepare")
        };
        let Answer::Listening(port) = receiver.ask(&Order::Listen(address), watch)? else {
            bail!("the receiver does not listen")
        };
        Ok(Self {
            sender,
            receiver,
            to: SocketAddr::new(address, port),
            link,
            congestion: chosen,
            congestion_default: default,
            offloads,
            terms: Terms { syscalls_counted, pages_from, pinned_cpu, scheduling },
        })
    }

    /// Measures once. Given up when `watch` says stop; the pair is of no use then.
    pub(crate) fn run(&mut self, run: Run, watch: &dyn Watch) -> anyhow::Result<Sample> {
        self.receiver.order(&Order::Receive(Receive { load: run.load, receiver: run.receiver }))?;
        let send = Send {
            way: run.way,
            to: self.to,
            congestion: self.congestion.clone(),
            load: run.load,
            cold: run.residency == Residency::Cold,
            trace_pages: run.trace_pages,
        };
        // A sender that fails closes its connection, so the receiver ends as well: both are asked, in any case.
        let sent = self.sender.ask(&Order::Send(send), watch);
        let received = self.receiver.answer(watch);
        match (sent.with_context(|| run.way.name())?, received?) {
            (Answer::Sent(sent), Answer::Received(received)) => Ok(Sample { load: run.load, sent, received }),
            (sent, received) => bail!("answers to something else: {sent:?}, {received:?}"),
        }
    }

    /// Whether the file can be dropped from the page cache; an error says why not.
    pub(crate) fn chill(&mut self, watch: &dyn Watch) -> anyhow::Result<()> {
        self.sender.ask(&Order::Chill, watch).map(drop)
    }

    /// The aliasing test: queue `bytes` of a file while nobody reads, overwrite the file in place, then read. What was
    /// sent by reference arrives new, what was copied arrives old. Given up when `watch` says stop; the pair is of no
    /// use then.
    pub(crate) fn alias(&mut self, way: Way, bytes: u64, watch: &dyn Watch) -> anyhow::Result<Aliasing> {
        self.alias_where(way, bytes, Residency::Hot, watch)
    }

    /// The same of a file that is in the page cache, or is not until it is sent.
    pub(crate) fn alias_where(
        &mut self,
        way: Way,
        bytes: u64,
        residency: Residency,
        watch: &dyn Watch,
    ) -> anyhow::Result<Aliasing> {
        self.receiver.order(&Order::Park)?;
        let cold = residency == Residency::Cold;
        let queue = Queue { way, to: self.to, congestion: self.congestion.clone(), bytes, cold };
        let queued = self.sender.ask(&Order::Queue(queue), watch);
        self.receiver.answer(watch)?;
        let Answer::Queued(queued) = queued.with_context(|| way.name())? else {
            bail!("the sender does not queue")
        };
        // A packet that has not left yet is copied or not when it leaves: only what has arrived tells.
        self.receiver.ask(&Order::Await(bytes), watch)?;
        self.sender.ask(&Order::Overwrite, watch)?;
        let Answer::Counted(new) = self.receiver.ask(&Order::Count(bytes), watch)? else {
            bail!("the receiver does not count")
        };
        Ok(Aliasing { aliased: new as f64 / bytes.max(1) as f64, bytes, queued })
    }
}

/// Sets the link up; the receiver's address, and the sender's interface.
fn connect(
    link: Link,
    sender: &mut Worker,
    receiver: &mut Worker,
    watch: &dyn Watch,
) -> anyhow::Result<(IpAddr, &'static str)> {
    let scatter_gather = match link {
        Link::Loopback => return Ok((Ipv4Addr::LOCALHOST.into(), "lo")),
        Link::Veth => true,
        Link::VethNosg => false,
    };
    for worker in [&mut *sender, &mut *receiver] {
        worker.ask(&Order::Isolate, watch)?;
    }
    sender.ask(&Order::Wire { peer: receiver.id(), scatter_gather }, watch)?;
    receiver.ask(&Order::Address { scatter_gather }, watch)?;
    Ok((veth::RECEIVER_ADDRESS, veth::SENDER))
}

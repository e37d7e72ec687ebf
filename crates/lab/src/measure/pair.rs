//! Sender, receiver and the link between them, ready to measure.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context, bail};

use super::link::{self, veth};
use super::way::Way;
use super::worker::protocol::{Answer, Load, Order, Queue, Queued, Receive, Received, Send, Sent};
use super::worker::{Program, Worker};
use crate::record::{Link, Receiver, Residency};

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
    /// Bytes sent, those of the headers included.
    pub(crate) fn bytes(&self) -> f64 {
        self.load.total() as f64
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
    pub(crate) fn system_cpu_s_per_gb(&self) -> f64 {
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
        self.sent.by_way as f64 / (self.load.bytes * self.load.responses).max(1) as f64
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
    /// Whether the kernel counts system calls for us.
    pub(crate) syscalls_counted: bool,
}

impl Pair {
    /// Starts both on the same CPU (no wake-ups across CPUs, which would cost more than what is measured), with
    /// `link` between them and a file of `bytes` in `dir`.
    pub(crate) fn start(program: &Program, link: Link, dir: &Path, bytes: u64) -> anyhow::Result<Self> {
        let mut sender = Worker::start(program, "sender")?;
        let mut receiver = Worker::start(program, "receiver")?;
        if let Some(&cpu) = link::cpus()?.first() {
            for worker in [&mut sender, &mut receiver] {
                worker.ask(&Order::Pin(cpu))?;
            }
        }
        let (address, interface) = connect(link, &mut sender, &mut receiver)?;
        let Answer::Congestion { chosen, default } = sender.ask(&Order::Congestion)? else {
            bail!("the sender does not say which congestion control")
        };
        let offloads = match sender.ask(&Order::Offloads(interface.to_owned())) {
            Ok(Answer::Offloads(offloads)) => offloads,
            // They are recorded where they can be read; nothing depends on them.
            _ => BTreeMap::new(),
        };
        let Answer::Prepared { syscalls_counted } =
            sender.ask(&Order::Prepare { dir: dir.to_owned(), bytes })?
        else {
            bail!("the sender does not prepare")
        };
        let Answer::Listening(port) = receiver.ask(&Order::Listen(address))? else {
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
            syscalls_counted,
        })
    }

    /// Measures once.
    pub(crate) fn run(&mut self, run: Run) -> anyhow::Result<Sample> {
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
        let sent = self.sender.ask(&Order::Send(send));
        let received = self.receiver.answer();
        match (sent.with_context(|| run.way.name())?, received?) {
            (Answer::Sent(sent), Answer::Received(received)) => Ok(Sample { load: run.load, sent, received }),
            (sent, received) => bail!("answers to something else: {sent:?}, {received:?}"),
        }
    }

    /// The aliasing test: queue `bytes` of a file while nobody reads, overwrite the file in place, then read. What was
    /// sent by reference arrives new, what was copied arrives old.
    pub(crate) fn alias(&mut self, way: Way, bytes: u64) -> anyhow::Result<Aliasing> {
        self.receiver.order(&Order::Park)?;
        let queue = Queue { way, to: self.to, congestion: self.congestion.clone(), bytes };
        let queued = self.sender.ask(&Order::Queue(queue));
        self.receiver.answer()?;
        let Answer::Queued(queued) = queued.with_context(|| way.name())? else {
            bail!("the sender does not queue")
        };
        // A packet that has not left yet is copied or not when it leaves: only what has arrived tells.
        self.receiver.ask(&Order::Await(bytes))?;
        self.sender.ask(&Order::Overwrite)?;
        let Answer::Counted(new) = self.receiver.ask(&Order::Count(bytes))? else {
            bail!("the receiver does not count")
        };
        Ok(Aliasing { aliased: new as f64 / bytes.max(1) as f64, bytes, queued })
    }
}

/// Sets the link up; the receiver's address, and the sender's interface.
fn connect(link: Link, sender: &mut Worker, receiver: &mut Worker) -> anyhow::Result<(IpAddr, &'static str)> {
    let scatter_gather = match link {
        Link::Loopback => return Ok((Ipv4Addr::LOCALHOST.into(), "lo")),
        Link::Veth => true,
        Link::VethNosg => false,
    };
    for worker in [&mut *sender, &mut *receiver] {
        worker.ask(&Order::Isolate)?;
    }
    sender.ask(&Order::Wire { peer: receiver.id(), scatter_gather })?;
    receiver.ask(&Order::Address { scatter_gather })?;
    Ok((veth::RECEIVER_ADDRESS, veth::SENDER))
}

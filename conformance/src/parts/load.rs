//! A producer of numbered records that outlives its broker: several requests in flight, reconnecting when it must.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use pagewire_wire::messages::produce_request::ProduceRequest;
use pagewire_wire::testing::Rng;

use super::ledger::{Ledger, value};
use crate::harness::raw::{self, PRODUCE, Producer, Raw};

/// As many as Kafka's own producers keep in flight, and as many as a broker remembers.
const IN_FLIGHT_MAX: usize = 5;
/// Before a broker is asked again that is not there, or not yet the leader.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a load waits for a broker that is being started again.
const RECONNECT_LIMIT: Duration = Duration::from_secs(30);

/// What the load does with a batch whose answer never came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Forgets it: its records may be there or not, but never twice.
    Once {
        /// 1 or -1.
        acks: i16,
    },
    /// Sends it again with the same sequence numbers until it is acknowledged; acks=all.
    Idempotent,
}

#[derive(Debug, Clone)]
struct Batch {
    first: u64,
    count: u64,
    bytes: Bytes,
}

/// One producer on one partition.
#[derive(Debug)]
pub(super) struct Load<'a> {
    address: &'a str,
    topic: &'a str,
    partition: i32,
    kind: Kind,
    rng: Rng,
    next: u64,
    producer: Option<Producer>,
    waiting: VecDeque<Batch>,
    ledger: Ledger,
}

impl<'a> Load<'a> {
    /// A load that has sent nothing yet.
    pub(super) fn new(address: &'a str, topic: &'a str, partition: i32, kind: Kind, seed: u64) -> Self {
        Self {
            address,
            topic,
            partition,
            kind,
            rng: Rng::new(seed),
            next: 0,
            producer: None,
            waiting: VecDeque::new(),
            ledger: Ledger::default(),
        }
    }

    /// What was acknowledged.
    pub(super) fn into_ledger(self) -> Ledger {
        self.ledger
    }

    /// Sends until told to stop; an idempotent load then goes on until everything is acknowledged.
    pub(super) fn run_until(&mut self, stop: &AtomicBool) -> Result<()> {
        loop {
            let mut client = self.connect()?;
            match self.drive(&mut client, stop) {
                Ok(()) => return Ok(()),
                Err(Broken::Connection) => {
                    if self.kind != Kind::Idempotent {
                        self.waiting.clear();
                        if stop.load(Ordering::Relaxed) {
                            return Ok(());
                        }
                    }
                }
                Err(Broken::Promise(error)) => return Err(error),
            }
        }
    }

    fn connect(&mut self) -> Result<Raw> {
        let deadline = Instant::now() + RECONNECT_LIMIT;
        loop {
            if let Ok(mut client) = Raw::connect(self.address)
                && self.identify(&mut client).is_ok()
            {
                return Ok(client);
            }
            if Instant::now() >= deadline {
                bail!("the broker did not come back within {RECONNECT_LIMIT:?}");
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn identify(&mut self, client: &mut Raw) -> Result<()> {
        if self.kind == Kind::Idempotent && self.producer.is_none() {
            self.producer = Some(client.init_producer()?);
        }
        Ok(())
    }

    fn drive(&mut self, client: &mut Raw, stop: &AtomicBool) -> Result<(), Broken> {
        for batch in &self.waiting {
            self.send(client, batch)?;
        }
        loop {
            while self.waiting.len() < IN_FLIGHT_MAX && !stop.load(Ordering::Relaxed) {
                let batch = self.make().map_err(Broken::Promise)?;
                // Waiting before it is sent: a connection that breaks while sending must not lose it.
                self.waiting.push_back(batch.clone());
                self.send(client, &batch)?;
            }
            if self.waiting.is_empty() {
                return Ok(());
            }
            self.answer(client)?;
        }
    }

    fn make(&mut self) -> Result<Batch> {
        let count = 1 + self.rng.below(20) as u64;
        let size = 20 + self.rng.below(2000);
        let first = self.next;
        let values: Vec<Vec<u8>> = (first..first + count).map(|number| value(number, size)).collect();
        let slices: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let sequence = i32::try_from(first)?;
        let bytes = raw::batch(&slices, self.producer.map(|producer| (producer, sequence)))?;
        self.next += count;
        self.ledger.sent(self.next);
        Ok(Batch { first, count, bytes })
    }

    fn send(&self, client: &mut Raw, batch: &Batch) -> Result<(), Broken> {
        let acks = if let Kind::Once { acks } = self.kind { acks } else { -1 };
        let request = raw::produce_request(self.topic, self.partition, batch.bytes.clone(), acks);
        client.send(&request, PRODUCE).map(drop).map_err(|_| Broken::Connection)
    }

    /// Takes the oldest answer: answers come in the order of the requests.
    fn answer(&mut self, client: &mut Raw) -> Result<(), Broken> {
        let (_, response) = client.receive::<ProduceRequest>(PRODUCE).map_err(|_| Broken::Connection)?;
        let answer = response.responses.first().and_then(|topic| topic.partition_responses.first());
        let answer = answer.context("an answer without a partition").map_err(Broken::Promise)?;
        match answer.error_code {
            0 => {}
            // Not there yet after a start, or not the leader yet: as good as no answer.
            3 | 5 | 6 | 7 | 9 if self.kind == Kind::Idempotent => return Err(Broken::Connection),
            // The same, on this connection: what is under way on one that is given up has no order beside what the next one brings.
            3 | 5 | 6 | 7 | 9 => {
                self.waiting.pop_front();
                std::thread::sleep(PAUSE);
                return Ok(());
            }
            code => {
                let batches: Vec<u64> = self.waiting.iter().map(|batch| batch.first).collect();
                let reason = format!(
                    "partition {} answered error {code} {:?}; unanswered batches begin at {batches:?}",
                    self.partition, answer.error_message
                );
                return Err(Broken::Promise(anyhow::anyhow!(reason)));
            }
        }
        let Some(batch) = self.waiting.pop_front() else {
            return Err(Broken::Promise(anyhow::anyhow!("an answer to nothing")));
        };
        for (number, offset) in (batch.first..batch.first + batch.count).zip(answer.base_offset..) {
            self.ledger.acknowledge(number, offset).map_err(Broken::Promise)?;
        }
        Ok(())
    }
}

/// Why a connection was given up.
#[derive(Debug)]
enum Broken {
    /// The broker went away: connect again.
    Connection,
    /// It answered what it must not.
    Promise(anyhow::Error),
}

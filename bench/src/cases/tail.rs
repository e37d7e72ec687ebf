//! A short tail to lay beside other work: from the send of a produce to the consumer's receipt, at a steady rate.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{broker::Broker, client, report::ms};

const TOPIC: &str = "bench-tl";
const PER_SECOND: u32 = 1000;
const SECONDS: u32 = 5;

/// Where it goes.
pub(super) struct Tail<'t> {
    pub(super) address: SocketAddr,
    pub(super) topic: &'t str,
}

impl Tail<'_> {
    /// A topic of its own.
    pub(super) fn of(broker: &Broker) -> Result<Self> {
        client::create_topic(broker.address, TOPIC)?;
        Ok(Self { address: broker.address, topic: TOPIC })
    }
}

/// Latencies in milliseconds.
pub(super) struct Latencies {
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

pub(super) fn run(tail: &Tail<'_>) -> Result<Latencies> {
    let mut producer = client::open(tail.address)?;
    let mut consumer = client::open(tail.address)?;
    let (mut frame, _) = client::frame(tail.topic, 1)?;
    // Earlier rounds left theirs; the first record says where this one begins.
    producer.produce(&mut frame, 0)?;
    let mut offset = producer.produced(&frame, 0)? + 1;
    let total = PER_SECOND * SECONDS;
    let epoch = Instant::now() + Duration::from_millis(50);
    let due = move |n: u32| epoch + Duration::from_secs(1) * n / PER_SECOND;
    let sender = thread::spawn(move || -> Result<Vec<Instant>> {
        let mut sent = Vec::with_capacity(total as usize);
        for n in 0..total {
            thread::sleep(due(n).saturating_duration_since(Instant::now()));
            // What is late because the one before was not answered counts as late.
            sent.push(due(n));
            producer.produce(&mut frame, n as i32)?;
            producer.produced(&frame, n as i32)?;
        }
        Ok(sent)
    });
    let mut received = Vec::with_capacity(total as usize);
    while received.len() < total as usize {
        let got = client::fetch(&mut consumer, tail.topic, offset, 1 << 20, 500)?;
        received.extend(std::iter::repeat_n(Instant::now(), got.records as usize));
        offset = got.next;
    }
    let sent = sender.join().map_err(|_| anyhow::anyhow!("the producer thread died"))??;
    let mut took: Vec<f64> = sent
        .iter()
        .zip(&received)
        .map(|(sent, received)| ms(received.saturating_duration_since(*sent)))
        .collect();
    took.sort_by(f64::total_cmp);
    let at = |share: f64| took.get(((took.len() - 1) as f64 * share) as usize).copied().unwrap_or(f64::NAN);
    Ok(Latencies { p50: at(0.5), p99: at(0.99), max: at(1.0) })
}

//! A short tail to lay beside background work: from the send of a produce to the consumer's receipt, at a steady rate.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use pagewire_lab::drive::process;

use crate::{broker::Broker, client};

const TOPIC: &str = "bench-tl";
const PER_SECOND: u32 = 1000;
const SECONDS: u32 = 5;

pub(super) fn run(broker: &Broker, _mib: u64) -> Result<Vec<f64>> {
    client::create_topic(broker, TOPIC)?;
    let mut producer = client::open(broker.address)?;
    let mut consumer = client::open(broker.address)?;
    let (mut frame, _) = client::frame(TOPIC, 1)?;
    // Earlier rounds left theirs; the first record says where this one begins.
    producer.produce(&mut frame, 0)?;
    let start_offset = producer.produced(&frame, 0)? + 1;
    let total = PER_SECOND * SECONDS;
    let cpu = process::cpu(broker.pid)?;
    let epoch = Instant::now() + Duration::from_millis(50);
    let due = move |n: u32| epoch + Duration::from_secs(1) * n / PER_SECOND;
    let sender = thread::spawn(move || -> Result<Vec<Instant>> {
        let mut sent = Vec::with_capacity(total as usize);
        for n in 0..total {
            thread::sleep(due(n).saturating_duration_since(Instant::now()));
            sent.push(Instant::now());
            producer.produce(&mut frame, n as i32)?;
            producer.produced(&frame, n as i32)?;
        }
        Ok(sent)
    });
    let mut received = Vec::with_capacity(total as usize);
    let mut offset = start_offset;
    while received.len() < total as usize {
        let got = client::fetch(&mut consumer, TOPIC, offset, 1 << 20, 500)?;
        received.extend(std::iter::repeat_n(Instant::now(), got.records as usize));
        offset = got.next;
    }
    let sent = sender.join().map_err(|_| anyhow::anyhow!("the producer thread died"))??;
    let cpu = process::cpu(broker.pid)?.saturating_sub(cpu);
    let mut ms: Vec<f64> = sent.iter().zip(&received).map(|(s, r)| (*r - *s).as_secs_f64() * 1e3).collect();
    ms.sort_by(f64::total_cmp);
    let at = |share: f64| ms[((ms.len() - 1) as f64 * share) as usize];
    Ok(vec![cpu.as_secs_f64() * 1e6 / f64::from(total), at(0.5), at(0.99), at(1.0)])
}

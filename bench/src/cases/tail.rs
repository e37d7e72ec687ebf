//! A short tail to lay beside other work: from when a produce was due to the consumer's receipt, at a steady rate.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use pagewire_lab::drive::client::{Connection, Dial, ProduceFrame, Stop};
use pagewire_lab::drive::{Latencies, was_stopped};

use super::pace::{self, Pace};
use crate::{broker::Broker, client};

const TOPIC: &str = "bench-tl";
/// How long it takes.
pub(super) const SECONDS: u32 = 5;
const PACE: Pace = Pace { per_second: 1000, seconds: SECONDS };
/// What was sent is waited for so long after the last was due.
const GRACE: Duration = Duration::from_secs(30);
/// A long poll.
const WAIT_MS: i32 = 500;

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

pub(super) fn run(tail: &Tail<'_>) -> Result<Latencies> {
    let stop = Stop::default();
    let dial = Dial { stop: stop.clone(), ..client::dial() };
    let mut producer = dial.open_unasked(tail.address)?;
    let consumer = dial.open_unasked(tail.address)?;
    let (mut frame, _) = client::frame(tail.topic, 1)?;
    // Earlier rounds left theirs; the first record says where this one begins.
    producer.produce(&mut frame, 0)?;
    let offset = producer.produced(&frame, 0)? + 1;
    measure(producer, frame, (consumer, tail.topic, offset), &stop)
}

/// Sends and receives side by side; whoever fails stops the other.
fn measure(
    producer: Connection,
    frame: ProduceFrame,
    consumed: (Connection, &str, i64),
    stop: &Stop,
) -> Result<Latencies> {
    let start = pace::start();
    let (sent, received) = thread::scope(|scope| {
        let stopping = |failed: bool| {
            if failed {
                stop.set();
            }
        };
        let sender = scope.spawn(move || {
            let sent = send(producer, frame, start, stop);
            stopping(sent.is_err());
            sent
        });
        let received = receive(consumed, start);
        stopping(received.is_err());
        (sender.join().unwrap_or_else(|_| Err(anyhow!("the producer's thread died"))), received)
    });
    match (sent, received) {
        (Ok(()), Ok(latencies)) => Ok(latencies),
        // The one that was told to stop is not why.
        (Err(error), Ok(_)) | (Ok(()), Err(error)) => Err(error),
        (Err(sent), Err(received)) => Err(if was_stopped(&sent) { received } else { sent }),
    }
}

fn send(mut producer: Connection, mut frame: ProduceFrame, start: Instant, stop: &Stop) -> Result<()> {
    pace::wake_exactly();
    // What is late because the one before was not answered counts as late.
    for (number, due) in (0..).zip(PACE.dues(start)) {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        ensure!(!stop.is_set(), pagewire_lab::drive::client::Error::Stopped);
        producer.produce(&mut frame, number)?;
        producer.produced(&frame, number)?;
    }
    Ok(())
}

fn receive((mut consumer, topic, mut offset): (Connection, &str, i64), start: Instant) -> Result<Latencies> {
    let until = PACE.end(start) + GRACE;
    consumer.give_up_at(until);
    let (mut latencies, mut dues) = (Latencies::default(), PACE.dues(start).peekable());
    while dues.peek().is_some() {
        ensure!(Instant::now() < until, "{} of {} records came", latencies.count(), PACE.count());
        let got = client::fetch(&mut consumer, topic, offset, 1 << 20, WAIT_MS)?;
        let now = Instant::now();
        for due in dues.by_ref().take(usize::try_from(got.records)?) {
            latencies.record(now.saturating_duration_since(due));
        }
        offset = got.next;
    }
    Ok(latencies)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_producer_that_fails_ends_the_tail() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Stop::default();
        let dial = Dial { stop: stop.clone(), ..Dial::default() };
        let producer = dial.open_unasked(address).unwrap();
        drop(listener.accept().unwrap());
        let consumer = dial.open_unasked(address).unwrap();
        let _silent = listener.accept().unwrap();
        let (frame, _) = client::frame(TOPIC, 1).unwrap();
        let error = measure(producer, frame, (consumer, TOPIC, 0), &stop).unwrap_err().to_string();
        assert!(stop.is_set(), "the consumer waits until it is out of patience");
        assert!(!error.contains("has not answered") && !error.contains("stopped"), "{error}");
    }
}

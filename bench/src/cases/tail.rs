//! The tail to lay beside other work: the drive's, at the rate of the load `tail`.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use pagewire_lab::drive::{Alone, Case, Plan, Target, without_pacing};

/// How long it takes.
pub(super) const SECONDS: u64 = 5;

/// Of this broker, in a topic of its own.
pub(super) fn of(address: SocketAddr) -> Result<Alone> {
    Alone::prepare(Case::EndToEnd, &plan(), &target(address))
}

/// The same in this topic, which is empty.
pub(super) fn in_topic(address: SocketAddr, topic: &str) -> Result<Alone> {
    Alone::prepare_on(topic, Case::EndToEnd, &plan(), &target(address))
}

/// 1,000 batches of ten 1 KiB records a second, to one consumer.
fn plan() -> Plan {
    Plan {
        length: Duration::from_secs(SECONDS),
        rate: 10_000.0,
        burst: 10,
        congestion_control: without_pacing(),
        ..Plan::default()
    }
}

fn target(address: SocketAddr) -> Target {
    Target { name: address.to_string(), host: address.ip().to_string(), port: address.port(), pid: None }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::thread;

    use super::*;
    use crate::{client, floor};

    /// A floor in this process, which goes on until that ends.
    fn floor() -> (SocketAddr, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let words = [free.port().to_string(), dir.path().display().to_string()];
        thread::spawn(move || floor::run(words.into_iter()));
        while TcpStream::connect(free).is_err() {
            thread::yield_now();
        }
        (free, dir)
    }

    #[test]
    fn each_record_of_each_round_has_a_latency_in_a_topic_of_its_own_and_in_one_that_is_there() {
        const TOPIC: &str = "there";
        let (address, _dir) = floor();
        client::create_topic(address, TOPIC).unwrap();
        let plan = Plan { length: Duration::from_millis(50), ..plan() };
        let own = Alone::prepare(Case::EndToEnd, &plan, &target(address)).unwrap();
        let lent = Alone::prepare_on(TOPIC, Case::EndToEnd, &plan, &target(address)).unwrap();
        for mut tail in [own, lent] {
            let counts = [(); 2].map(|()| tail.run().unwrap().0.count());
            assert_eq!(counts, [500, 500]);
        }
    }

    #[test]
    fn a_topic_that_was_lent_is_left_to_whoever_made_it() {
        const TOPIC: &str = "there";
        let (address, _dir) = floor();
        client::create_topic(address, TOPIC).unwrap();
        for lent in [true, false] {
            let before = names(address);
            let tail = if lent { in_topic(address, TOPIC) } else { of(address) };
            drop(tail.unwrap());
            assert_eq!(names(address), before);
        }
    }

    fn names(address: SocketAddr) -> Vec<String> {
        pagewire_lab::drive::client::topic::names(&client::dial(), address).unwrap()
    }
}

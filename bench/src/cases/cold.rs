//! The tail once more, while a lagging consumer reads what is on the disk alone: at one rate for all brokers, so that all have
//! the same load beside their tail, and once more as fast as each can, where the faster one has more.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use pagewire_lab::drive::client::topic;
use pagewire_lab::drive::process;

use super::Turn;
use super::beside::Until;
use super::tail;
use crate::{broker::Broker, client};

const TOPIC: &str = "bench-cold";
/// The folder of its only partition.
const FOLDER: &str = "bench-cold-0";
/// Records of a batch, each of a KiB.
const RECORDS: usize = 64;
/// Bytes a second that a paced reader asks for: below what an SSD on SATA gives and what every broker here reads cold (Kafka's
/// closed loop comes to some three times as much), so that all can keep it up, and two hundred fetches a second.
const RATE: u64 = 200_000_000;
/// Of what one round of `--mib` is, for who reads as fast as it can.
const TIMES: u64 = 2;
/// Of the disk, what is left to others.
const SPARE_BYTES: u64 = 1 << 30;

/// What the lagging consumer gets a second, and what of it came from the disk.
pub(super) const READ: [&str; 2] = ["reader's MB/s", "from disk MB/s"];

/// Whether the files of brokers that run as this user can be dropped from the page cache.
pub(super) fn can_be_had() -> Result<()> {
    process::sees_files(std::process::id()).map_err(|why| anyhow!(why))
}

/// Beside one that reads at a rate, and does not come to its end: it has half as much again before it.
pub(super) fn paced(turn: &Turn<'_>) -> Result<Vec<f64>> {
    let bytes = RATE * tail::SECONDS * 3 / 2;
    run(turn, bytes, Some(RATE))
}

/// Beside one that reads as fast as it is answered.
pub(super) fn unpaced(turn: &Turn<'_>) -> Result<Vec<f64>> {
    run(turn, (turn.mib * TIMES) << 20, None)
}

fn run(turn: &Turn<'_>, bytes: u64, rate: Option<u64>) -> Result<Vec<f64>> {
    let broker = turn.broker;
    let mut tail = tail::of(broker.address)?;
    fill(broker, bytes)?;
    // All of the page cache, where that may be: a segment that the broker has closed is no descriptor of it.
    process::drop_everything()
        .or_else(|_| process::drop_files(broker.pid).map(|_| ()))
        .map_err(|why| anyhow!(why))?;
    let values =
        turn.way(broker.pid).run(|| turn.tail(&mut tail), |until| Lagging { broker, rate }.read(until))?;
    topic::delete(&client::dial(), broker.address, TOPIC)?;
    Ok(values)
}

fn fill(broker: &Broker, bytes: u64) -> Result<()> {
    if broker.recipe.is_some() {
        check_room(&tempfile::env::temp_dir(), bytes)?;
    }
    client::create_topic(broker.address, TOPIC)?;
    let (mut frame, each) = client::frame(TOPIC, RECORDS)?;
    client::send(&mut client::open(broker.address)?, &mut frame, bytes / each)
}

/// Whether so much more fits on the disk of `dir`.
fn check_room(dir: &Path, bytes: u64) -> Result<()> {
    let told = rustix::fs::statvfs(dir).with_context(|| dir.display().to_string())?;
    let free = told.f_bavail.saturating_mul(told.f_frsize);
    ensure!(
        free >= bytes.saturating_add(SPARE_BYTES),
        "{} MB are to be written beside {} MB for others, and {} has {} MB free; --dir takes another place",
        bytes / 1_000_000,
        SPARE_BYTES / 1_000_000,
        dir.display(),
        free / 1_000_000
    );
    Ok(())
}

/// A consumer that is far behind.
struct Lagging<'b> {
    broker: &'b Broker,
    /// Bytes a second, or as many as come.
    rate: Option<u64>,
}

impl Lagging<'_> {
    /// What it got a second, and how much of that the broker had read from the disk.
    fn read(&self, until: &Until) -> Result<[f64; 2]> {
        let (pid, address) = (self.broker.pid, self.broker.address);
        let from_disk =
            || process::read_from_disk(pid).context("what it reads from the disk may not be seen");
        let (mut connection, before, begun) = (client::open(address)?, from_disk()?, Instant::now());
        let (mut offset, mut bytes) = (0, 0);
        while !until.is_over() {
            if let Some(rate) = self.rate {
                thread::sleep(due(bytes, rate).saturating_sub(begun.elapsed()));
            }
            let got = client::fetch(&mut connection, TOPIC, offset, 1 << 20, 0)?;
            bytes += got.bytes;
            offset = got.next;
            if got.records == 0 {
                // Whoever is through begins again, with what is on the disk alone once more.
                process::drop_partition(pid, FOLDER).map_err(|why| anyhow!(why))?;
                offset = 0;
            }
        }
        let seconds = begun.elapsed().as_secs_f64();
        let disk = from_disk()?.saturating_sub(before);
        Ok([bytes, disk].map(|bytes| bytes as f64 / 1e6 / seconds))
    }
}

/// When whoever has so many bytes asks for the next; who was kept from it makes up for that.
fn due(bytes: u64, rate: u64) -> Duration {
    Duration::from_secs_f64(bytes as f64 / rate as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paced_reader_asks_no_earlier_than_its_rate_lets_it() {
        assert_eq!(due(0, RATE), Duration::ZERO);
        assert_eq!(due(RATE / 2, RATE), Duration::from_millis(500));
        assert_eq!(due(RATE * 10, RATE), Duration::from_secs(10));
    }

    #[test]
    fn what_does_not_fit_on_the_disk_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let error = check_room(dir.path(), u64::MAX / 2).unwrap_err().to_string();
        assert!(error.contains("--dir takes another place"), "{error}");
        assert!(FOLDER.strip_prefix(TOPIC) == Some("-0"));
    }
}

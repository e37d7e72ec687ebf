//! The tail once more, while a lagging consumer reads what is on the disk alone.

use anyhow::{Context, Result, anyhow};
use pagewire_lab::drive::client::topic;
use pagewire_lab::drive::process;

use super::{
    beside,
    tail::{self, Tail},
};
use crate::{broker::Broker, client};

const TOPIC: &str = "bench-cold";
/// Records of a batch, each of a KiB.
const RECORDS: usize = 64;
/// Of what one round of `--mib` is, so that the reader does not come to its end.
const TIMES: u64 = 2;

/// Whether the files of brokers that run as this user can be dropped from the page cache.
pub(super) fn can_be_had() -> Result<()> {
    process::sees_files(std::process::id()).map_err(|why| anyhow!(why))
}

pub(super) fn run(broker: &Broker, mib: u64) -> Result<Vec<f64>> {
    let tail = Tail::of(broker)?;
    fill(broker, mib * TIMES)?;
    process::drop_files(broker.pid).map_err(|why| anyhow!(why))?;
    let from_disk =
        || process::read_from_disk(broker.pid).context("what it reads from the disk may not be seen");
    let values = beside::run(
        broker.pid,
        || tail::run(&tail),
        |until| {
            let (before, mut lagging, mut offset) = (from_disk()?, client::open(broker.address)?, 0);
            while !until.is_over() {
                let got = client::fetch(&mut lagging, TOPIC, offset, 1 << 20, 0)?;
                // Whoever is through begins again, with what is in memory by then.
                offset = if got.records == 0 { 0 } else { got.next };
            }
            Ok(from_disk()?.saturating_sub(before) as f64 / f64::from(1 << 20))
        },
    )?;
    topic::delete(&client::dial(), broker.address, TOPIC)?;
    Ok(values)
}

fn fill(broker: &Broker, mib: u64) -> Result<()> {
    client::create_topic(broker.address, TOPIC)?;
    let (mut frame, bytes) = client::frame(TOPIC, RECORDS)?;
    client::send(&mut client::open(broker.address)?, &mut frame, (mib << 20) / bytes)
}

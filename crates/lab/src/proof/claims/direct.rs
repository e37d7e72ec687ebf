//! Reading past the page cache.

use std::fs::File;
use std::os::fd::AsRawFd;

use anyhow::{Context, anyhow, ensure};
use pagewire_zcopy::DirectBuffer;
use rustix::fs::{Mode, OFlags, open};

use super::{Bench, Tried, figures};
use crate::measure::gauge::{Usage, monotonic_ns};
use crate::measure::worker::filled;

const READ_BYTES: usize = 1 << 20;
const READS: u64 = 32;
/// Busy for less than this share of the time: the CPU was free for others.
const MOSTLY_FREE: f64 = 0.5;

pub(super) fn idle(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let file = filled(bench.dir, b'D', READS * READ_BYTES as u64)?;
    // The file has no name; its descriptor has one.
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let direct = open(path, OFlags::RDONLY | OFlags::DIRECT | OFlags::CLOEXEC, Mode::empty())
        .context("O_DIRECT on this file system")?;
    let direct = File::from(direct);
    let mut buffer = DirectBuffer::unpooled(READ_BYTES)?;
    let (before, began_ns) = (Usage::now()?, monotonic_ns());
    for read in 0..READS {
        let got = rustix::io::pread(&direct, &mut buffer[..], read * READ_BYTES as u64)?;
        ensure!(got == READ_BYTES, "a short read");
    }
    let (used, wall_ns) = (Usage::now()?.since(before), monotonic_ns() - began_ns);
    let busy = used.cpu_ns as f64 / wall_ns.max(1) as f64;
    let cpu_s_per_gb = used.cpu_ns as f64 / (READS * READ_BYTES as u64) as f64;
    Ok(Tried {
        holds: busy < MOSTLY_FREE,
        evidence: format!(
            "reading {READS} MiB by O_DIRECT into a page-aligned buffer kept the CPU busy for {:.0} % of the time \
             ({cpu_s_per_gb:.3} CPU s/GB); the thread waits, the CPU does not",
            busy * 100.0
        ),
        figures: figures([("cpu_busy_share", busy), ("cpu_s_per_gb", cpu_s_per_gb)]),
    })
}

pub(super) fn to_the_network(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let line = bench.route("direct").context("there is no such route")?;
    if !line.available {
        return Err(anyhow!(line.why.clone().unwrap_or_default()));
    }
    let allocated = line.allocated;
    let aliased = line.aliased.unwrap_or(0.0);
    let pages = allocated.map_or(String::new(), |share| {
        format!("; the socket allocated {share:.2} bytes of pages for each byte")
    });
    let mut figures = figures([("aliased_share", aliased)]);
    figures.extend(allocated.map(|share| ("allocated_per_byte".to_owned(), share)));
    Ok(Tried {
        holds: aliased > 0.99,
        evidence: format!(
            "the disk fills the buffer by itself, but the socket gets a copy of it: {:.0} % of what was sent changed \
             with the file{pages}",
            aliased * 100.0
        ),
        figures,
    })
}

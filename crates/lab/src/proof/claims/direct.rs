//! Reading past the page cache.

use std::fs::File;
use std::os::fd::AsRawFd;

use anyhow::{Context, ensure};
use pagewire_zcopy::DirectBuffer;
use rustix::fs::{Mode, OFlags, open};

use super::{Bench, Tried, figures};
use crate::measure::gauge::{Usage, monotonic_ns};
use crate::measure::worker::filled;
use crate::proof::route::{ALL_COPIED, NONE_COPIED};

const READ_BYTES: usize = 1 << 20;
const READS: u64 = 32;
/// Busy for less than this share of the time: the CPU was free for others. For more than the other: it was not.
const FREE: f64 = 0.4;
const BUSY: f64 = 0.6;

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
        holds: (!(FREE..=BUSY).contains(&busy)).then_some(busy < FREE),
        evidence: format!(
            "reading {READS} MiB by O_DIRECT into a page-aligned buffer kept the CPU busy for {:.0} % of the time \
             ({cpu_s_per_gb:.3} CPU s/GB); the thread waits, the CPU does not",
            busy * 100.0
        ),
        figures: figures([("cpu_busy_share", busy), ("cpu_s_per_gb", cpu_s_per_gb)]),
    })
}

/// The aliasing test cannot tell: what the disk has put into a buffer does not change with the file. But a socket that
/// gets a copy needs pages for it.
pub(super) fn to_the_network(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let allocated = bench.route("direct")?.allocated;
    let allocated = allocated.context("the kernel does not let us see which pages it allocates; root may")?;
    let holds = match allocated {
        share if share > ALL_COPIED => Some(false),
        share if share < NONE_COPIED => Some(true),
        _ => None,
    };
    Ok(Tried {
        holds,
        evidence: format!(
            "the disk fills the buffer by itself; to send that, the socket allocated {allocated:.2} bytes of pages for \
             each byte (a copy needs 1, a reference 0)"
        ),
        figures: figures([("allocated_per_byte", allocated)]),
    })
}

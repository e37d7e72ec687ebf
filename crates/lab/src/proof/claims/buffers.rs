//! Memory of the heap, and memory that begins with a page.

use std::fs::File;

use anyhow::{Context, ensure};
use pagewire_zcopy::DirectBuffer;

use super::{Bench, Tried};
use crate::measure::gauge::Usage;
use crate::measure::worker::filled;
use crate::proof::bench::ROUNDS;
use crate::proof::compared::Compared;

pub(super) const PAGE: usize = 4096;
pub(super) const BUFFER_BYTES: usize = 1 << 20;
const READS: u64 = 8;
/// What is read, once by each measurement.
pub(super) const FILE_BYTES: u64 = READS * BUFFER_BYTES as u64;

/// CPU seconds per GB of reading a hot file of [`FILE_BYTES`] into `buffer`, which has [`BUFFER_BYTES`].
pub(super) fn read_into(file: &File, buffer: &mut [u8]) -> anyhow::Result<f64> {
    let before = Usage::now()?;
    for read in 0..READS {
        let got = rustix::io::pread(file, &mut *buffer, read * BUFFER_BYTES as u64)?;
        ensure!(got == BUFFER_BYTES, "a short read");
    }
    let used = Usage::now()?.since(before);
    Ok(used.cpu_ns as f64 / FILE_BYTES as f64)
}

pub(super) fn heap_or_direct(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let file = filled(bench.dir, b'D', FILE_BYTES)?;
    let mut direct = DirectBuffer::unpooled(BUFFER_BYTES)?;
    direct.fill(1);
    let mut heap = vec![1; BUFFER_BYTES];
    let lies_at = heap.as_ptr().addr() % PAGE;
    let (mut into_direct, mut into_heap) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bench.go_on()?;
        into_direct.push(read_into(&file, direct.get_mut(..BUFFER_BYTES).context("a short buffer")?)?);
        into_heap.push(read_into(&file, &mut heap)?);
    }
    let compared = Compared::of(&into_direct, &into_heap)?;
    let told = compared.told(
        "reading 1 MiB at a time: into a page-aligned DirectBuffer",
        "into a Vec",
        "CPU s/GB",
        3,
    );
    let mut figures = compared.figures("direct_cpu_s_per_gb", "heap_cpu_s_per_gb");
    figures.insert("heap_behind_page_bytes".to_owned(), lies_at as f64);
    Ok(Tried {
        holds: compared.is_below(1.0),
        evidence: format!("{told}; the allocator had put the Vec {lies_at} bytes behind the start of a page"),
        figures,
    })
}

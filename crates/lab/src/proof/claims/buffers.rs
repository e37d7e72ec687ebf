//! Where a buffer lies in memory, and what that does to the copy into it.

use std::fs::File;

use anyhow::{Context, ensure};
use pagewire_zcopy::DirectBuffer;

use super::{Bench, ROUNDS, Tried, figures};
use crate::measure::gauge::Usage;
use crate::measure::worker::filled;
use crate::spread::Spread;

const PAGE: usize = 4096;
const BUFFER_BYTES: usize = 1 << 20;
const READS: u64 = 8;
/// Where allocators put large blocks: behind their own header, at the start of a page.
const HEAP_DISTANCE: usize = 16;
/// Differences below this are noise.
const CLEARLY: f64 = 1.2;

/// CPU seconds per GB of reading a hot file into `buffer`.
fn read_into(file: &File, buffer: &mut [u8]) -> anyhow::Result<f64> {
    let before = Usage::now()?;
    for read in 0..READS {
        let got = rustix::io::pread(file, &mut *buffer, read * BUFFER_BYTES as u64)?;
        ensure!(got == buffer.len(), "a short read");
    }
    let used = Usage::now()?.since(before);
    Ok(used.cpu_ns as f64 / (READS as usize * buffer.len()) as f64)
}

/// A part of `memory` that begins so far behind the start of a page.
fn at(memory: &mut [u8], distance: usize) -> anyhow::Result<&mut [u8]> {
    let start = memory.as_ptr().addr();
    let skip = (distance + PAGE - start % PAGE) % PAGE;
    memory.get_mut(skip..skip + BUFFER_BYTES).context("memory that is too short")
}

/// Middle CPU seconds per GB: a page-aligned buffer, and another in turn; and how far that lies behind a page's start.
fn measure(bench: &Bench<'_>, distance: Option<usize>) -> anyhow::Result<(f64, f64, usize)> {
    let file = filled(bench.dir, b'D', READS * BUFFER_BYTES as u64)?;
    let mut aligned = DirectBuffer::unpooled(BUFFER_BYTES)?;
    let mut memory = vec![1; BUFFER_BYTES + 2 * PAGE];
    let mut heap = vec![1; BUFFER_BYTES];
    let other = match distance {
        Some(distance) => at(&mut memory, distance)?,
        None => heap.as_mut_slice(),
    };
    let lies_at = other.as_ptr().addr() % PAGE;
    aligned.fill(1);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(read_into(&file, aligned.get_mut(..BUFFER_BYTES).context("a short buffer")?)?);
        theirs.push(read_into(&file, other)?);
    }
    let middle = |samples: &[f64]| Spread::of(samples).map_or(0.0, |spread| spread.median);
    Ok((middle(&ours), middle(&theirs), lies_at))
}

pub(super) fn heap_or_direct(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let (direct, heap, lies_at) = measure(bench, None)?;
    let ratio = heap / direct;
    Ok(Tried {
        holds: ratio > CLEARLY,
        evidence: format!(
            "reading 1 MiB at a time: into a page-aligned DirectBuffer {direct:.3} CPU s/GB, into a Vec \
             {heap:.3}: {ratio:.1} times; the allocator put it {lies_at} bytes behind the start of a page"
        ),
        figures: figures([
            ("direct_cpu_s_per_gb", direct),
            ("heap_cpu_s_per_gb", heap),
            ("ratio", ratio),
            ("heap_behind_page_bytes", lies_at as f64),
        ]),
    })
}

pub(super) fn alignment(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let (aligned, behind, _) = measure(bench, Some(HEAP_DISTANCE))?;
    let ratio = behind / aligned;
    Ok(Tried {
        holds: ratio > CLEARLY,
        evidence: format!(
            "reading 1 MiB at a time: into memory at the start of a page {aligned:.3} CPU s/GB, {HEAP_DISTANCE} bytes \
             behind it {behind:.3}: {ratio:.1} times"
        ),
        figures: figures([
            ("aligned_cpu_s_per_gb", aligned),
            ("behind_cpu_s_per_gb", behind),
            ("ratio", ratio),
        ]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_lies_where_it_was_asked_for() {
        let mut memory = vec![0; BUFFER_BYTES + 2 * PAGE];
        for distance in [0, 1, 16, 4095] {
            let part = at(&mut memory, distance).unwrap();
            assert_eq!((part.as_ptr().addr() % PAGE, part.len()), (distance, BUFFER_BYTES));
        }
    }
}

//! Where a buffer lies in memory, and what that does to the copy into it.

use std::fs::File;

use anyhow::{Context, ensure};
use pagewire_zcopy::DirectBuffer;

use super::compared::Compared;
use super::{Bench, ROUNDS, Tried};
use crate::measure::gauge::Usage;
use crate::measure::worker::filled;

const PAGE: usize = 4096;
const BUFFER_BYTES: usize = 1 << 20;
const READS: u64 = 8;
/// Where allocators put large blocks: behind their own header, at the start of a page.
const HEAP_DISTANCE: usize = 16;
const UNIT: &str = "CPU s/GB";

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

/// Reading into a buffer and, in turn, into one that begins at the start of a page; and how far the first lies behind
/// such a start.
fn measure(bench: &Bench<'_>, distance: Option<usize>) -> anyhow::Result<(Compared, usize)> {
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
    Ok((Compared::of(&theirs, &ours)?, lies_at))
}

pub(super) fn heap_or_direct(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let (compared, lies_at) = measure(bench, None)?;
    let told =
        compared.told("reading 1 MiB at a time: into a Vec", "into a page-aligned DirectBuffer", UNIT, 3);
    let mut figures = compared.figures("heap_cpu_s_per_gb", "direct_cpu_s_per_gb");
    figures.insert("heap_behind_page_bytes".to_owned(), lies_at as f64);
    Ok(Tried {
        holds: compared.is_below(1.0).map(|heap_is_cheaper| !heap_is_cheaper),
        evidence: format!("{told}; the allocator had put the Vec {lies_at} bytes behind the start of a page"),
        figures,
    })
}

pub(super) fn alignment(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let (compared, _) = measure(bench, Some(HEAP_DISTANCE))?;
    let behind =
        format!("reading 1 MiB at a time: into memory {HEAP_DISTANCE} bytes behind the start of a page");
    Ok(Tried {
        holds: compared.is_below(1.0).map(|behind_is_cheaper| !behind_is_cheaper),
        evidence: compared.told(&behind, "at it", UNIT, 3),
        figures: compared.figures("behind_cpu_s_per_gb", "aligned_cpu_s_per_gb"),
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

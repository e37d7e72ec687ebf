//! Storing through a map, and finding it in the file.

use std::fs::File;

use anyhow::{Context, ensure};
use pagewire_zcopy::{MapAccess, SteadyFile, SteadyMap};

use super::{Bench, Tried};
use crate::measure::gauge::Usage;
use crate::proof::bench::ROUNDS;
use crate::proof::compared::Compared;

const FILE_BYTES: usize = 4 << 20;
/// Bytes of one store, and of one write: a page, as an index or a table is changed.
const PIECE_BYTES: usize = 4 << 10;

/// The file lies in memory: only there the kernel keeps the promise that it does not shrink, without which a map can be
/// neither loaded from nor stored to safely.
pub(super) fn stores(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let steady = SteadyFile::memory("pagewire-lab", FILE_BYTES as u64)?;
    let mut map = SteadyMap::new(&steady, 0, FILE_BYTES as u64, MapAccess::ReadWrite)?;
    // The first touch of a page is none of what is compared.
    write(steady.file(), b'0')?;
    store(&mut map, b'0')?;
    let (mut stored, mut written) = (Vec::new(), Vec::new());
    for byte in (b'a'..).take(ROUNDS) {
        bench.go_on()?;
        stored.push(cost(|| store(&mut map, byte))?);
        ensure!(is_all(steady.file(), byte)?, "the file does not have what was stored through the map");
        written.push(cost(|| write(steady.file(), byte.to_ascii_uppercase()))?);
        ensure!(is_all_mapped(&map, byte.to_ascii_uppercase())?, "the map does not show what was written");
    }
    let compared = Compared::of(&stored, &written)?;
    let told = compared.told("4 KiB at a time: stored and flushed", "by pwrite and fdatasync", "CPU s/GB", 3);
    let mut figures = compared.figures("map_cpu_s_per_gb", "pwrite_cpu_s_per_gb");
    figures.insert("rounds_read_back".to_owned(), ROUNDS as f64);
    Ok(Tried {
        // Whether it arrives is not in question any more. A store is this program's own work, and without optimisation
        // it costs what it would cost nobody else.
        holds: if cfg!(debug_assertions) { None } else { compared.is_below(1.0) },
        evidence: format!(
            "what was stored into the map and flushed was read back through the file, byte for byte, in all {ROUNDS} rounds, \
             and what was written to the file was seen in the map. Of a file in memory: {told}{}. Only a file that cannot \
             shrink may be stored to so; MappedFile sends and flushes any other",
            if cfg!(debug_assertions) {
                " (not judged: this program was built without optimisation)"
            } else {
                ""
            }
        ),
        figures,
    })
}

fn store(map: &mut SteadyMap, byte: u8) -> anyhow::Result<()> {
    let piece = [byte; PIECE_BYTES];
    for at in (0..FILE_BYTES).step_by(PIECE_BYTES) {
        map.write_at(&piece, at)?;
    }
    map.mapped().flush(0, FILE_BYTES).context("flushing the map")
}

fn write(file: &File, byte: u8) -> anyhow::Result<()> {
    let piece = [byte; PIECE_BYTES];
    for at in (0..FILE_BYTES).step_by(PIECE_BYTES) {
        let wrote = rustix::io::pwrite(file, &piece, at as u64)?;
        ensure!(wrote == PIECE_BYTES, "a short write");
    }
    rustix::fs::fdatasync(file).context("syncing the file")
}

/// CPU seconds per GB of changing all of the file.
fn cost(change: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let before = Usage::now()?;
    change()?;
    Ok(Usage::now()?.since(before).cpu_ns as f64 / FILE_BYTES as f64)
}

fn is_all(file: &File, byte: u8) -> anyhow::Result<bool> {
    let mut bytes = vec![0; FILE_BYTES];
    let got = rustix::io::pread(file, &mut bytes, 0)?;
    Ok(got == FILE_BYTES && bytes.iter().all(|&found| found == byte))
}

fn is_all_mapped(map: &SteadyMap, byte: u8) -> anyhow::Result<bool> {
    let mut bytes = vec![0; FILE_BYTES];
    map.read_at(&mut bytes, 0)?;
    Ok(bytes.iter().all(|&found| found == byte))
}

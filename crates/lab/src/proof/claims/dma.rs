//! Whether the CPU may do something else while the disk moves bytes: a thread computes, and a second one on the same
//! CPU waits for the disk again and again.
//!
//! ```text
//!   alone     computes ----------------------------------------->
//!   disk      computes ----.  .------.  .------.  .------------->    the other: O_DIRECT into a page-aligned buffer
//!                           ||        ||        ||
//!   cache     computes -.    .--.    .--.    .------------------>    the other: the same reads out of the page cache
//!                        ----    ----    ----
//! ```
//!
//! How much of the computing is left beside the disk is the answer. Beside the page cache it is the control: those
//! bytes the CPU moves by itself.

use std::fs::File;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use pagewire_zcopy::{DirectBuffer, DirectFile};

use super::clock::thread_cpu_ns;
use super::{Bench, Tried, words};
use crate::measure::link;
use crate::measure::worker::{chill, filled};
use crate::proof::bench::ROUNDS;
use crate::proof::compared::Compared;
use crate::spread::Spread;

const READ_BYTES: usize = 1 << 20;
const FILE_BYTES: u64 = 64 << 20;
/// Out of the page cache.
const HOT_BYTES: u64 = 8 << 20;
/// What is computed between two looks at the time.
const UNIT_BYTES: usize = 4 << 10;
/// Long enough for dozens of reads from a disk, and for turns of the scheduler.
const COMPUTING: Duration = Duration::from_millis(60);
/// Work that takes up to so many times as long beside the disk was hardly held up by it.
const HARDLY: f64 = 1.5;

/// Reads once, at this offset.
type Read<'f> = &'f (dyn Fn(&mut [u8], u64) -> std::io::Result<usize> + Sync);

/// What came of computing for a while.
struct Leg {
    /// Nanoseconds for each unit of work.
    unit_ns: f64,
    read_bytes: u64,
    /// CPU of the thread that read.
    read_cpu_ns: u64,
    wall_ns: u128,
}

pub(super) fn works_meanwhile(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let file = filled(bench.dir, b'D', FILE_BYTES)?;
    // On what holds files in memory there is no disk that could move anything.
    chill(&file, FILE_BYTES)?;
    let direct = DirectFile::open(file.as_fd()).context("O_DIRECT on this file system")?;
    let hot = filled(bench.dir, b'H', HOT_BYTES)?;
    let by_disk = |into: &mut [u8], at: u64| direct.read(into, at % FILE_BYTES);
    let by_cache = |into: &mut [u8], at: u64| read_hot(&hot, into, at % HOT_BYTES);
    let legs = measure(bench, &by_disk, &by_cache)?;
    told(&legs)
}

fn read_hot(file: &File, into: &mut [u8], at: u64) -> std::io::Result<usize> {
    Ok(rustix::io::pread(file, into, at)?)
}

/// Alone, beside the disk, beside the page cache; a leg of each for each round.
fn measure(bench: &Bench<'_>, by_disk: Read<'_>, by_cache: Read<'_>) -> anyhow::Result<[Vec<Leg>; 3]> {
    let cpu = link::cpus()?.first().copied().context("a CPU to compute on")?;
    let mut legs = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        bench.go_on()?;
        for (legs, read) in legs.iter_mut().zip([None, Some(by_disk), Some(by_cache)]) {
            legs.push(leg(cpu, read)?);
        }
    }
    Ok(legs)
}

/// Both threads on this CPU, so that neither has one for itself.
fn leg(cpu: usize, read: Option<Read<'_>>) -> anyhow::Result<Leg> {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let computing = scope.spawn(|| {
            let computed = link::pin(cpu).map(|()| compute());
            is_over.store(true, Ordering::Relaxed);
            computed
        });
        let reading = read.map(|read| scope.spawn(|| read_until(cpu, read, &is_over)));
        let ended = |_| anyhow!("a thread ended before its time");
        let (units, wall_ns) = computing.join().map_err(ended)??;
        let (read_bytes, read_cpu_ns) =
            reading.map_or(Ok(Ok((0, 0))), std::thread::ScopedJoinHandle::join).map_err(ended)??;
        Ok(Leg { unit_ns: wall_ns as f64 / units.max(1) as f64, read_bytes, read_cpu_ns, wall_ns })
    })
}

/// Computes for a while; how many units of work that came to, and how long it took.
fn compute() -> (u64, u128) {
    let bytes = [7_u8; UNIT_BYTES];
    let (mut units, began) = (0, Instant::now());
    while began.elapsed() < COMPUTING {
        let sum = std::hint::black_box(&bytes).iter().fold(0_u64, |sum, &byte| {
            (sum.rotate_left(5) ^ u64::from(byte)).wrapping_mul(0x517c_c1b7_2722_0a95)
        });
        std::hint::black_box(sum);
        units += 1;
    }
    (units, began.elapsed().as_nanos())
}

/// Reads until it is over; how many bytes, and at which cost.
fn read_until(cpu: usize, read: Read<'_>, is_over: &AtomicBool) -> anyhow::Result<(u64, u64)> {
    link::pin(cpu)?;
    let mut buffer = DirectBuffer::unpooled(READ_BYTES)?;
    let (mut bytes, before) = (0, thread_cpu_ns());
    while !is_over.load(Ordering::Relaxed) {
        let got = read(&mut buffer, bytes)?;
        ensure!(got == READ_BYTES, "a short read");
        bytes += got as u64;
    }
    Ok((bytes, thread_cpu_ns().saturating_sub(before)))
}

fn told([alone, disk, cache]: &[Vec<Leg>; 3]) -> anyhow::Result<Tried> {
    let units = |legs: &[Leg]| legs.iter().map(|leg| leg.unit_ns).collect::<Vec<f64>>();
    let compared = Compared::of(&units(disk), &units(alone))?;
    let control = Compared::of(&units(cache), &units(alone))?;
    let (left, beside_cache) = (1.0 / compared.middle(), 1.0 / control.middle());
    let figure = |legs: &[Leg], of: fn(&Leg) -> f64| {
        Spread::of(&legs.iter().map(of).collect::<Vec<f64>>()).map_or(0.0, |spread| spread.median)
    };
    let cost = |leg: &Leg| leg.read_cpu_ns as f64 / leg.read_bytes.max(1) as f64;
    let rate = |leg: &Leg| leg.read_bytes as f64 * 1e3 / leg.wall_ns.max(1) as f64;
    let (cpu_s_per_gb, mb_per_s) = (figure(disk, cost), figure(disk, rate));
    let holds = compared.is_below(HARDLY);
    let follows = words(
        holds,
        "while the disk fills the buffer the CPU works on",
        "the CPU was kept from its work all the same",
    );
    let mut figures = compared.figures("work_beside_disk_ns", "work_alone_ns");
    figures.extend(
        [
            ("work_left_share", left),
            ("work_left_share_beside_page_cache", beside_cache),
            ("direct_read_cpu_s_per_gb", cpu_s_per_gb),
            ("direct_read_mb_per_s", mb_per_s),
        ]
        .map(|(name, figure)| (name.to_owned(), figure)),
    );
    Ok(Tried {
        holds,
        evidence: format!(
            "a thread that computes kept {:.0} % of its rate while another on the same CPU read by O_DIRECT into a \
             page-aligned buffer ({cpu_s_per_gb:.3} CPU s/GB, {mb_per_s:.0} MB/s), and {:.0} % while that read the same out \
             of the page cache, which the CPU copies; {}: {follows}",
            left * 100.0,
            beside_cache * 100.0,
            compared.told("a unit of work took, beside the disk,", "alone", "ns", 0)
        ),
        figures,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn legs(unit_ns: f64) -> Vec<Leg> {
        let leg = || Leg { unit_ns, read_bytes: 1 << 20, read_cpu_ns: 1 << 18, wall_ns: 1 << 20 };
        (0..ROUNDS).map(|_| leg()).collect()
    }

    #[test]
    fn work_that_goes_on_beside_the_disk_is_told_so_and_work_that_does_not_is_too() {
        let tried = told(&[legs(100.0), legs(125.0), legs(200.0)]).unwrap();
        assert_eq!(tried.holds, Some(true));
        assert!(tried.evidence.contains("kept 80 % of its rate") && tried.evidence.contains("and 50 %"));
        assert!(tried.evidence.contains("the CPU works on"), "{}", tried.evidence);
        assert!((tried.figures["work_left_share"] - 0.8).abs() < 1e-9);
        let tried = told(&[legs(100.0), legs(300.0), legs(200.0)]).unwrap();
        assert_eq!(tried.holds, Some(false));
        assert!(tried.evidence.contains("kept from its work"), "{}", tried.evidence);
        let tried = told(&[legs(100.0), legs(150.0), legs(200.0)]).unwrap();
        assert_eq!(tried.holds, None);
        assert!(tried.evidence.ends_with("the rounds do not decide"), "{}", tried.evidence);
    }

    #[test]
    fn a_read_that_fails_ends_the_leg_with_its_error() {
        let failing = |_: &mut [u8], _: u64| Err(std::io::Error::other("no disk"));
        let cpu = link::cpus().unwrap()[0];
        let error = leg(cpu, Some(&failing)).err().unwrap();
        assert!(error.to_string().contains("no disk"), "{error}");
    }
}

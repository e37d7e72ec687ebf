//! Crashes by the thousand. A seed is a story: several processes one after the other work on one log directory, each
//! of them ends in order, by `kill -9` or by a power cut, between two calls or in the middle of one, also while it starts.
//! After every start everything is compared with a model.
//!
//! ```text
//!   life     start ▶ check ▶ work ▶ end, again and again; what a seed does and in which order
//!   ops      the operations of a broker on its logs
//!   disks    one or two, with a log directory each; one may refuse to be written or read, be full, or be away, and come back
//!   model    what should be there, and what may be
//!   harm     files go bad while no process has them: flipped bits, zeros, cuts, segments gone; below the recovery point
//!   harmed                    what was hit is refused once it was looked at, is never passed over, stays known; all else is served
//!   gone     a partition's directory is taken away, put back, given up: it is never made anew in silence
//!   undecided                 readers of committed records then: shown is what was committed, left out what was aborted, the rest refused
//!   lost     a directory's recovery points are lost: nothing that was answered is missing
//!   strays   a segment of somebody else's lies among a log's own: it is set aside, and nothing is missing
//!   unindexed                 an index of aborted transactions is gone: what was aborted is left out all the same
//!   kafka    Apache Kafka had the directory meanwhile, stopped or was killed
//!   check    the invariants:  nothing synced is lost by a power cut, nothing answered by a kill
//!                             no gap, no duplicate, order; every offset and time leads where it should
//!                             producers as their batches say; a batch sent again is known
//!                             the log start never goes back below what was promised
//!   cuts                      what was cut was said; the batches in it are kept beside the log, for good
//!   compacted                 a reader ends with the latest value of every key, and of no deleted one; offsets are as they were
//!   committed                 readers of committed records: up to the earliest open transaction, nothing aborted
//!   entries  what a start leaves in index files leads to batches, before anybody reads
//!   derived  index files and epochs equal to a rebuild from the records
//!   aborts                    indexes of aborted transactions likewise, as far as the records tell of them
//!   others   a death before a sync of a directory ends in other ways as well: each name that was on its way left out, or alone there
//!   restored                  a backup taken meanwhile is the log as it was then, and stays so
//!   bulk     many seeds on all cores: `cargo xtask crash`
//! ```
//!
//! Nothing depends on a clock, a thread or an address: a seed does the same every time.

mod aborts;
mod bulk;
mod chance;
mod check;
mod committed;
mod compacted;
mod cuts;
mod derived;
mod disks;
mod entries;
mod gone;
mod harm;
mod harmed;
mod kafka;
mod life;
mod lost;
mod model;
mod ops;
mod others;
mod restored;
mod strays;
mod tally;
mod undecided;
mod unindexed;
mod world;

use std::ops::Range;

/// Seeds of an ordinary test run: some seconds without optimisation.
const BOUNDED: Range<u64> = 360..420;
/// Seeds that are lived through twice.
const SAME: u64 = 6;

/// What they must have met.
const COVERED: [&str; 28] = [
    "killed",
    "power cuts",
    "died in: a start",
    "died in: append",
    "stops in order",
    "cuts",
    "backups restored and compared",
    "backups compared once more",
    "offline logs read",
    "full disks",
    "disks that cannot be read",
    "directories that came back",
    "directories that were away and came back",
    "harm: flipped bits",
    "harm: zeroed sectors",
    "harm: files cut",
    "harm: segments gone",
    "directories looked through after harm",
    "directories taken away",
    "directories put back",
    "other ends of a death before a sync of a directory",
    "starts in which a call failed: went on",
    "starts in which a call failed: ended",
    "recovery points removed",
    "recovery points that cannot be read",
    "strays put among segments",
    "kafka: was there, and stopped",
    "kafka: was there, and killed",
];

#[test]
fn whatever_happens_in_between_a_log_keeps_its_promises() {
    let outcome = bulk::run(BOUNDED, |_| {});
    assert!(outcome.failed.is_empty(), "{outcome}");
    for covered in COVERED {
        assert!(outcome.tally.of(covered) > 0, "no seed covers {covered:?}\n{outcome}");
    }
}

#[test]
fn a_seed_does_the_same_every_time() {
    for seed in 0..SAME {
        assert_eq!(life::live(seed), life::live(seed), "seed {seed}");
    }
}

/// As many as one likes: `cargo xtask crash --seeds N --from SEED`.
#[test]
#[ignore = "cargo xtask crash runs it"]
fn in_bulk() {
    let asked = |name: &str| std::env::var(name).ok().map(|value| value.parse().expect(name));
    let from = asked("PAGEWIRE_CRASH_FROM").unwrap_or(0);
    let seeds = asked("PAGEWIRE_CRASH_SEEDS").unwrap_or(1_000);
    let outcome = bulk::run(from..from.saturating_add(seeds), bulk::progress);
    println!("{outcome}");
    assert!(outcome.failed.is_empty(), "{} seeds failed", outcome.failed.len());
}

//! What happens to files while no process has them: a bit flips, sectors read as zeros, a file ends too early, or is gone. Only
//! below the recovery point that the checkpoint has, up to its very last batch: what lies above may have been torn as well, and is
//! cut, or kept where nobody can tell it from what was stable.

use std::ops::Range;
use std::path::{Path, PathBuf};

use pagewire_disk::checkpoint::{EPOCH_CHECKPOINT_FILE, HIGH_WATERMARK_FILE, RECOVERY_POINT_FILE};
use pagewire_disk::{Disk, ForgettingDisk, OffsetCheckpoint, OpenMode, read_small};
use pagewire_record::batches;

use crate::chance::Chance;
use crate::model::{Hit, Partition};
use crate::world::World;

const SECTOR: u64 = 512;
/// Flips, zeros, cuts, and files that are gone.
const KINDS: u64 = 8;
/// Of a log that is or was compacted a missing segment is not noticed (decision 0019).
const KINDS_OF_A_COMPACTED: u64 = 6;
/// A batch begins with its base offset.
const BASE_OFFSET_LEN: u64 = 8;
/// The leader epoch in a batch's header: no checksum covers it, as in Kafka.
const UNCOVERED: Range<u64> = 12..16;

/// A batch in its file.
#[derive(Debug, Clone)]
struct Lying {
    bytes: Range<u64>,
    offsets: Range<i64>,
}

/// A segment's file, and what of it was stable.
struct Victim {
    path: PathBuf,
    base: i64,
    bytes: Vec<u8>,
    batches: Vec<Lying>,
    /// How many of them lie below the recovery point.
    stable: usize,
    /// Where the segment behind it begins.
    next_base: Option<i64>,
    /// Where the records before it end.
    before: i64,
}

/// What was done, in words for the tally, and the bytes it was done to.
type Done = (&'static str, Range<u64>);

/// Something happens to the files of one partition, if anything of them is stable.
pub(crate) fn befall(world: &mut World) {
    let at = world.chance.below(world.partitions.len() as u64) as usize;
    let partition = &world.partitions[at];
    if !partition.made || partition.aside.is_some() || partition.has_stray {
        return;
    }
    let (disk, dir) = (world.place_of(at).disk.clone(), world.path(partition));
    // What a power cut would take back nobody knows who comes after it.
    let durable = disk.crash(0).expect("a crash");
    let said = |file: &str| {
        let file = world.place_of(at).path().join(file);
        Some(said(&disk, &file, partition)?.min(said(&durable, &file, partition)?))
    };
    let Some(point) = said(RECOVERY_POINT_FILE) else { return };
    // Of checkpoints that have no sums two must say how far the log had come.
    let known_end =
        if partition.others.is_empty() { point } else { said(HIGH_WATERMARK_FILE).unwrap_or(0).min(point) };
    let Some(victim) = choose(&mut world.chance, partition, &disk, &dir, point) else { return };
    let kinds = if world.holes { KINDS_OF_A_COMPACTED } else { KINDS };
    let Some((what, bytes)) = hurt(&mut world.chance, kinds, &victim, &disk) else { return };
    world.tally.count(what);
    // The copy shares its files with the log.
    if world.kept.as_ref().is_some_and(|kept| kept.at == at) {
        world.kept = None;
    }
    let place = world.partitions[at].place;
    world.places[place].was_harmed = true;
    let is_short = bytes.end == u64::MAX;
    let partition = &mut world.partitions[at];
    let evident = if partition.others.is_empty() { point } else { 0 };
    if let Some(from) = victim.torn_from().filter(|_| !is_short) {
        // With damage before it, it may stay. Nothing that was stable can be torn.
        partition.harm.torn.push(from.max(partition.stable)..i64::MAX);
    }
    if is_short && (victim.next_base.is_none() || victim.has_unstable()) {
        // What was not stable goes with it, and is cut.
        partition.floor = partition.floor.min(known_end);
        partition.stable = partition.stable.min(known_end);
        if !partition.others.is_empty() && partition.start_seen > known_end {
            // A start past what is left is believed of no checkpoint that has no sum.
            partition.start_promised = 0;
        }
    }
    // Of what was not stable it is known at the next start which is cut, and which is missing from a log that goes on.
    let all = victim.batches.iter().enumerate();
    for (n, _) in all.filter(|(_, one)| overlap(&one.bytes, &bytes)) {
        let around = if victim.is_base_offset(n, &bytes) {
            // Where offsets may be missing, nobody may be able to tell whether it was this batch's or its neighbour's.
            victim.around(n.saturating_sub(1), point).start..victim.around(n + 1, point).end
        } else {
            victim.around(n, point)
        };
        let offsets = victim.batches[n].offsets.clone();
        partition.harm.hits.push(Hit { offsets, around, evident, is_found: false, is_noted: false });
    }
    let end = victim.batches.last().map_or(victim.base, |last| last.offsets.end);
    if let Some(next) = victim.next_base.filter(|next| is_short && *next > end) {
        // A power cut had taken the end of the file before: that is missing with the rest now, if the log goes on behind it.
        let offsets = if world.holes { end..end } else { end..next };
        partition.harm.hits.push(Hit {
            offsets,
            around: end..next,
            evident,
            is_found: false,
            is_noted: false,
        });
    }
    if victim.base <= partition.start && is_all(&bytes) {
        // The log may begin behind it, if that is told.
        partition.harm.start_before.get_or_insert(partition.start_seen);
        // Behind all that is gone it goes on where whatever lies beside that says.
        let goes_on = victim.next_base.unwrap_or(point.max(partition.end));
        partition.start_seen = partition.start_seen.max(goes_on);
        if !disk.exists(&dir.join(EPOCH_CHECKPOINT_FILE)).expect("looked for") {
            // A full disk had no room to cut them: nothing says where the log began, if no segment does.
            partition.start_promised = 0;
        }
    }
    partition.harm.segments.insert(victim.base);
}

fn overlap(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}

/// What a checkpoint says of a partition.
pub(crate) fn said(disk: &ForgettingDisk, file: &Path, partition: &Partition) -> Option<i64> {
    // One that is of no use says nothing.
    OffsetCheckpoint::read(disk, file).ok()??.get(partition.topic, partition.number)
}

/// A segment that was not hurt before, with a stable batch.
fn choose(
    chance: &mut Chance,
    partition: &Partition,
    disk: &ForgettingDisk,
    dir: &Path,
    point: i64,
) -> Option<Victim> {
    let names: Vec<_> =
        disk.read_dir(dir).expect("a directory").into_iter().map(|entry| entry.name).collect();
    let bases: Vec<i64> = names.iter().filter_map(|name| name.strip_suffix(".log")?.parse().ok()).collect();
    // What compaction made is to take their places, of some segments from its own base on, and is whole.
    let swap = names.iter().find_map(|name| name.strip_suffix(".log.swap")?.parse::<i64>().ok());
    let is_replaced = |base: &i64| swap.is_some_and(|swap| swap <= *base);
    let (mut victims, mut before) = (Vec::new(), 0);
    for (n, base) in bases.iter().enumerate() {
        let path = dir.join(format!("{base:020}.log"));
        let bytes = read_small(disk, &path, 1 << 24).expect("a read").expect("a file");
        let next_base = bases.get(n + 1).copied();
        let mut victim =
            Victim { path, base: *base, bytes, batches: Vec::new(), stable: 0, next_base, before };
        victim.batches = lying(&victim.bytes);
        victim.stable = victim.batches.iter().take_while(|one| one.offsets.end <= point).count();
        let end = victim.batches.last().map_or(*base, |last| last.offsets.end);
        // No checksum covers the offset that a header begins with.
        before = end.clamp(*base, next_base.unwrap_or(point).max(*base));
        if victim.stable > 0 && !partition.harm.segments.contains(base) && !is_replaced(base) {
            victims.push(victim);
        }
    }
    if victims.is_empty() {
        return None;
    }
    let which = chance.below(victims.len() as u64) as usize;
    Some(victims.swap_remove(which))
}

/// The headers of a file one behind the other. What a torn write left may be a record's, with offsets of its own.
fn lying(bytes: &[u8]) -> Vec<Lying> {
    let (mut at, mut end) = (0, i64::MIN);
    let whole = batches(bytes).map_while(Result::ok).map_while(|batch| {
        let header = batch.header;
        let from = at;
        at += header.size_in_bytes();
        let follows = header.base_offset >= end;
        end = header.next_offset();
        follows.then_some(Lying { bytes: from..at, offsets: header.base_offset..end })
    });
    whole.collect()
}

/// Bytes of the whole batches that a segment of this base begins with, and the offset that they end at.
pub(crate) fn whole(bytes: &[u8], base: i64) -> (u64, i64) {
    let whole = batches(bytes).map_while(Result::ok).take_while(|batch| batch.verify_crc().is_ok());
    whole.fold((0, base), |(len, _), batch| (len + batch.header.size_in_bytes(), batch.header.next_offset()))
}

impl Victim {
    /// From which offset on it was torn before anything was done to it.
    fn torn_from(&self) -> Option<i64> {
        let (len, end) = whole(&self.bytes, self.base);
        (len < self.bytes.len() as u64).then_some(end)
    }

    /// The offsets between the neighbours of a batch, or behind the last one.
    fn around(&self, n: usize, point: i64) -> Range<i64> {
        let before = n.checked_sub(1).map_or(self.before, |before| self.batches[before].offsets.end);
        let behind = self.batches.get(n + 1).map(|next| next.offsets.start).or(self.next_base);
        before..behind.unwrap_or(point).max(self.batches.get(n).map_or(before, |one| one.offsets.end))
    }

    /// Whether all of a batch that these bytes are is its base offset, which no checksum covers.
    fn is_base_offset(&self, n: usize, bytes: &Range<u64>) -> bool {
        let one = &self.batches[n].bytes;
        bytes.end.min(one.end) - one.start <= BASE_OFFSET_LEN
    }

    fn has_unstable(&self) -> bool {
        self.stable < self.batches.len()
    }
}

/// Nothing of the file is left.
fn is_all(bytes: &Range<u64>) -> bool {
    bytes.start == 0 && bytes.end == u64::MAX
}

/// Does it, for good. `None` if nothing would be another.
fn hurt(chance: &mut Chance, kinds: u64, victim: &Victim, disk: &ForgettingDisk) -> Option<Done> {
    let one = &victim.batches[chance.below(victim.stable as u64) as usize].bytes;
    let at = one.start + chance.below(one.end - one.start);
    match chance.below(kinds) {
        0..2 => {
            let in_batch = at - one.start;
            let at = if UNCOVERED.contains(&in_batch) { one.start + UNCOVERED.end } else { at };
            let bit = victim.bytes[at as usize] ^ (1 << chance.below(8));
            write(disk, &victim.path, at, &[bit]);
            Some(("harm: flipped bits", at..at + 1))
        }
        2..4 => {
            let end = victim.batches[victim.stable - 1].bytes.end;
            let from = at / SECTOR * SECTOR;
            let to = (from + SECTOR * (1 + chance.below(3))).min(end);
            let old = &victim.bytes[from as usize..to as usize];
            // What was zeros before is what was written.
            let changed = |byte: &u8| *byte != 0;
            let first = old.iter().position(changed)? as u64;
            let last = old.iter().rposition(changed)? as u64;
            write(disk, &victim.path, from, &vec![0; old.len()]);
            Some(("harm: zeroed sectors", from + first..from + last + 1))
        }
        4..6 => {
            // Between two batches of a log that is compacted, or of a whole segment, nothing may be left to tell it from a hole.
            let at = if kinds == KINDS { chance.pick(&[one.start, at]) } else { at.max(one.start + 1) };
            let file = disk.open(&victim.path, OpenMode::ReadWrite).expect("a file");
            file.set_len(at).and_then(|()| file.sync_all()).expect("cut");
            Some(("harm: files cut", at..u64::MAX))
        }
        _ => {
            disk.remove_file(&victim.path).expect("removed");
            disk.sync_dir(victim.path.parent().expect("a directory")).expect("for good");
            Some(("harm: segments gone", 0..u64::MAX))
        }
    }
}

fn write(disk: &ForgettingDisk, path: &Path, at: u64, bytes: &[u8]) {
    let file = disk.open(path, OpenMode::ReadWrite).expect("a file");
    file.write_at(at, bytes).and_then(|()| file.sync_data()).expect("written");
}

//! A check beside a broker that rolls, cleans and deletes: it takes nothing of that for a loss, and a loss for nothing else.
//!
//! Both ways of being beside are tried: the broker goes on before each step of the check, so that no two things that the check
//! reads are of one moment; and the check looks before each step of the broker, so that it sees each moment there is.

use std::fmt;
use std::io;

use pagewire_disk::{DirEntry, DiskFile, Space};

use super::*;
use crate::clean::tests::life::Chance;
use crate::verify::{Again, KnownTopic, Onward, Topics, verify_beside};
use crate::{Cleaner, CleanerLimits, Throttle};

/// What happens before a step.
type Hook = Box<dyn FnMut() + Send>;

/// A disk on which something happens before each step. What it does there itself happens undisturbed.
#[derive(Clone)]
struct Stirred {
    below: Arc<dyn Disk>,
    hook: Arc<Mutex<Option<Hook>>>,
    /// Whether what only reads is a step.
    reads: bool,
    /// A listing has one half of before such a step and one of behind it: which half comes first changes.
    turn: Arc<AtomicI32>,
}

impl fmt::Debug for Stirred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a stirred disk")
    }
}

impl Stirred {
    fn new(below: &Arc<dyn Disk>, reads: bool) -> Self {
        Self { below: Arc::clone(below), hook: Arc::default(), reads, turn: Arc::default() }
    }

    fn on_each_step(&self, hook: impl FnMut() + Send + 'static) {
        *self.hook.lock() = Some(Box::new(hook));
    }

    fn calm(&self) {
        *self.hook.lock() = None;
    }

    fn step(&self) {
        // Taken out meanwhile: a hook is not disturbed by itself.
        let taken = self.hook.lock().take();
        if let Some(mut hook) = taken {
            hook();
            self.hook.lock().get_or_insert(hook);
        }
    }

    fn reading(&self) {
        if self.reads {
            self.step();
        }
    }
}

impl Disk for Stirred {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.step();
        self.below.create_dir_all(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.step();
        self.below.create_dir(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.reading();
        let before = self.below.read_dir(path)?;
        self.reading();
        let behind = self.below.read_dir(path)?;
        let middle = before.get(before.len() / 2).cloned();
        let is_first = |entry: &DirEntry| middle.as_ref().is_some_and(|middle| entry < middle);
        let first_is_old = self.turn.fetch_add(1, Ordering::Relaxed) % 2 == 0;
        let old = before.into_iter().filter(|entry| is_first(entry) == first_is_old);
        let mut torn: Vec<DirEntry> = old.collect();
        torn.extend(behind.into_iter().filter(|entry| is_first(entry) != first_is_old));
        torn.sort();
        Ok(torn)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        if mode == OpenMode::Read {
            self.reading();
        } else {
            self.step();
        }
        self.below.open(path, mode)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step();
        self.below.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.step();
        self.below.remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.step();
        self.below.remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.step();
        self.below.sync_dir(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.reading();
        self.below.exists(path)
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        self.reading();
        self.below.file_len(path)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.below.space(path)
    }
}

/// What a check of a directory that is served says, notes aside.
fn beside(disk: &Arc<dyn Disk>) -> Vec<Finding> {
    let mut found = Vec::new();
    let told = verify_beside(disk, root(), VerifyOptions::default(), &mut |event| {
        if let Event::Found(finding) = event {
            found.push(finding);
        }
    });
    told.expect("checked");
    found.retain(|finding| finding.severity > Severity::Note);
    found
}

/// A broker with a log that is compacted and cut by time, and one that is only cut.
struct Life {
    dir: LogDir,
    logs: [Arc<Log>; 2],
    cleaner: Cleaner,
    chance: Chance,
    now_ms: i64,
}

impl Life {
    fn new(disk: Arc<dyn Disk>, seed: u64) -> Self {
        let world = World::on(disk).knows("compacted", A).knows("cut", B);
        let (dir, _) = world.open();
        let log = |topic: &str, cleanup_compact| {
            let settings = world.settings(topic).expect("known");
            let config = LogConfig { cleanup_compact, retention_ms: 4000, preallocate: true, ..settings.log };
            let settings = PartitionSettings { log: config, ..settings };
            dir.create(topic, 0, &settings, 0).expect("created")
        };
        let logs = [log("compacted", true), log("cut", false)];
        let cleaner = Cleaner::new(CleanerLimits::default());
        Self { dir, logs, cleaner, chance: Chance(seed), now_ms: 0 }
    }

    fn step(&mut self) {
        self.now_ms += self.chance.below(120) as i64;
        match self.chance.below(100) {
            0..70 => self.append(),
            70..82 => drop(self.clean()),
            82..88 => drop(self.dir.retain(self.now_ms)),
            88..91 => self.delete_records(),
            91..94 => drop(self.dir.flush_due(self.now_ms)),
            94..97 => assert!(self.dir.write_checkpoints().is_ok()),
            _ => self.logs.iter().for_each(|log| assert!(log.unlink_due(self.now_ms).is_ok())),
        }
    }

    fn append(&mut self) {
        for log in &self.logs {
            let key = format!("k{}", self.chance.below(6));
            let mut builder = BatchBuilder::new(Codec::None);
            builder.append(self.now_ms, Some(key.as_bytes()), Some(&[7; 60]), &[]).expect("record");
            let context = AppendContext { leader_epoch: 0, origin: Origin::Client, now_ms: self.now_ms };
            log.append(builder.build().expect("batch"), context).expect("append");
        }
    }

    fn clean(&mut self) -> Option<i64> {
        let dirty = self.dir.dirtiest(self.now_ms)?;
        Some(dirty.clean(&mut self.cleaner, self.now_ms, &Throttle::new(u64::MAX)).expect("cleaned").clean_to)
    }

    fn delete_records(&mut self) {
        let log = &self.logs[self.chance.below(2) as usize];
        let marks = log.marks();
        let into = self.chance.below((marks.high_watermark - marks.log_start + 1) as u64) as i64;
        log.delete_records_before(marks.log_start + into / 4).expect("deleted");
    }
}

const SEEDS: u64 = if cfg!(debug_assertions) { 4 } else { 16 };

#[test]
fn a_check_before_whose_every_step_the_broker_rolls_cleans_and_deletes_finds_nothing() {
    let mut steps = 0;
    for seed in 0..SEEDS {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
        let life = Arc::new(Mutex::new(Life::new(Arc::clone(&disk), seed)));
        (0..100).for_each(|_| life.lock().step());
        let stirred = Stirred::new(&disk, true);
        for busy in [1, 4] {
            let (life, counted) = (Arc::clone(&life), Arc::new(Mutex::new(0_u64)));
            let count = Arc::clone(&counted);
            stirred.on_each_step(move || {
                *count.lock() += busy;
                (0..busy).for_each(|_| life.lock().step());
            });
            let on: Arc<dyn Disk> = Arc::new(stirred.clone());
            assert_eq!(beside(&on), [], "seed {seed}, {busy} steps at a time");
            steps += *counted.lock();
        }
        stirred.calm();
        assert_eq!(beside(&disk), [], "seed {seed}");
    }
    assert!(steps > 100 * SEEDS, "{steps}");
}

#[test]
fn a_check_at_each_moment_of_a_broker_that_rolls_cleans_and_deletes_finds_nothing() {
    let (moments, seeds) = (Arc::new(Mutex::new(0)), SEEDS / 4);
    for seed in 0..seeds {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
        let stirred = Stirred::new(&disk, false);
        let mut life = Life::new(Arc::new(stirred.clone()), seed);
        (0..100).for_each(|_| life.step());
        let (seen, below) = (Arc::clone(&moments), Arc::clone(&disk));
        stirred.on_each_step(move || {
            *seen.lock() += 1;
            assert_eq!(beside(&below), [], "seed {seed}");
        });
        (0..60).for_each(|_| life.step());
    }
    assert!(*moments.lock() > 50 * seeds, "{moments:?}");
}

/// The files of a segment go, as if somebody had removed them under the broker.
fn lose(disk: &dyn Disk, partition: &str, base: i64) {
    for kind in ["log", "index", "timeindex"] {
        disk.remove_file(&path(&format!("{partition}/{base:020}.{kind}"))).expect("removed");
    }
}

fn bases(log: &Log) -> Vec<i64> {
    log.segments().iter().map(|segment| segment.base_offset).collect()
}

#[test]
fn a_segment_that_is_lost_in_the_middle_is_damage_beside_the_broker_as_well() {
    for (at, partition) in ["compacted-0", "cut-0"].into_iter().enumerate() {
        // Who has no list of what compaction wrote (the log came from elsewhere) asks the cleaner's checkpoint and its sum.
        for has_lengths in [true, false] {
            let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
            let mut life = Life::new(Arc::clone(&disk), 1);
            (0..30).for_each(|_| life.append());
            life.dir.write_checkpoints().expect("written");
            assert_eq!(beside(&disk), []);
            let [_, lost, next, ..] = bases(&life.logs[at])[..] else { panic!("too few segments") };
            lose(&*disk, partition, lost);
            if !has_lengths {
                let lengths = path(partition).join(crate::rewritten::FILE);
                let removed = disk.remove_file(&lengths);
                assert!(partition == "cut-0" || removed.is_ok(), "a log that is not compacted has none");
            }
            let found = beside(&disk);
            let [finding] = found.as_slice() else { panic!("{found:?}") };
            assert_eq!(
                (finding.severity, finding.offset, finding.onward),
                (Severity::Damage, Some(lost), Some(Onward::At(next))),
                "{finding}"
            );
            assert!(finding.path.ends_with(partition), "{finding}");
        }
    }
}

#[test]
fn what_is_lost_behind_a_segment_that_compaction_wrote_is_damage_beside_the_broker_as_well() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let mut life = Life::new(Arc::clone(&disk), 1);
    // Keys of their own are kept by compaction.
    for n in 0..30 {
        super::lengths::keyed(&life.logs[0], &[&format!("{n}")]);
    }
    life.clean().expect("cleaned");
    assert_eq!(beside(&disk), []);
    let [_, lost, ..] = bases(&life.logs[0])[..] else { panic!("too few segments") };
    lose(&*disk, "compacted-0", lost);
    let found = beside(&disk);
    let [finding] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((finding.severity, finding.offset), (Severity::Damage, Some(lost)), "{finding}");
    assert!(finding.what.contains("a segment that was behind it"), "{finding}");
}

#[test]
fn a_loss_is_found_though_the_broker_goes_on_before_every_step_of_the_check() {
    for seed in 0..SEEDS {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
        let mut life = Life::new(Arc::clone(&disk), seed);
        (0..40).for_each(|_| life.append());
        let bases = bases(&life.logs[1]);
        let lost = bases[bases.len() / 2];
        lose(&*disk, "cut-0", lost);
        let (stirred, life) = (Stirred::new(&disk, true), Mutex::new(life));
        // Nothing is old enough yet for what is lost to be deleted.
        stirred.on_each_step(move || life.lock().append());
        let on: Arc<dyn Disk> = Arc::new(stirred);
        let found = beside(&on);
        let [finding] = found.as_slice() else { panic!("seed {seed}: {found:?}") };
        assert_eq!((finding.severity, finding.offset), (Severity::Damage, Some(lost)), "{finding}");
    }
}

#[test]
fn a_checkpoint_that_is_damaged_under_the_broker_makes_no_loss_a_doubt() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let mut life = Life::new(Arc::clone(&disk), 1);
    (0..30).for_each(|_| life.append());
    life.dir.write_checkpoints().expect("written");
    let lost = bases(&life.logs[0])[1];
    lose(&*disk, "compacted-0", lost);
    let recovery = disk.open(&path("recovery-point-offset-checkpoint"), OpenMode::ReadWrite).expect("there");
    recovery.write_at(0, b"x").expect("damaged");
    let found = beside(&disk);
    let of = |name: &str| found.iter().find(|finding| finding.path.ends_with(name)).map(|one| one.severity);
    assert_eq!(of("compacted-0"), Some(Severity::Damage), "{found:?}");
    assert_eq!(of("recovery-point-offset-checkpoint"), Some(Severity::Damage), "{found:?}");
    assert_eq!(found.len(), 2, "{found:?}");
}

/// The metadata place a partition here that moves here, then it leaves the directory where it was, then it gets its name here.
#[test]
fn a_partition_that_moves_here_is_not_missed_before_it_has_its_name() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 3);
    dir.write_checkpoints().expect("written");
    world.put("metadata.redb", b"");
    let known = KnownTopic { id: Some(A), homes: vec![None], ..KnownTopic::default() };
    let placed = Topics::from([("a".to_owned(), known)]);
    let again = || Arc::new(placed.clone());
    let missed = || {
        let options =
            VerifyOptions { topics: Some(&placed), again: Some(Again(&again)), ..VerifyOptions::default() };
        let tally = verify_beside(&world.disk, root(), options, &mut |_| {}).expect("checked");
        tally.damage > 0
    };
    assert!(!missed());
    let coming = path(&format!("a-0.{}-future", A.simple()));
    world.disk.rename(&path("a-0"), &coming).expect("not named yet");
    assert!(!missed());
    world.disk.remove_dir_all(&coming).expect("gone");
    assert!(missed());
}

/// A broker writes a snapshot of producers in its place, as Kafka does.
#[test]
fn the_newest_snapshot_may_be_half_written_beside_the_broker_and_an_older_one_may_not() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 20);
    let names = world.disk.read_dir(&path("a-0")).expect("listed");
    let snapshots: Vec<_> = names.iter().filter(|entry| entry.name.ends_with(".snapshot")).collect();
    let [older, .., newest] = snapshots.as_slice() else { panic!("{names:?}") };
    let with_nothing_in = |name: &str| {
        let file = path(&format!("a-0/{name}"));
        let whole = pagewire_disk::read_small(&*world.disk, &file, 1 << 20).expect("read").expect("there");
        world.put(format!("a-0/{name}"), b"");
        let told: Vec<_> = beside(&world.disk).iter().map(|finding| finding.severity).collect();
        world.put(format!("a-0/{name}"), &whole);
        told
    };
    assert_eq!(with_nothing_in(&newest.name), [Severity::Doubt]);
    assert_eq!(with_nothing_in(&older.name), [Severity::Damage]);
}

#[test]
fn a_topic_that_was_made_again_during_the_check_has_another_id_and_no_damage() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 3);
    let of = |id| {
        let known = KnownTopic { id: Some(id), ..KnownTopic::default() };
        Topics::from([("a".to_owned(), known)])
    };
    let damage = |then: Uuid, now: Uuid| {
        let (topics, again) = (of(then), || Arc::new(of(now)));
        let options =
            VerifyOptions { topics: Some(&topics), again: Some(Again(&again)), ..VerifyOptions::default() };
        verify_beside(&world.disk, root(), options, &mut |_| {}).expect("checked").damage
    };
    assert_eq!((damage(A, A), damage(B, A), damage(B, B)), (0, 0, 1));
}

//! A log that moves to and fro between two directories in processes that die: stories by chance, of which a seed tells the same every
//! time. After every start the log is in one directory, and nothing that was answered is missing.
//!
//! What the owner stores is one value that is there or not. Both directories lie on one disk that loses its power, with whatever
//! mixture of their names was not synced, or each of them left out or there alone.

use pagewire_disk::{ForgettingDisk, Spared};

use super::moving::{append_to, future, headers, id_of, nothing, small, try_start};
use super::*;
use crate::Moving;

const STORIES: u64 = 150;
const PROCESSES: u64 = 6;

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, cases: u64) -> bool {
        self.below(cases) == 0
    }
}

struct Story {
    seed: u64,
    chance: Chance,
    disk: ForgettingDisk,
    /// What the owner stored: where the partition is.
    placed: Option<Uuid>,
    /// Records that must be there whatever happens, those that must be after a kill, and those that may be.
    stable: usize,
    answered: usize,
    sent: usize,
    /// How often what was done.
    switched: usize,
    taken_back: usize,
    died: usize,
}

impl Story {
    fn new(seed: u64) -> Self {
        let disk = ForgettingDisk::new();
        drop(super::moving::with_a_log(&(Arc::new(disk.clone()) as Arc<dyn Disk>)));
        let chance = Chance(seed.wrapping_mul(0x2545_F491_4F6C_DD1D));
        let (stable, answered, sent) = (6, 6, 6);
        Self { seed, chance, disk, placed: None, stable, answered, sent, switched: 0, taken_back: 0, died: 0 }
    }

    fn live(&mut self) {
        for _ in 0..PROCESSES {
            let dirs = self.start();
            self.die_some_time(150);
            for _ in 0..=self.chance.below(4) {
                self.step(&dirs);
            }
            drop(dirs);
            self.die();
        }
        self.start();
    }

    fn die_some_time(&mut self, calls: u64) {
        match self.chance.below(3) {
            0 => self.disk.die_in(1 + self.chance.below(calls), self.chance.next()),
            1 => self.disk.die_before_dir_sync(1 + self.chance.below(calls / 10)),
            _ => {}
        }
    }

    /// The process is killed, and perhaps the power goes.
    fn die(&mut self) {
        self.died += usize::from(self.disk.is_dead());
        let names = self.disk.unsynced_names() as u64;
        let seed = self.chance.next() | 1;
        self.disk = match self.chance.below(4) {
            0 => self.disk.killed(),
            1 if names > 0 => {
                let name = self.chance.below(names) as usize;
                let spared = if self.chance.one_in(2) { Spared::Only(name) } else { Spared::AllBut(name) };
                self.disk.crash_sparing(spared, seed).expect("crash")
            }
            2 => self.disk.crash(0).expect("crash"),
            _ => self.disk.crash(seed).expect("crash"),
        };
    }

    /// Starts until one comes to its end; what it finds is looked at.
    fn start(&mut self) -> LogDirs {
        loop {
            if self.chance.one_in(2) {
                self.die_some_time(60);
            }
            let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
            let told = self.told(&*disk);
            let found = try_start(&disk, self.placed);
            let is_dead = self.disk.is_dead();
            let told = format!("{told}: {:?}", found.as_ref().err());
            if let (Ok((dirs, found)), false) = (found, is_dead) {
                let found = found.unwrap_or_else(|| panic!("served nowhere: {told}"));
                assert!(found == self.placed || found.is_none() || self.placed.is_none(), "{told}");
                // Before anything is appended there.
                self.placed = found;
                let there = headers(&dirs).len();
                assert!((self.stable..=self.sent).contains(&there), "{there} records: {told}");
                (self.answered, self.sent) = (there, there);
                self.disk.die_in(u64::MAX, 0);
                return dirs;
            }
            assert!(is_dead, "no start: {told}");
            self.died += 1;
            self.die();
        }
    }

    fn told(&self, disk: &dyn Disk) -> String {
        let Self { seed, placed, stable, answered, sent, .. } = self;
        let names = ["/a", "/b"].map(|dir| {
            disk.read_dir(Path::new(dir)).map(|names| {
                names.into_iter().filter(|entry| entry.is_dir).map(|entry| entry.name).collect::<Vec<_>>()
            })
        });
        format!(
            "seed {seed}, placed {placed:?}, {stable} stable, {answered} answered, {sent} sent: {names:?}"
        )
    }

    fn step(&mut self, dirs: &LogDirs) {
        let Some(log) = dirs.get("t", 0).filter(|_| !self.disk.is_dead()) else { return };
        match self.chance.below(5) {
            0 | 1 => {
                self.sent += 1;
                match append_to(&log) {
                    Ok(_) => self.answered = self.sent,
                    Err(error) => assert!(self.disk.is_dead(), "seed {}: {error:?}", self.seed),
                }
            }
            2 => {
                if log.sync().is_ok() {
                    self.stable = self.answered;
                }
            }
            _ => self.shift(dirs),
        }
    }

    /// A move, with appends between its rounds; now and then what it comes to cannot be stored.
    fn shift(&mut self, dirs: &LogDirs) {
        let to = if dirs.directory_of("t", 0) == Some(None) { "/b" } else { "/a" };
        let target = if to == "/a" { None } else { id_of(dirs, to) };
        let Ok(mut moving) = dirs.begin_move(&future(), Path::new(to)) else { return };
        if !self.is_halted(dirs, &mut moving) || self.disk.is_dead() {
            return;
        }
        self.stable = self.answered;
        if self.chance.one_in(4) {
            if moving.take_back().is_ok() {
                self.taken_back += 1;
            }
            return;
        }
        self.placed = target;
        if moving.switch(&small(), 0).is_ok() {
            self.switched += 1;
        }
    }

    fn is_halted(&mut self, dirs: &LogDirs, moving: &mut Moving) -> bool {
        for _ in 0..self.chance.below(3) {
            if moving.catch_up(&nothing).is_err() {
                return false;
            }
            if let Some(log) = dirs.get("t", 0) {
                self.sent += 1;
                if append_to(&log).is_ok() {
                    self.answered = self.sent;
                }
            }
        }
        moving.halt(&moving.last_round(), u64::MAX, &nothing).is_ok() && moving.end_round()
    }
}

#[test]
fn whatever_ends_a_process_a_log_that_moves_is_in_one_directory_and_whole() {
    let from = std::env::var("PAGEWIRE_MOVES_FROM").map_or(0, |from| from.parse().expect("a number"));
    let stories = std::env::var("PAGEWIRE_MOVES").map_or(STORIES, |count| count.parse().expect("a number"));
    let (mut switched, mut taken_back, mut died) = (0, 0, 0);
    for seed in from..from + stories {
        let mut story = Story::new(seed);
        story.live();
        switched += story.switched;
        taken_back += story.taken_back;
        died += story.died;
    }
    assert!(switched > 50 && taken_back > 15 && died > 150, "{switched}, {taken_back}, {died}");
}

//! A backup while the others go on working. It is restored at once, from what no power cut would have taken of it, and
//! compared with the log as it was at some moment of the copy.

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::time::Duration;

use pagewire_log::backup::{BackupError, CopiedLog, CopyOptions, Refused, note};
use pagewire_log::{Log, LogDir};
use uuid::Uuid;

use super::or_excused;
use crate::life;
use crate::model::Partition;
use crate::restored::{self, Backup};
use crate::world::World;

/// Steps of others while one log is copied.
const STEPS_MAX: usize = 20;

/// Start and end of a log, at one moment and at later ones.
type Moments = Vec<(i64, i64)>;

/// What happens while bytes are copied.
struct Meanwhile<'w> {
    world: &'w mut World,
    /// The log that is copied: which, and its topic.
    of: (usize, Uuid),
    /// `None` once it was deleted.
    moments: Option<Moments>,
    steps: usize,
}

impl Meanwhile<'_> {
    /// A piece was copied.
    fn go_on(&mut self) {
        if self.world.is_dead() || self.steps == STEPS_MAX || self.world.chance.one_in(2) {
            return;
        }
        self.steps += 1;
        super::step(self.world);
        let partition = &self.world.partitions[self.of.0];
        if partition.id == Some(self.of.1) {
            self.moments.iter_mut().for_each(|seen| seen.push((partition.start, partition.end)));
        } else {
            self.moments = None;
        }
    }
}

pub(super) fn back_up(world: &mut World, at: usize, _log: &Log) {
    let Partition { topic, number, place, id, .. } = world.partitions[at];
    let Some(id) = id else { return };
    let (root, dir) = (format!("/backup {}", world.new_id().simple()), world.dir_of(at));
    let cleaned_before = dir.cleaned_to(topic, number);
    let (copied, moments) = copy(world, &dir, (at, id), &root);
    if let Err(BackupError::Changing(_)) = copied {
        return world.tally.count("backups that gave up: the log changed too fast");
    }
    let Some(copied) = or_excused(world, place, "a backup", copied) else { return };
    let disk = world.place_of(at).used();
    let named = disk.sync_dir(Path::new(&root)).and_then(|()| disk.sync_dir(Path::new("/")));
    if or_excused(world, place, "naming a backup", named).is_none() || world.is_dead() {
        return;
    }
    match (copied, moments) {
        (Some(log), Some(moments)) => {
            let (start, end) = (log.log_start, log.end);
            // It ends where it ended when it began. What was taken from its front since may be missing.
            let (ended, starts) = (moments[0].1, moments.iter().map(|(start, _)| *start));
            assert_eq!(end, ended, "{topic}: not as of the moment, {moments:?}");
            assert!(
                starts.map(|start| start.min(end)).any(|found| found == start),
                "{topic}: a copy of {start}..{end}, not one of {moments:?}"
            );
            // A clean that went on meanwhile may be in the copy, or not.
            let cleaned_to = dir.cleaned_to(topic, number).map(|_| cleaned_before.unwrap_or(start));
            // Of what was aborted a clean may have removed more than it says.
            life::note(world);
            let then = world.partitions[at].as_of(start, end);
            let backup = Backup { root, log, cleaned_to, at, then };
            restored::compare(world, &backup);
            world.tally.count("backups restored and compared");
            keep(world, backup);
        }
        (None, Some(_)) => panic!("{topic}: the copy says it was deleted"),
        (_, None) => {
            world.tally.count("backups of logs that were deleted meanwhile");
            remove(world, place, &root);
        }
    }
}

/// Keeps a backup, and the last one no longer.
fn keep(world: &mut World, backup: Backup) {
    if let Some(last) = world.kept.replace(backup) {
        remove(world, world.partitions[last.at].place, &last.root);
    }
}

fn remove(world: &World, place: usize, root: &str) {
    let removed = world.places[place].used().remove_dir_all(Path::new(root));
    or_excused(world, place, "removing a backup", removed);
}

type Copied = Result<Option<CopiedLog>, BackupError>;

/// Copies a log into a directory of `root`; and what the log was meanwhile.
fn copy(world: &mut World, dir: &LogDir, of: (usize, Uuid), root: &str) -> (Copied, Option<Moments>) {
    let Partition { topic, number, start, end, .. } = world.partitions[of.0];
    let to = Path::new(root).join(format!("{topic}-{number}"));
    world.is_backing_up = true;
    let links = !world.chance.one_in(3);
    let meanwhile = RefCell::new(Meanwhile { world, of, moments: Some(vec![(start, end)]), steps: 0 });
    let pace = |_: u64| -> io::Result<()> {
        meanwhile.borrow_mut().go_on();
        Ok(())
    };
    let (earlier, refused) = (&|_| None, Refused::default());
    let options = CopyOptions { links, verify: true, earlier, pace: &pace, refused };
    // Nobody appends meanwhile.
    let noted = note([dir], Duration::ZERO).ok().and_then(|mut noted| noted.take(of.1, number));
    let copied = noted.map_or(Ok(None), |noted| noted.copy(&to, &options));
    let Meanwhile { world, moments, .. } = meanwhile.into_inner();
    world.is_backing_up = false;
    (copied, moments)
}

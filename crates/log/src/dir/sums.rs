//! Checksums of the directory's checkpoints, for Kafka's format has none: a digit that was flipped reads as another offset,
//! and by such a one records would be hidden, removed, or taken for synced.
//!
//! `pagewire-checkpoint-sums` is a checkpoint itself. The place of a topic is a file's name, that of the offset the CRC-32C
//! of its text; partition 0 is the text that is to be in the file, 1 the one before it. The sums are written first, so
//! one of the two is right wherever a crash comes. The last line sums up the others.
//!
//! Without the sums every checkpoint is believed. So it is where Kafka had the directory after us: it writes the checkpoints
//! and not the sums. It shows by its own mark of an orderly stop; or, if it was killed, by the absence of ours, which an
//! orderly stop of ours notes down here; or, if we were killed before it, by more than one checkpoint with another text, which
//! no disk does and leaves them legible. Where all checkpoints have the texts that they were left with, and none is younger than
//! the sums, nobody else was there, and only the mark was lost: a Kafka writes some every few seconds. A mark that is damaged is as
//! good as lost, and is another's where we left none.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use pagewire_disk::checkpoint::CLEAN_MARK_FILE;
use pagewire_disk::{
    CheckpointError, CleanMark, Damage, Disk, LeftBy, OffsetCheckpoint, OpenMode, read_small,
    write_atomically,
};

use super::errors::{LogDirError, usable};
use super::notice::Notice;
use super::suspicion::Suspicion;

/// Its name.
pub const FILE: &str = "pagewire-checkpoint-sums";
/// In the place of a partition.
const NOW: i32 = 0;
const BEFORE: i32 = 1;
/// In the place of a sum, in the line of the mark of an orderly stop: it is to be there.
const STOPPED: i64 = 1;
/// As many checkpoints may be damaged before somebody else must have written them.
const DAMAGED_MAX: usize = 1;

/// What is known of the checkpoints' texts.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Sums {
    /// As the file has it, or shall have it; `None` if it says nothing.
    vouched: Option<OffsetCheckpoint>,
    /// The file does not have it yet.
    unwritten: bool,
    /// Of the texts that the files hold for certain, by name.
    landed: BTreeMap<&'static str, i64>,
    /// A power cut may take one of these back, for all that is known.
    unstable: bool,
    /// Nobody but us had the directory since they were written.
    ours: bool,
    /// Why somebody else may have written to the directory.
    others_wrote: Option<Suspicion>,
    /// We left the mark of an orderly stop, nobody else was there, and it is gone.
    lost_mark: bool,
    /// What is wrong with the mark of an orderly stop, which vouches for nothing then.
    damaged_mark: Option<Damage>,
}

/// Whether the log directory has a mark of an orderly stop that vouches for one, as a start would see it. Nothing is changed.
pub fn is_marked_in_order(disk: &dyn Disk, dir: &Path) -> io::Result<bool> {
    match Sums::read(disk, dir, &mut Vec::new()) {
        Ok(sums) => Ok(sums.damaged_mark.is_none() && CleanMark::exists(disk, dir)?),
        Err(LogDirError::Io { error, .. }) => Err(error),
        Err(error) => Err(io::Error::other(error)),
    }
}

/// The mark of an orderly stop, as it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mark {
    None,
    Ours,
    Kafkas,
    /// An older Kafka's, or what ours said is lost.
    Empty,
    Damaged(Damage),
}

impl Mark {
    fn find(disk: &dyn Disk, dir: &Path) -> Result<Self, LogDirError> {
        Ok(match usable(CleanMark::read(disk, dir))? {
            Ok(None) => Self::None,
            Ok(Some(LeftBy::Us)) => Self::Ours,
            Ok(Some(LeftBy::Kafka)) => Self::Kafkas,
            Err(CheckpointError::Damaged { damage: Damage::Empty, .. }) => Self::Empty,
            Err(CheckpointError::Damaged { damage, .. }) => Self::Damaged(damage),
            Err(CheckpointError::Io { path, error }) => return Err(LogDirError::Io { path, error }),
        })
    }

    /// What is wrong with it, if it is no Kafka's.
    fn damage(self) -> Option<Damage> {
        match self {
            Self::Damaged(damage) => Some(damage),
            Self::Empty => Some(Damage::Empty),
            Self::None | Self::Ours | Self::Kafkas => None,
        }
    }
}

/// A checkpoint that was read.
#[derive(Debug)]
pub(crate) struct Read {
    /// `None`: what the file holds is useless, and it has to be written whatever it shall say.
    pub(crate) content: Option<OffsetCheckpoint>,
    /// Its text is the one that was written, as far as anybody can say it.
    pub(crate) certain: bool,
    /// It may have said something, and nobody knows what.
    pub(crate) lost: bool,
}

impl Sums {
    /// Reads the sums, before the mark of the last stop is taken, and leaves them where they are.
    pub(crate) fn read(disk: &dyn Disk, dir: &Path, notices: &mut Vec<Notice>) -> Result<Self, LogDirError> {
        let mut sums = Self::of_file(disk, dir, notices)?;
        let mark = Mark::find(disk, dir)?;
        if let Some(why) = sums.outdated(&mark, disk, dir)? {
            let damaged_mark = mark.damage().filter(|damage| *damage != Damage::Empty);
            return Ok(Self { others_wrote: Some(why), damaged_mark, ..Self::default() });
        }
        let is_to_be = sums.vouched.as_ref().is_some_and(says_stopped);
        (sums.ours, sums.lost_mark) = (is_to_be, is_to_be && mark == Mark::None);
        sums.damaged_mark = mark.damage();
        Ok(sums)
    }

    /// As they are at this moment, beside a broker that may be writing them.
    pub(crate) fn beside(disk: &dyn Disk, dir: &Path) -> Self {
        Self::of_file(disk, dir, &mut Vec::new()).unwrap_or_default()
    }

    /// They are in force from now on: those of a directory that somebody else had go. Before the mark is taken; what else was
    /// known of the directory then was forgotten before.
    pub(super) fn settle(&mut self, disk: &dyn Disk, dir: &Path) -> Result<(), LogDirError> {
        let path = dir.join(FILE);
        let Some(vouched) = &mut self.vouched else {
            if self.others_wrote.is_none() {
                return Ok(());
            }
            return match disk.remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(LogDirError::Io { path, error }),
                _ => disk.sync_dir(dir).map_err(LogDirError::at(dir)),
            };
        };
        if vouched.remove(CLEAN_MARK_FILE, NOW).is_some() {
            *vouched = with_own_sum(vouched.clone());
            // It fails where the disk is full. They must not stay and miss the mark that is taken now: rather, if a crash comes
            // before they are written again, checkpoints are believed once.
            self.unwritten = vouched.write(disk, &path).is_err();
            if self.unwritten {
                let _ = disk.remove_file(&path).and_then(|()| disk.sync_dir(dir));
            }
        }
        Ok(())
    }

    fn of_file(disk: &dyn Disk, dir: &Path, notices: &mut Vec<Notice>) -> Result<Self, LogDirError> {
        let path = dir.join(FILE);
        let vouched = match usable(OffsetCheckpoint::read(disk, &path))?.and_then(|sums| whole(sums, &path)) {
            Ok(vouched) => vouched,
            Err(damage) => {
                notices.push(Notice::Damaged(damage));
                None
            }
        };
        Ok(Self { vouched, ..Self::default() })
    }

    /// Why somebody else may have written to the directory, as far as the checkpoints that were read say it.
    pub(crate) fn others_wrote(&self) -> Option<&Suspicion> {
        self.others_wrote.as_ref()
    }

    /// A checkpoint is useless: after an orderly stop of ours nobody else was there, else that is not known.
    fn suspect(&mut self, file: &str) {
        if !self.ours {
            self.others_wrote.get_or_insert_with(|| Suspicion::Damaged(file.to_owned()));
        }
    }

    /// Whether the mark of our orderly stop is gone, though nobody else took it.
    pub(super) fn lost_mark(&self) -> bool {
        self.lost_mark
    }

    /// What is wrong with the mark of an orderly stop, if there is one and it vouches for nothing.
    pub(crate) fn damaged_mark(&self) -> Option<&Damage> {
        self.damaged_mark.as_ref()
    }

    /// Why somebody else had the directory since they were written.
    fn outdated(&self, mark: &Mark, disk: &dyn Disk, dir: &Path) -> Result<Option<Suspicion>, LogDirError> {
        let we_stopped = self.vouched.as_ref().is_some_and(says_stopped);
        let is_anothers = match mark {
            Mark::Kafkas => true,
            Mark::Empty => !we_stopped,
            Mark::Damaged(_) => self.vouched.is_some() && !we_stopped,
            Mark::None | Mark::Ours => false,
        };
        if is_anothers {
            return Ok(Some(Suspicion::Mark));
        }
        let Some(vouched) = &self.vouched else { return Ok(None) };
        if *mark != Mark::Ours && we_stopped && !is_as_it_was_left(vouched, disk, dir)? {
            return Ok(Some(Suspicion::MarkTaken));
        }
        let altered = altered(vouched, disk, dir)?;
        Ok((altered.len() > DAMAGED_MAX).then_some(Suspicion::Altered(altered)))
    }

    /// Reads a checkpoint. A damaged one, or one whose text nobody wrote, is noted and says nothing.
    pub(crate) fn checkpoint(
        &mut self,
        disk: &dyn Disk,
        dir: &Path,
        file: &'static str,
        notices: &mut Vec<Notice>,
    ) -> Result<Read, LogDirError> {
        let path = dir.join(file);
        let content = match usable(OffsetCheckpoint::read(disk, &path))? {
            Ok(content) => content.unwrap_or_default(),
            // Kafka makes its checkpoints empty and fills them later.
            Err(CheckpointError::Damaged { damage: Damage::Empty, .. }) => OffsetCheckpoint::new(),
            Err(damage) => {
                notices.push(Notice::Damaged(damage));
                self.suspect(file);
                return Ok(Read { content: None, certain: false, lost: true });
            }
        };
        let sum = sum(&content.render());
        let certain = self.vouched.as_ref().is_some_and(|vouched| is_known(vouched, file, sum));
        let altered = self.vouched.as_ref().is_some_and(|vouched| is_altered(vouched, file, &content));
        // One that is gone, or was emptied, has its sum still.
        let gone = content.is_empty() && !disk.exists(&path).map_err(LogDirError::at(&path))?;
        let lost = !certain && gone;
        if altered {
            let damage = if gone { Damage::Missing } else { Damage::Altered };
            notices.push(Notice::Damaged(CheckpointError::Damaged { path, damage }));
            self.suspect(file);
            return Ok(Read { content: None, certain: false, lost: true });
        }
        self.landed.insert(file, sum);
        Ok(Read { content: Some(content), certain, lost })
    }

    fn of_landed(&self) -> OffsetCheckpoint {
        let mut sums = OffsetCheckpoint::new();
        for (file, landed) in &self.landed {
            sums.set(file, NOW, *landed);
        }
        sums
    }

    /// Writes checkpoints, their sums first. What failed, with its path; those before it are written.
    pub(super) fn write(
        &mut self,
        disk: &dyn Disk,
        dir: &Path,
        checkpoints: &[(&'static str, &OffsetCheckpoint)],
    ) -> Result<(), (PathBuf, io::Error)> {
        let texts: Vec<_> =
            checkpoints.iter().map(|(file, checkpoint)| (*file, checkpoint.render())).collect();
        let mut sums = self.vouched.clone().unwrap_or_else(|| self.of_landed());
        for (file, text) in &texts {
            sums.set(file, NOW, sum(text));
            // One that nobody has seen is not there.
            let before = || sum(&OffsetCheckpoint::new().render());
            sums.set(file, BEFORE, self.landed.get(file).copied().unwrap_or_else(before));
        }
        self.vouch(disk, dir, sums)?;
        for (file, text) in texts {
            let path = dir.join(file);
            let written = write_atomically(disk, &path, text.as_bytes());
            // What failed may be in place all the same, and only not durable.
            let only_not_durable = written.is_err() && holds(disk, &path, text.as_bytes());
            if written.is_ok() || only_not_durable {
                self.landed.insert(file, sum(&text));
            }
            self.unstable |= only_not_durable;
            written.map_err(|error| (path, error))?;
        }
        Ok(())
    }

    /// Notes down that the mark of an orderly stop is to be there, before it is.
    pub(super) fn stop(&mut self, disk: &dyn Disk, dir: &Path) -> Result<(), (PathBuf, io::Error)> {
        let mut sums = self.vouched.clone().unwrap_or_else(|| self.of_landed());
        sums.set(CLEAN_MARK_FILE, NOW, STOPPED);
        self.vouch(disk, dir, sums)
    }

    /// Writes the sums, if they are others than before. Not before the texts that are in place stay there: a power cut could take
    /// one of these back and leave the sums, which say nothing of the one before it any more.
    fn vouch(
        &mut self,
        disk: &dyn Disk,
        dir: &Path,
        sums: OffsetCheckpoint,
    ) -> Result<(), (PathBuf, io::Error)> {
        let sums = with_own_sum(sums);
        if self.unwritten || self.vouched.as_ref() != Some(&sums) {
            if self.unstable {
                disk.sync_dir(dir).map_err(|error| (dir.to_path_buf(), error))?;
                self.unstable = false;
            }
            let path = dir.join(FILE);
            sums.write(disk, &path).map_err(|error| (path, error))?;
            self.vouched = Some(sums);
            self.unwritten = false;
        }
        Ok(())
    }
}

/// The checkpoints that have a text which nobody wrote.
fn altered(vouched: &OffsetCheckpoint, disk: &dyn Disk, dir: &Path) -> Result<Vec<String>, LogDirError> {
    let mut altered = Vec::new();
    let files = vouched.iter().filter(|(file, which, _)| *which == NOW && *file != FILE);
    for (file, _, _) in files {
        // A damaged one may be anybody's.
        if let Ok(Some(content)) = usable(OffsetCheckpoint::read(disk, &dir.join(file)))?
            && is_altered(vouched, file, &content)
        {
            altered.push(file.to_owned());
        }
    }
    Ok(altered)
}

/// Whether an orderly stop left them.
fn says_stopped(vouched: &OffsetCheckpoint) -> bool {
    vouched.get(CLEAN_MARK_FILE, NOW).is_some()
}

/// Whether all checkpoints are those that an orderly stop left, which wrote the sums after them.
fn is_as_it_was_left(vouched: &OffsetCheckpoint, disk: &dyn Disk, dir: &Path) -> Result<bool, LogDirError> {
    let modified = |file: &str| disk.open(&dir.join(file), OpenMode::Read)?.file().metadata()?.modified();
    let Ok(left) = modified(FILE) else { return Ok(false) };
    let files =
        vouched.iter().filter(|(file, which, _)| *which == NOW && ![FILE, CLEAN_MARK_FILE].contains(file));
    for (file, _, _) in files {
        let content = usable(OffsetCheckpoint::read(disk, &dir.join(file)))?;
        let is_known = |content: OffsetCheckpoint| is_known(vouched, file, sum(&content.render()));
        if !content.is_ok_and(|content| is_known(content.unwrap_or_default()))
            || modified(file).is_ok_and(|at| at > left)
        {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_altered(vouched: &OffsetCheckpoint, file: &str, content: &OffsetCheckpoint) -> bool {
    vouched.get(file, NOW).is_some() && !is_known(vouched, file, sum(&content.render()))
}

fn is_known(vouched: &OffsetCheckpoint, file: &str, sum: i64) -> bool {
    [NOW, BEFORE].iter().any(|which| vouched.get(file, *which) == Some(sum))
}

fn with_own_sum(mut sums: OffsetCheckpoint) -> OffsetCheckpoint {
    sums.remove(FILE, NOW);
    let all = sum(&sums.render());
    sums.set(FILE, NOW, all);
    sums
}

/// The sums, if their own is right.
fn whole(sums: Option<OffsetCheckpoint>, path: &Path) -> Result<Option<OffsetCheckpoint>, CheckpointError> {
    let Some(sums) = sums else { return Ok(None) };
    let mut others = sums.clone();
    if others.remove(FILE, NOW) == Some(sum(&others.render())) {
        return Ok(Some(sums));
    }
    Err(CheckpointError::Damaged { path: path.to_path_buf(), damage: Damage::Altered })
}

fn holds(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> bool {
    read_small(disk, path, bytes.len() as u64).is_ok_and(|there| there.as_deref() == Some(bytes))
}

fn sum(text: &str) -> i64 {
    i64::from(crc32c::crc32c(text.as_bytes()))
}

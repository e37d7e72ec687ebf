//! Segments that somebody removed under a log, or took out of its directory, and that are open here still: they get a file under
//! their name again before the log is opened anew, which would close them for good.
//!
//! ```text
//!   offline ─ for each, oldest first: copy to <base>.log.tmp, synced ─ rename ─ sync the directory ─ let go of the open one
//! ```
//!
//! So it takes the room of one segment, and where it ends early, what is there is a beginning of the log.
//!
//! A partition's directory that was moved as a whole is left alone: it is there, under another name, and its partition is
//! [gone](crate::dir) until it is put back.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pagewire_disk::{DiskFile, OpenMode, create_dir_durably};

use crate::log::Log;
use crate::nameless::{is_elsewhere, removed};
use crate::segment::named::LedTo;
use crate::segment::unshare::copy;
use crate::segment::{Segment, names};

/// A segment whose name leads to no file that could be its, and its file, if that is open.
struct Missing {
    segment: Arc<Segment>,
    file: Option<Arc<dyn DiskFile>>,
    /// There is a file of its name, which is shorter.
    is_replaced: bool,
}

/// Why a log may not be opened anew.
#[derive(Debug)]
pub(crate) enum NotPutBack {
    /// It would lack records that it has in memory: what is missing of it.
    Lacks(String),
    /// A file could not be put back.
    Io(PathBuf, io::Error),
}

impl Log {
    /// Puts back the segments that have lost their names and are open, durably. How many. An error: some are missing still, and
    /// what is open stays so.
    pub(crate) fn put_back(&self) -> Result<usize, NotPutBack> {
        // Nobody changes names meanwhile.
        let _placing = self.placing.lock();
        if self.has_left() || self.missing().is_empty() {
            return Ok(0);
        }
        self.take_no_more();
        let (disk, dir) = (&*self.home.disk, &self.home.dir);
        let is_here = disk.exists(dir).unwrap_or(true);
        let missing = self.missing();
        let is_open = |one: &&Missing| {
            let is_left = |file: &Arc<dyn DiskFile>| is_here || !is_elsewhere(disk, &**file);
            !one.is_replaced && one.file.as_ref().is_some_and(is_left)
        };
        let (open, lost): (Vec<_>, Vec<_>) = missing.iter().partition(is_open);
        if open.is_empty() && !is_here {
            return Ok(0);
        }
        let in_dir = |error| NotPutBack::Io(dir.clone(), error);
        create_dir_durably(disk, dir).map_err(in_dir)?;
        for one in &open {
            one.put_back().map_err(|error| NotPutBack::Io(one.segment.path(), error))?;
        }
        if !open.is_empty() {
            tracing::warn!(topic = %self.topic, partition = self.partition, segments = open.len(), "{}", PUT_BACK);
        }
        told(&lost).map_or(Ok(open.len()), |what| Err(NotPutBack::Lacks(what)))
    }

    /// What is appended by now is all that is put back.
    fn take_no_more(&self) {
        if self.online().is_ok()
            && let Some(error) = self.missing().iter().find_map(Missing::told)
        {
            self.poison(&error, "a segment");
        }
        drop(self.writer.lock());
    }

    fn missing(&self) -> Vec<Missing> {
        let segments = self.segments.load_full();
        segments.iter().filter_map(Missing::of).collect()
    }

    /// Looks whether the closed segments are in the log's directory. A log that lacks one which is open takes no writes. How many
    /// names were looked at.
    pub(crate) fn look_for_its_segments(&self) -> usize {
        // Whoever changes names has the lock: the next look will do.
        let Some(_placing) = self.placing.try_lock() else { return 0 };
        if self.online().is_err() || self.has_left() {
            return 0;
        }
        let segments = self.segments.load_full();
        let Ok(entries) = self.home.disk.read_dir(&self.home.dir) else { return 0 };
        let is_listed = |segment: &Arc<Segment>| {
            let path = segment.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            entries.binary_search_by(|entry| entry.name.as_str().cmp(name)).is_ok()
        };
        let unlisted = segments.iter().filter(|one| one.is_closed() && !is_listed(one));
        let missing = || unlisted.clone().filter_map(Missing::of).filter(|one| self.misses(&one.segment));
        if let Some(error) = missing().find_map(|one| one.told())
            && !self.is_given_up()
        {
            self.poison(&error, "a closed segment");
        } else if let Some(lost) = missing().next() {
            lost.tell_once();
        }
        entries.len()
    }
}

const PUT_BACK: &str =
    "segments that were removed or moved away under this broker are back, as it had them open";

impl Missing {
    /// `None` of one whose name leads to its file, or to one that is as long, or that cannot be looked for.
    fn of(segment: &Arc<Segment>) -> Option<Self> {
        let (disk, path, file) = (&*segment.home.disk, segment.path(), segment.open_file());
        let is_replaced = disk.exists(&path).ok()?;
        if is_replaced {
            let is_other = file.as_ref().is_some_and(|file| segment.led_to(&**file) == LedTo::Elsewhere);
            if !is_other || disk.file_len(&path).ok()? >= segment.end().size {
                return None;
            }
        }
        Some(Self { segment: Arc::clone(segment), file, is_replaced })
    }

    /// What is told of one that is open.
    fn told(&self) -> Option<io::Error> {
        let file = self.file.as_deref()?;
        Some(removed(&self.segment.home, &self.segment.path(), file))
    }

    /// Of one that is not open, and so lost already: nothing is saved by taking no writes.
    fn tell_once(&self) {
        let segment = &self.segment;
        if segment.told_lost.swap(true, Ordering::Relaxed) {
            return;
        }
        let (path, last) = (segment.path(), segment.end().next_offset - 1);
        tracing::error!(
            path = %path.display(),
            "was removed, and nobody has it open: without it the offsets {} to {last} are lost. It has to be put back; `pagewire log \
             check` tells of others",
            segment.base_offset
        );
    }

    fn put_back(&self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let (home, base) = (&self.segment.home, self.segment.base_offset);
        let beside = home.path(base, &temporary());
        let copied = self.copied(&**file, &beside);
        let own = copied.inspect_err(|_| drop(home.disk.remove_file(&beside)))?;
        home.disk.rename(&beside, &self.segment.path())?;
        home.disk.sync_dir(&home.dir)?;
        self.segment.put_file(&own);
        Ok(())
    }

    fn copied(&self, file: &dyn DiskFile, beside: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let own = self.segment.home.disk.open(beside, OpenMode::Create)?;
        own.set_len(0)?;
        copy(file, &*own, 0..self.segment.end().size)?;
        own.sync_all()?;
        Ok(own)
    }
}

fn temporary() -> String {
    format!("{}{}", names::LOG, names::TEMPORARY)
}

/// What is missing for good, if anything is.
fn told(lost: &[&Missing]) -> Option<String> {
    let (first, last) = (lost.first()?, lost.last()?);
    let path = first.segment.path();
    let offsets = format!("offsets {} to {}", first.segment.base_offset, last.segment.end().next_offset - 1);
    Some(match lost.len() {
        _ if first.is_replaced => format!(
            "{} is a shorter file than the one of this log, which is open still: {offsets} would be cut. Where it is moved away, \
             the next attempt puts the open one back",
            path.display()
        ),
        1 => format!("{}, with {offsets}, is missing, and is not open any more", path.display()),
        more => format!(
            "{more} segments, the first of them {}, are missing, and are not open any more: {offsets} are not all there",
            path.display()
        ),
    })
}

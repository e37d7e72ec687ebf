//! A closed segment by a link to its file in an earlier backup, if that is what the log has, or the only good one of the two.

use pagewire_disk::{DiskFile, OpenMode};

use super::pin::{Named, Pinned};
use super::place::Placing;
use super::{BackupError, BatchCheck, CopiedFile, Earlier, Expected, SegmentOf, SourceId, Way, carry};

/// What the log's file is beside the earlier copy of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The one that the copy was made of.
    Same,
    /// Written anew, and good.
    Rewritten,
    /// It has become bad since, or cannot be read: the copy may be all that there is.
    Bad,
}

impl Placing<'_> {
    /// `None`: there is no such file, or it is of no use.
    pub(super) fn by_earlier(
        &self,
        one: &Pinned,
        of: SegmentOf,
        source: SourceId,
        expected: &Expected,
    ) -> Result<Option<CopiedFile>, BackupError> {
        let Some(earlier) = (self.options.earlier)(of) else { return Ok(None) };
        let file = self.disk.open(&earlier.path, OpenMode::Read).ok();
        let Some(file) = file.filter(|file| file.len().is_ok_and(|len| len == earlier.bytes)) else {
            return Ok(None);
        };
        let found = self.beside_earlier(&one.log, source, (&earlier, &*file), expected)?;
        // What cannot be linked is copied.
        if found == Source::Rewritten || file.hard_link(&self.to.join(&one.log.name)).is_err() {
            return Ok(None);
        }
        let was = Named { path: earlier.path, file, name: one.log.name.clone(), bytes: earlier.bytes };
        if found == Source::Same && !self.options.verify {
            let linked = self.finish(&was, &*was.file, Way::Earlier, earlier.crc32c)?;
            return Ok(Some(linked.knowing(expected)));
        }
        let linked = self.good_link(&was, earlier.crc32c, expected)?;
        if found == Source::Bad && linked.is_some() {
            tracing::warn!(path = %one.log.path.display(), earlier = %was.path.display(), "the log's file has become bad since the earlier backup; that one's copy is good and goes into this backup");
        }
        Ok(linked)
    }

    /// What the log's file is now. Whoever writes to a file can set its time of writing back, and not that of its last change; but
    /// who gives it another name changes that too, and then its bytes tell.
    fn beside_earlier(
        &self,
        log: &Named,
        source: SourceId,
        (earlier, copy): (&Earlier, &dyn DiskFile),
        expected: &Expected,
    ) -> Result<Source, BackupError> {
        let was = earlier.source;
        if earlier.bytes != log.bytes || (was.inode, was.modified_ns) != (source.inode, source.modified_ns) {
            return Ok(Source::Rewritten);
        }
        let is_unchanged = was.changed_ns.is_some_and(|changed_ns| Some(changed_ns) == source.changed_ns);
        if is_unchanged || is_one_file(copy, &*log.file) {
            return Ok(Source::Same);
        }
        let sum = |of, check| carry(of, log.bytes, None, check, self.options.pace);
        let known = match earlier.crc32c.map_or_else(|| sum((&earlier.path, copy), None), Ok) {
            Ok(known) => known,
            Err(error) if error.is_stopped() => return Err(error),
            Err(_) => return Ok(Source::Rewritten),
        };
        let mut check = BatchCheck::new(&expected.whole());
        match sum((&log.path, &*log.file), Some(&mut check)) {
            Ok(sum) if sum == known => Ok(Source::Same),
            Ok(_) if check.end().is_ok() => Ok(Source::Rewritten),
            Err(error) if error.is_stopped() => Err(error),
            _ => Ok(Source::Bad),
        }
    }

    /// The link that is in place, if what it leads to is good; else it is removed.
    fn good_link(
        &self,
        was: &Named,
        known: Option<u32>,
        expected: &Expected,
    ) -> Result<Option<CopiedFile>, BackupError> {
        // What is damaged in the log may be whole in its copy.
        let whole = Some(expected.whole()).filter(|_| expected.has_damage());
        let mut bad = None;
        for expected in whole.iter().chain([expected]) {
            let mut check = BatchCheck::new(expected);
            let pace = self.options.pace;
            match carry((&was.path, &*was.file), was.bytes, None, Some(&mut check), pace) {
                Ok(sum) if check.end().is_ok() && known.is_none_or(|known| sum == known) => {
                    let linked = self.finish(was, &*was.file, Way::Earlier, Some(sum))?;
                    return Ok(Some(linked.knowing(expected)));
                }
                Err(error) if error.is_stopped() => return Err(error),
                read => bad = Some((read, check.end())),
            }
        }
        tracing::warn!(path = %was.path.display(), found = ?bad, "a file of the earlier backup is damaged; it is copied anew");
        let target = self.to.join(&was.name);
        self.disk.remove_file(&target).map_err(BackupError::at(&target))?;
        Ok(None)
    }
}

/// Whether both are open handles of the same file, by whatever names.
fn is_one_file(one: &dyn DiskFile, other: &dyn DiskFile) -> bool {
    use std::os::unix::fs::MetadataExt;

    let id = |file: &dyn DiskFile| file.file().metadata().map(|found| (found.dev(), found.ino())).ok();
    id(one).is_some_and(|found| Some(found) == id(other))
}

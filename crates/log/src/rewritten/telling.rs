//! The file while a clean is under way: written whole once, with room for the segments that follow, then a sector for each
//! group of them that gets its place. Who wrote it whole each time would write as many lines as there are segments, squared.

use std::io;
use std::sync::Arc;

use pagewire_disk::{DiskFile, OpenMode};

use super::sectors::{self, Filling, LINES};
use super::{FILE, Rewritten};
use crate::log::Log;
use crate::segment::Segment;

/// Room that is made at least, if so much can be needed; beyond it no more than there are lines.
const ROOM_MIN: usize = 32 * LINES;

/// What one clean has written. What changes meanwhile beside it, nothing but segments that come and go, is for the next.
#[derive(Debug, Default)]
pub(crate) struct Telling {
    open: Option<Open>,
    /// Segments that are to be told of at most, and those that take their places.
    pub(crate) left: usize,
}

#[derive(Debug)]
struct Open {
    file: Arc<dyn DiskFile>,
    filling: Filling,
}

impl Log {
    /// Writes down how long `new` is, before it takes the place of `old`. Until it has it, the first of those has its
    /// name, and may be shorter. Some of the others may be found again without their neighbours, should the power go
    /// while they lose their names.
    pub(crate) fn tell_length(
        &self,
        telling: &mut Telling,
        old: &[Arc<Segment>],
        new: &Segment,
    ) -> io::Result<()> {
        if self.has_left() {
            return Ok(());
        }
        let said = old.iter().fold(Rewritten::default(), |said, segment| said.or(segment)).or(new);
        // Whatever fails: what the file holds is not known then.
        if let Some(mut open) = telling.open.take()
            && let Some(patch) = open.filling.add(&said.0)
        {
            open.file.write_at(patch.position, &patch.bytes)?;
            open.file.sync_data()?;
            telling.open = Some(open);
            return Ok(());
        }
        let mut all = Rewritten::of(self.segments.load().iter().map(|segment| &**segment));
        all.0.extend(said.0);
        telling.open = Some(self.write_with_room(&all, telling.left)?);
        Ok(())
    }

    fn write_with_room(&self, said: &Rewritten, left: usize) -> io::Result<Open> {
        let lines = said.0.len();
        // A segment may be named as it is and as it will be.
        let room = (2 * left).min(lines.max(ROOM_MIN));
        let sectors = sectors::needed(lines + room);
        said.write(&self.home, sectors)?;
        let file = self.home.disk.open(&self.home.dir.join(FILE), OpenMode::ReadWrite)?;
        Ok(Open { file, filling: Filling::of(&said.0, sectors) })
    }
}

//! How far damage reaches: from bytes that are not believed to the next batch that is.

use std::io;
use std::ops::Range;

use pagewire_disk::DiskFile;
use pagewire_record::BatchHeader;

use super::damage::Stretch;
use crate::files::{BatchWalk, Step};

/// What is damaged from `from` on, where a batch of the first of `offsets` should begin, in a file that has `size` bytes and
/// no offsets but these. It ends before the next whole batch, or with the file.
///
/// A whole batch that is followed by its successor is where it belongs, whatever is missing before it: then the stretch has
/// no bytes.
pub(crate) fn stretch_at(
    file: &dyn DiskFile,
    from: u64,
    size: u64,
    offsets: Range<i64>,
) -> io::Result<Stretch> {
    let (believed, offset) = (offsets.start..=offsets.end.saturating_sub(1), offsets.start);
    let mut walk = BatchWalk::new(file, from, size);
    let (mut at, mut first) = (from, None::<BatchHeader>);
    loop {
        walk.resume_at(at);
        let stated = match walk.step()? {
            None => break,
            Some(Step::Bad(bad)) => bad.next,
            Some(Step::Batch(batch)) => {
                let (end, header) = (batch.end(), batch.header);
                if batch.is_whole() && believed.contains(&header.base_offset) && fits(&header, offsets.end) {
                    if at > from {
                        let followed = first.filter(|first| first.next_offset() == header.base_offset);
                        let (to, next) = followed.map_or((at, header), |first| (from, first));
                        return Ok(Stretch { from, to, offset, next_offset: next.base_offset });
                    }
                    first = Some(header);
                }
                Some(end)
            }
        };
        match walk.next_behind(at, stated, &believed)? {
            Some(next) => at = next,
            None => break,
        }
    }
    Ok(Stretch { from, to: size, offset, next_offset: offsets.end })
}

fn fits(header: &BatchHeader, end: i64) -> bool {
    header.last_offset_delta >= 0 && header.next_offset() <= end
}

//! Reads a copy back from the disk: what was written is not yet what is there.
//!
//! The pages that the copy left in memory are dropped first, as far as the file system does that, so that the device is
//! asked. What is a link, or was only looked at by its header, says nothing new and is not read again.

use std::cell::Cell;
use std::fs::File;
use std::path::Path;

use pagewire_record::BatchHeader;
use rustix::fs::{Advice, fadvise};

use crate::batches::{Batches, Stop};
use crate::error::ImportError;
use crate::options::Depth;

/// Reads the copy at `path` of the first `len` bytes of a segment that begins at offset `base`: each batch must be
/// there with its checksum, or its header where only headers count.
pub(crate) fn read_back(
    path: &Path,
    (base, len): (i64, u64),
    depth: Depth,
    progress: &dyn Fn(u64),
) -> Result<(), ImportError> {
    let told = Cell::new(0);
    read((path, base, len), depth, &mut |_, position| progress(position - told.replace(position)))
}

/// The same, deep; `note` hears of each batch.
pub(crate) fn read_back_from(
    path: &Path,
    (base, len): (i64, u64),
    note: &mut dyn FnMut(&BatchHeader),
) -> Result<(), ImportError> {
    read((path, base, len), Depth::Deep, &mut |header, _| note(header))
}

/// `seen` hears of each batch, and where it ends.
fn read(
    (path, base, len): (&Path, i64, u64),
    depth: Depth,
    seen: &mut dyn FnMut(&BatchHeader, u64),
) -> Result<(), ImportError> {
    let failed = ImportError::at(path);
    let file = File::open(path).map_err(&failed)?;
    // Only an advice: where nobody takes it, memory is read.
    let _ = fadvise(&file, 0, None, Advice::DontNeed);
    let mut batches = match depth {
        Depth::Deep => Batches::whole(&file, len, base),
        Depth::Headers => Batches::headers(&file, len, base),
        Depth::None => return Ok(()),
    };
    loop {
        let differs = |reason: String| {
            let reason = format!("the copy cannot be read back as it was written: {reason}");
            ImportError::Wrong { path: path.to_path_buf(), reason }
        };
        let batch = match batches.next() {
            Ok(None) => break,
            Ok(Some(batch)) => batch,
            Err(Stop::Io(error)) => return Err(failed(error)),
            Err(Stop::OldFormat { magic }) => return Err(differs(format!("format {magic}"))),
            Err(Stop::Torn(reason) | Stop::Bad(reason)) => return Err(differs(reason)),
        };
        if depth == Depth::Deep {
            batch.verify_crc().map_err(|error| differs(error.to_string()))?;
        }
        seen(&batch.header, batches.position());
    }
    // Nobody needs them soon, and others may need the memory.
    let _ = fadvise(&file, 0, None, Advice::DontNeed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use pagewire_record::{BatchBuilder, Codec};

    use super::*;

    #[test]
    fn a_copy_that_is_not_what_was_read_is_found() {
        let mut batch = BatchBuilder::new(Codec::None);
        batch.append(0, Some(b"key"), Some(&[7; 100]), &[]).expect("a record");
        let bytes = batch.build().expect("a batch");
        let len = bytes.len() as u64;
        let path = tempfile::NamedTempFile::new().expect("a file").into_temp_path();
        let read = |bytes: &[u8], depth| {
            fs::write(&path, bytes).expect("written");
            let told = Cell::new(0);
            read_back(&path, (0, len), depth, &|more| told.set(told.get() + more)).map(|()| told.get())
        };
        assert_eq!(read(&bytes, Depth::Deep).expect("as it was"), len);
        assert!(read(&bytes[..bytes.len() - 1], Depth::Deep).is_err());
        for at in 0..bytes.len() {
            let mut other = bytes.to_vec();
            other[at] ^= 4;
            // The leader epoch is the one thing that no checksum covers; a base offset may lie higher.
            assert_eq!(read(&other, Depth::Deep).is_err(), !(at < 8 || (12..16).contains(&at)), "byte {at}");
        }
    }
}

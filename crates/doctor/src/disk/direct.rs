//! O_DIRECT: reading around the page cache, for readers far behind that must not push out what the others read.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use pagewire_zcopy::{BufferPool, PoolOptions};
use rustix::fs::{AtFlags, OFlags, StatxFlags, statx};

use crate::finding::Finding;
use crate::{Plan, place};

/// Bytes that are written and read back: whole blocks of any drive.
const BYTES: usize = 64 << 10;

/// Alignment of memory and of offsets in a file, in bytes.
type Alignment = (u32, u32);

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    vec![match tempfile::tempfile_in(place::nearest(&plan.data_dir)) {
        Ok(file) => judge(&read_back(&file), alignment(&file)),
        Err(error) => Finding::unseen("O_DIRECT", &error),
    }]
}

/// What statx(2) tells since Linux 6.1; `None` where it does not, or says that the file cannot.
fn alignment(file: &File) -> Option<Alignment> {
    let stat = statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN).ok()?;
    let (memory, offset) = (stat.stx_dio_mem_align, stat.stx_dio_offset_align);
    (StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::DIOALIGN) && offset > 0)
        .then_some((memory, offset))
}

fn read_back(file: &File) -> io::Result<()> {
    file.write_all_at(&vec![7; BYTES], 0)?;
    file.sync_data()?;
    // The file has no name; this is the way to a second description of it.
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let flags = OFlags::DIRECT.bits().cast_signed();
    let direct = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let pool = BufferPool::new(PoolOptions { max_bytes: 4 * BYTES, ..PoolOptions::default() });
    let mut buffer = pool.take(BYTES).map_err(io::Error::other)?;
    let into = buffer.get_mut(..BYTES).ok_or(io::ErrorKind::InvalidData)?;
    direct.read_exact_at(into, 0)?;
    if into.iter().all(|byte| *byte == 7) {
        Ok(())
    } else {
        Err(io::Error::other("what was read is not what was written"))
    }
}

fn judge(read: &io::Result<()>, alignment: Option<Alignment>) -> Finding {
    match (read, alignment) {
        (Ok(()), Some((memory, offset))) => {
            Finding::ok("O_DIRECT", format!("works; memory aligned to {memory} bytes, offsets to {offset}"))
        }
        (Ok(()), None) => Finding::ok(
            "O_DIRECT",
            "works; the kernel does not tell its alignment, 4096 bytes serve everywhere",
        ),
        (Err(error), _) if error.kind() == io::ErrorKind::StorageFull => Finding::unseen("O_DIRECT", error),
        (Err(error), _) => Finding::better(
            "O_DIRECT",
            format!("does not work here: {error}"),
            "readers that are far behind push the others' data out of memory: ext4 and xfs on a drive have it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn a_file_system_without_it_could_be_better() {
        assert!(judge(&Ok(()), Some((4, 512))).found.contains("offsets to 512"));
        assert_eq!(judge(&Ok(()), None).state, State::Ok);
        assert_eq!(judge(&Err(io::ErrorKind::InvalidInput.into()), None).state, State::CouldBeBetter);
        let full = judge(&Err(io::ErrorKind::StorageFull.into()), None);
        assert!(full.found.contains("could not be looked at"), "{full:?}");
    }
}

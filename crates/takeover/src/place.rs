//! Brings the bytes of a file to their place: copied, as shared blocks, or as the same file. All that is placed is on
//! the disk for certain when the partition's directory is synced.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{copy_file_range, ioctl_ficlone};
use rustix::io::Errno;

use crate::error::ImportError;
use crate::options::How;
use crate::report::Placed;

/// Copied at a time: progress is seen, and a signal does not wait long.
const CHUNK: usize = 8 << 20;

/// How files of one source can be brought to the new directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Copy,
    Reflink,
    Link,
}

impl Way {
    /// What was asked for, as far as the file systems can. `file` is one of the source's, `to` the new directory.
    pub(crate) fn find(how: How, file: &Path, to: &Path) -> Result<Self, ImportError> {
        match how {
            How::Copy => Ok(Self::Copy),
            How::Link => match link_works(file, to)? {
                Ok(()) => Ok(Self::Link),
                Err(error) => Err(no_link(file, to, error.to_string())),
            },
            How::Auto => Ok(if reflink_works(file, to)?.is_ok() { Self::Reflink } else { Self::Copy }),
            How::Reflink => match reflink_works(file, to)? {
                Ok(()) => Ok(Self::Reflink),
                Err(error) => {
                    let (from, to) = (file.to_path_buf(), to.to_path_buf());
                    Err(ImportError::NoReflink { from, to, error: error.into() })
                }
            },
        }
    }

    /// Brings the first `len` bytes of the file `from` to `to`, which is not there yet. Where the other side may still
    /// write, or less than the file is wanted, a link is a copy.
    pub(crate) fn place(
        self,
        from: &Path,
        to: &Path,
        len: u64,
        is_closed: bool,
        progress: &dyn Fn(u64),
    ) -> Result<Placed, ImportError> {
        self.try_place(from, to, len, is_closed, progress).map_err(ImportError::at(from))
    }

    fn try_place(
        self,
        from: &Path,
        to: &Path,
        len: u64,
        is_closed: bool,
        progress: &dyn Fn(u64),
    ) -> io::Result<Placed> {
        let source = File::open(from)?;
        let is_whole = source.metadata()?.len() == len;
        if self == Self::Link && is_closed && is_whole {
            fs::hard_link(from, to)?;
            // Kafka may have left it to the kernel to write it.
            source.sync_all()?;
            progress(len);
            return Ok(Placed { linked: len, ..Placed::default() });
        }
        let target = OpenOptions::new().read(true).write(true).create_new(true).open(to)?;
        // Where it worked for one file it may still not for another: a directory can be a link into another file
        // system.
        if self == Self::Reflink && ioctl_ficlone(&target, &source).is_ok() {
            target.set_len(len)?;
            target.sync_all()?;
            progress(len);
            return Ok(Placed { reflinked: len, ..Placed::default() });
        }
        copy(&source, &target, len, progress)?;
        target.sync_all()?;
        Ok(Placed { copied: len, ..Placed::default() })
    }
}

/// Refuses links from one file system into another, which no probe is needed for. `to` need not be there yet.
pub(crate) fn check_link(from: &Path, to: &Path) -> Result<(), ImportError> {
    let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev());
    let there = to.ancestors().find(|above| above.exists()).unwrap_or(Path::new("."));
    let (theirs, ours) =
        (device(from).map_err(ImportError::at(from))?, device(there).map_err(ImportError::at(there))?);
    if theirs == ours { Ok(()) } else { Err(no_link(from, to, "they are on two file systems".to_owned())) }
}

fn no_link(from: &Path, to: &Path, why: String) -> ImportError {
    ImportError::NoLink { from: from.to_path_buf(), to: to.to_path_buf(), why }
}

/// Tries it with a small file, which is gone afterwards: two mounts of one file system share no files either.
fn link_works(file: &Path, to: &Path) -> Result<io::Result<()>, ImportError> {
    let probe = to.join(".link-probe");
    let answer = fs::hard_link(file, &probe);
    if answer.is_ok() {
        fs::remove_file(&probe).map_err(ImportError::at(&probe))?;
    }
    Ok(answer)
}

/// Tries it with a small file, which is gone afterwards.
fn reflink_works(file: &Path, to: &Path) -> Result<Result<(), Errno>, ImportError> {
    let probe = to.join(".reflink-probe");
    let source = File::open(file).map_err(ImportError::at(file))?;
    let target = File::create(&probe).map_err(ImportError::at(&probe))?;
    let answer = ioctl_ficlone(&target, &source);
    fs::remove_file(&probe).map_err(ImportError::at(&probe))?;
    Ok(answer)
}

fn copy(source: &File, target: &File, len: u64, progress: &dyn Fn(u64)) -> io::Result<()> {
    let (mut from, mut to) = (0, 0);
    while from < len {
        let wanted = usize::try_from(len - from).unwrap_or(CHUNK).min(CHUNK);
        match copy_file_range(source, Some(&mut from), target, Some(&mut to), wanted) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => progress(count as u64),
            Err(Errno::INTR) => {}
            // Between file systems, or on one that does not know the call.
            Err(Errno::XDEV | Errno::NOSYS | Errno::INVAL | Errno::OPNOTSUPP | Errno::PERM) => {
                return copy_by_hand(source, target, from, len, progress);
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

fn copy_by_hand(
    mut source: &File,
    mut target: &File,
    from: u64,
    len: u64,
    progress: &dyn Fn(u64),
) -> io::Result<()> {
    source.seek(SeekFrom::Start(from))?;
    target.seek(SeekFrom::Start(from))?;
    let mut at = from;
    while at < len {
        let wanted = (len - at).min(CHUNK as u64);
        match io::copy(&mut source.take(wanted), &mut target)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                at += count;
                progress(count);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn placed(way: Way, len: u64, is_closed: bool) -> (Placed, Vec<u8>, bool, u64) {
        let dir = tempfile::tempdir().expect("a directory");
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::write(&from, b"0123456789").expect("written");
        let told = Cell::new(0);
        let placed =
            way.place(&from, &to, len, is_closed, &|bytes| told.set(told.get() + bytes)).expect("placed");
        let inode = |path| fs::metadata(path).expect("there").ino();
        (placed, fs::read(&to).expect("read"), inode(&from) == inode(&to), told.get())
    }

    #[test]
    fn only_whole_closed_files_are_linked() {
        let linked = Placed { linked: 10, ..Placed::default() };
        assert_eq!(placed(Way::Link, 10, true), (linked, b"0123456789".to_vec(), true, 10));
        for (len, is_closed) in [(10, false), (4, true)] {
            let (how, bytes, is_same, told) = placed(Way::Link, len, is_closed);
            assert_eq!((how.copied, bytes.len() as u64, is_same, told), (len, len, false, len));
        }
    }

    #[test]
    fn a_copy_ends_where_it_is_told_to() {
        assert_eq!(placed(Way::Copy, 3, true).1, b"012");
        assert_eq!(placed(Way::Copy, 0, true).1, b"");
    }

    #[test]
    fn a_file_that_became_shorter_is_an_error() {
        let dir = tempfile::tempdir().expect("a directory");
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::write(&from, b"0123").expect("written");
        assert!(Way::Copy.place(&from, &to, 5, false, &|_| ()).is_err());
    }

    #[test]
    fn copying_by_hand_comes_to_the_same() {
        let (mut source, target) =
            (tempfile::tempfile().expect("a file"), tempfile::tempfile().expect("a file"));
        io::Write::write_all(&mut source, b"0123456789").expect("written");
        copy_by_hand(&source, &target, 0, 7, &|_| ()).expect("copied");
        let mut bytes = Vec::new();
        (&target).seek(SeekFrom::Start(0)).expect("sought");
        (&target).read_to_end(&mut bytes).expect("read");
        assert_eq!(bytes, b"0123456");
    }

    #[test]
    fn links_into_another_file_system_are_refused_before_anything_is_done() {
        let dir = tempfile::tempdir().expect("a directory");
        check_link(dir.path(), &dir.path().join("not/there/yet")).expect("one file system");
        let other = Path::new("/proc/self");
        let said = check_link(other, &dir.path().join("to")).expect_err("two").to_string();
        assert!(said.contains("two file systems") && said.contains("--link"), "{said}");
        let refused = Way::find(How::Link, Path::new("/proc/self/status"), dir.path()).expect_err("refused");
        assert!(matches!(refused, ImportError::NoLink { .. }), "{refused}");
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 0);
    }

    #[test]
    fn what_cannot_share_blocks_is_copied_unless_it_must_not_be() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("file");
        fs::write(&file, b"0123").expect("written");
        let auto = Way::find(How::Auto, &file, dir.path()).expect("a way");
        match Way::find(How::Reflink, &file, dir.path()) {
            Ok(way) => assert_eq!((way, auto), (Way::Reflink, Way::Reflink)),
            Err(error) => {
                eprintln!("no reflinks here: {error}");
                assert_eq!(auto, Way::Copy);
            }
        }
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1, "the probe is gone");
    }
}

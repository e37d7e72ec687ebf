//! What is in a file that has lost its name goes with the process: before that it gets another one.

use std::io;
use std::path::PathBuf;

use pagewire_disk::{DiskFile, OpenMode};

use super::file::StoreFile;

/// Bytes of a piece.
const PIECE: usize = 1 << 20;

impl StoreFile {
    /// Puts a copy beside the place of a file that somebody removed or replaced, for somebody to put there: it is not known what they
    /// wanted.
    pub(super) fn rescue(&self) {
        let Some(file) = self.taken() else { return };
        let path = self.path().display();
        if !file.is_nameless().unwrap_or(false) {
            return tracing::error!(
                "{path} was moved away while this broker had it open: it has another name now, and the next start looks for it in \
                 its place. Put it back there"
            );
        }
        match self.copied(&*file) {
            Ok(rescued) => tracing::error!(
                "{path} was removed or replaced while this broker had it open, and the next start does not find what was in it. That is \
                 in {} now: rename it to {path} before the next start",
                rescued.display()
            ),
            Err(error) => tracing::error!(
                %error,
                "{path} was removed or replaced while this broker had it open, and what was in it is lost: no copy can be made. \
                 `pagewire restore` of a backup brings back what that has"
            ),
        }
    }

    fn copied(&self, file: &dyn DiskFile) -> io::Result<PathBuf> {
        let (half, whole) =
            (self.path().with_extension("redb.rescued.new"), self.path().with_extension("redb.rescued"));
        let copy = self.disk().open(&half, OpenMode::Create)?;
        copy.set_len(0)?;
        let (mut at, mut piece) = (0, vec![0; PIECE]);
        loop {
            let read = file.read_at(at, &mut piece)?;
            let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
            copy.write_at(at, bytes)?;
            at += read as u64;
        }
        copy.sync_data()?;
        self.disk().rename(&half, &whole)?;
        self.disk().sync_dir(self.path().parent().unwrap_or_else(|| self.path()))?;
        Ok(whole)
    }
}

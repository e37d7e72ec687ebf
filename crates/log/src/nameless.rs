//! Files that somebody removes, or moves away, while records are written to them. They go on being written and synced for as long
//! as they are open. A removed one is gone with the last one who has it open: its number of names tells, without a look at any
//! path. One that was moved has its name elsewhere, where no start looks for it: what its own name leads to tells.

use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_disk::{Disk, DiskFile, Pasted};

use crate::home::Home;
use crate::log::Log;
use crate::segment::Segment;
use crate::segment::named::LedTo;

impl Log {
    /// Looks whether the active segment's file, if it is open, is still there. A log whose file is not takes no writes.
    pub(crate) fn look_for_its_file(&self) {
        if self.online().is_ok()
            && let Some(error) = self.told_active_away()
            && !self.is_given_up()
        {
            self.poison(&error, "the active segment");
        }
    }

    /// What is told of a segment whose file is not where its name leads, unless the log itself took that away.
    pub(crate) fn told_away(&self, segment: &Arc<Segment>, file: &dyn DiskFile) -> Option<io::Error> {
        let (disk, path) = (&*self.home.disk, segment.path());
        let led_to = segment.led_to(file);
        if led_to == LedTo::It || !self.misses(segment) {
            return None;
        }
        if file.is_nameless().ok()? {
            return Some(removed(&self.home, &path, file));
        }
        // Where the log directory itself is another one, that is told of it.
        if led_to != LedTo::Elsewhere || disk.exists(&path).is_err() {
            return None;
        }
        let to = whereabouts(file);
        // What was removed and has another name, one that was linked, is said to be where it was.
        let is_gone = to.as_deref().is_some_and(|to| !is_at(disk, to, file));
        Some(if is_gone {
            removed(&self.home, &path, file)
        } else {
            moved(&self.home, &path, file, to.as_deref())
        })
    }

    /// An error that only says that a name is not there, in the words of whoever looks for the active segment's file.
    pub(crate) fn looked_at_again(&self, error: &io::Error) -> Option<io::Error> {
        let is_of_a_name = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
        if !is_of_a_name || error.raw_os_error().is_none() {
            return None;
        }
        self.told_active_away()
    }

    /// What is told of the active segment, if it is open and its file is not where its name leads.
    fn told_active_away(&self) -> Option<io::Error> {
        let active = self.active()?;
        let file = active.open_file()?;
        self.told_away(&active, &*file)
    }

    /// Whether a segment's file is to have its name. Retention and whoever deletes the partition take it away too, and say so first.
    pub(crate) fn misses(&self, segment: &Arc<Segment>) -> bool {
        let is_listed = self.segments.load().iter().any(|listed| Arc::ptr_eq(listed, segment));
        is_listed && !self.has_left()
    }
}

fn is_at(disk: &dyn Disk, path: &Path, file: &dyn DiskFile) -> bool {
    let (there, open) = (disk.identity(path).ok().flatten(), file.identity().ok().flatten());
    there.is_some() && there == open
}

/// Where an open file is now, as far as the system says so.
fn whereabouts(file: &dyn DiskFile) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/self/fd/{}", file.file().as_raw_fd())).ok()
}

/// Whether an open file has a name, though it may not be its own.
pub(crate) fn is_elsewhere(disk: &dyn Disk, file: &dyn DiskFile) -> bool {
    !file.is_nameless().unwrap_or(false) && whereabouts(file).is_some_and(|at| is_at(disk, &at, file))
}

/// What is told of an open file that has lost its name, which was `path`.
pub(crate) fn removed(home: &Home, path: &Path, file: &dyn DiskFile) -> io::Error {
    let copied = copied(file, path);
    let back = match home.health.online() {
        Some(online) => {
            format!("`{online}` puts back all that it has open of the log, `{copied}` this file alone back")
        }
        None => format!("`{copied}` brings them back"),
    };
    let what = format!(
        "{} was removed or replaced. Its records go when this broker ends: before that, {back}",
        path.display(),
    );
    io::Error::new(ErrorKind::NotFound, what)
}

/// What is told of the log's `file`, whose name is `path`, that is at `to` now. If it went with its directory, that is named.
fn moved(home: &Home, path: &Path, file: &dyn DiskFile, to: Option<&Path>) -> io::Error {
    let is_there = |path: &Path| home.disk.exists(path).unwrap_or(true);
    let of = to.and_then(Path::parent).filter(|of| home.is_at(of));
    let is_without_dir = !is_there(&home.dir);
    let (path, to) = if is_without_dir && of.is_some() { (&*home.dir, of) } else { (path, to) };
    let whereto = to.map(|to| format!(" to {}", to.display())).unwrap_or_default();
    let back = match to {
        // Its directory was another one, which is there no more.
        Some(_) if is_without_dir && of.is_none() => format!(
            "`{}` brings it back, and what else was in {} has to be put there as well",
            copied(file, path),
            home.dir.display()
        ),
        Some(to) if !is_there(path) => format!("`mv {} {}` brings it back", Pasted(to), Pasted(path)),
        _ => "it has to be put back".to_owned(),
    };
    let what = format!(
        "{} was moved away{whereto}, and no start looks for it there: {back}, with what was written to it since",
        path.display()
    );
    io::Error::new(ErrorKind::NotFound, what)
}

/// The command that copies an open file to `path`, as long as this process lives.
fn copied(file: &dyn DiskFile, path: &Path) -> String {
    let (process, number) = (std::process::id(), file.file().as_raw_fd());
    format!("install -D -m 644 /proc/{process}/fd/{number} {}", Pasted(path))
}

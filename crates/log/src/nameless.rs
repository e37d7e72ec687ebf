//! Files that somebody removes, or moves away, while records are written to them. They go on being written and synced for as long
//! as they are open. A removed one is gone with the last one who has it open: its number of names tells, without a look at any
//! path. One that was moved has its name elsewhere, where no start looks for it: what its own name leads to tells.

use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_disk::{Disk, DiskFile, OpenMode, Pasted};

use crate::home::Home;
use crate::log::Log;
use crate::segment::Segment;
use crate::segment::named::LedTo;

impl Log {
    /// Looks whether the active segment's file, if it is open, is still there. A log whose file is not takes no writes.
    pub(crate) fn look_for_its_file(&self) {
        if self.online().is_ok()
            && let Some(error) = self.active_told_away()
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
            return Some(self.removed(&path, file));
        }
        // Where the log directory itself is another one, that is told of it.
        if led_to != LedTo::Elsewhere || disk.exists(&path).is_err() {
            return None;
        }
        let to = whereabouts(file);
        // What was removed and has another name, one that was linked, is said to be where it was.
        let is_gone = to.as_deref().is_some_and(|to| !is_at(disk, to, file));
        Some(if is_gone { self.removed(&path, file) } else { moved(&self.home, &path, file, to.as_deref()) })
    }

    /// What is told of an open file that has lost its name, which was `path`.
    fn removed(&self, path: &Path, file: &dyn DiskFile) -> io::Error {
        let is_one = self.removed_files().len() < 2;
        let all_of = whereabouts(file).filter(|_| !is_one);
        let (others, back) = match all_of.as_deref().and_then(Path::parent) {
            Some(dir) => (", and others of its log", copied_all(dir)),
            None => ("", copied(file, path)),
        };
        let what = format!(
            "{} was removed or replaced{others}. Its records go when the log is opened again or this broker ends: before that, \
             `{back}` brings them back",
            path.display()
        );
        io::Error::new(ErrorKind::NotFound, what)
    }

    /// The files of segments that were removed, and that this process alone has: open, and not under their names again.
    fn removed_files(&self) -> Vec<Arc<dyn DiskFile>> {
        let segments = self.segments.load();
        let is_back = |segment: &Segment, file: &dyn DiskFile| {
            let there = segment.home.disk.open(&segment.path(), OpenMode::Read).and_then(|file| file.len());
            there.is_ok_and(|there| file.len().is_ok_and(|len| there >= len))
        };
        let open = segments.iter().filter_map(|segment| Some((segment, segment.open_file()?)));
        let gone = open.filter(|(segment, file)| {
            file.is_nameless().unwrap_or(false) && self.misses(segment) && !is_back(segment, &**file)
        });
        gone.map(|(_, file)| file).collect()
    }

    /// Of a log whose files this process alone has: how many, and the command that brings them back.
    pub(crate) fn held_alone(&self) -> Option<(usize, String)> {
        let files = self.removed_files();
        let dir = whereabouts(&**files.first()?)?;
        Some((files.len(), copied_all(dir.parent()?)))
    }

    /// What is told of the active segment where something of the log was not found.
    pub(crate) fn active_told_away(&self) -> Option<io::Error> {
        let active = self.active()?;
        let file = active.open_file()?;
        self.told_away(&active, &*file)
    }

    /// Whether a segment's file is to have its name. Retention and whoever deletes the partition take it away too, and say so first.
    fn misses(&self, segment: &Arc<Segment>) -> bool {
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

/// The same of every `.log` of `dir` that is open and was removed. A shell runs it as it stands.
fn copied_all(dir: &Path) -> String {
    let (process, dir) = (std::process::id(), Pasted(dir));
    format!(
        "for f in /proc/{process}/fd/*; do n=$(readlink \"$f\"); case $n in {dir}/*.log' (deleted)') install -D -m 644 \"$f\" \
         \"${{n% (deleted)}}\";; esac; done"
    )
}

//! Findings that wait for the forecast: what becomes of bytes that are no batch is known once recovery was rehearsed, and that
//! need not read again what the walk has found good. Of segments that no start reads nothing waits; but damage at the end of one
//! waits for the next good batch, in whatever segment that is.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::finding::Onward;
use super::forecast::Forecast;
use super::job::{Job, Kept};
use super::partition::Known;
use super::segment::Seen;

/// Segments with findings that wait at most. With more of them the forecast is made before the walk is at its end.
const WAITING_MAX: usize = 1024;

/// Segments in a row without a good batch that wait for one at most. Of more it is not said where records go on.
const SEEKING_MAX: usize = 1024;

/// See the module.
pub(super) struct Held<'p> {
    dir: &'p Path,
    known: &'p Known,
    /// Up to where the walk found nothing wrong, by base offset, in segments that the next start reads.
    whole: HashMap<i64, u64>,
    /// Findings that wait for the next good batch; whether the next start reads their segment.
    seeking: Vec<(bool, Kept)>,
    waiting: Vec<Kept>,
    forecast: Option<Forecast>,
    /// Files of which something is said.
    named: HashSet<PathBuf>,
}

impl<'p> Held<'p> {
    pub(super) fn new(dir: &'p Path, known: &'p Known) -> Self {
        let (whole, named) = (HashMap::new(), HashSet::new());
        Self { dir, known, whole, seeking: Vec::new(), waiting: Vec::new(), forecast: None, named }
    }

    /// Takes what is to be said of the segment at `base`. `is_read`: the next start reads it.
    pub(super) fn add(&mut self, job: &mut Job<'_>, (base, seen): (i64, &Seen), is_read: bool, kept: Kept) {
        if is_read {
            self.whole.insert(base, seen.whole_to);
        }
        if let Some(first) = seen.first_good {
            self.go_on(job, Onward::At(first));
        }
        if kept.seeks() && self.seeking.len() < SEEKING_MAX {
            self.seeking.push((is_read, kept));
        } else {
            self.hold(job, is_read, kept);
        }
    }

    /// This follows all that is damaged so far.
    fn go_on(&mut self, job: &mut Job<'_>, onward: Onward) {
        for (is_read, mut kept) in std::mem::take(&mut self.seeking) {
            kept.go_on(onward);
            self.hold(job, is_read, kept);
        }
    }

    fn hold(&mut self, job: &mut Job<'_>, is_read: bool, kept: Kept) {
        if kept.is_empty() {
            return;
        }
        self.named.extend(kept.files());
        if !is_read || self.known.live {
            kept.tell(job);
            return;
        }
        self.waiting.push(kept);
        if self.waiting.len() >= WAITING_MAX {
            let mut of_the_log = Kept::default();
            self.flush(job, &mut of_the_log);
            of_the_log.tell(job);
        }
    }

    /// Tells what waits.
    fn flush(&mut self, job: &mut Job<'_>, kept: &mut Kept) {
        let (dir, known, whole) = (self.dir, self.known, &mut self.whole);
        let forecast = self.forecast.get_or_insert_with(|| {
            Forecast::of(job.disk, dir, known, std::mem::take(whole), kept).of_kafkas(job.is_kafkas)
        });
        for mut waiting in self.waiting.drain(..) {
            waiting.resolve(forecast);
            waiting.tell(job);
        }
    }

    /// The walk is at its end: tells what waits, and what becomes of the log for other reasons. What is to be said of the log
    /// itself goes to `kept`.
    pub(super) fn end(mut self, job: &mut Job<'_>, kept: &mut Kept) {
        self.go_on(job, Onward::Nowhere);
        self.flush(job, kept);
        let told = |file: &Path| self.named.contains(file) || kept.names(file);
        let mut rest = Kept::default();
        if let Some(forecast) = &self.forecast {
            forecast.tell_the_rest(&told, self.known.clean, &mut rest);
        }
        rest.tell(job);
    }
}

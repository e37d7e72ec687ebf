//! Findings that wait for the forecast: what becomes of bytes that are no batch is known once recovery was rehearsed, and that
//! need not read again what the walk has found good. Of segments that no start reads nothing waits.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::forecast::Forecast;
use super::job::{Job, Kept};
use super::partition::Known;

/// Segments with findings that wait at most. With more of them the forecast is made before the walk is at its end.
const WAITING_MAX: usize = 1024;

/// See the module.
pub(super) struct Held<'p> {
    dir: &'p Path,
    known: Known,
    /// Up to where the walk found nothing wrong, by base offset, in segments that the next start reads.
    whole: HashMap<i64, u64>,
    waiting: Vec<Kept>,
    forecast: Option<Forecast>,
    /// Files of which something is said.
    named: HashSet<PathBuf>,
}

impl<'p> Held<'p> {
    pub(super) fn new(dir: &'p Path, known: Known) -> Self {
        let (whole, waiting, named) = (HashMap::new(), Vec::new(), HashSet::new());
        Self { dir, known, whole, waiting, forecast: None, named }
    }

    /// Takes what is to be said of a segment, which is whole up to a position. `is_read`: the next start reads it.
    pub(super) fn add(&mut self, job: &mut Job<'_>, whole: (i64, u64), is_read: bool, kept: Kept) {
        if is_read {
            self.whole.extend([whole]);
        }
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
        let (dir, known, whole) = (self.dir, &self.known, &mut self.whole);
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
        self.flush(job, kept);
        let told = |file: &Path| self.named.contains(file) || kept.names(file);
        let mut rest = Kept::default();
        if let Some(forecast) = &self.forecast {
            forecast.tell_the_rest(&told, self.known.clean, &mut rest);
        }
        rest.tell(job);
    }
}

//! What the next start makes of a log: recovery itself is run, on a disk on which changes are only played. So the two cannot
//! differ.
//!
//! Where the walk over the files has found nothing wrong, recovery looks at headers only.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_disk::Disk;
use pagewire_disk::checkpoint::EPOCH_CHECKPOINT_FILE;

use super::finding::{Fate, Finding, Severity};
use super::job::Kept;
use super::partition::{Compaction, Known};
use super::rehearsal::Rehearsal;
use super::target::name_of;
use crate::answers::{OpenOptions, RecoveryReport};
use crate::config::LogConfig;
use crate::cuts::Cut;
use crate::dir::DirName;
use crate::handles::Handles;
use crate::home::Home;
use crate::log::Log;
use crate::rewritten;

/// Descriptors that recovery may keep meanwhile.
const HANDLES: usize = 16;

/// What will be cut, and rebuilt.
#[derive(Debug, Default)]
pub(super) struct Forecast {
    dir: PathBuf,
    report: RecoveryReport,
    /// Nobody opens the directory at present, so what it will be is known.
    known: bool,
    /// It begins elsewhere than was written down, and that is told: its epochs follow.
    start_is_new: bool,
    /// No start here opens it: an import does not cut off what good batches follow.
    is_kafkas: bool,
}

impl Forecast {
    /// Of the log in `dir`. One that a broker is serving will have changed by the next start: nothing is foretold of it.
    /// What cannot be opened is a finding.
    ///
    /// `whole`: up to where segments were found good, by base offset.
    pub(super) fn of(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        known: &Known,
        whole: HashMap<i64, u64>,
        kept: &mut Kept,
    ) -> Self {
        if known.live {
            return Self::default();
        }
        let play = match Rehearsal::on(Arc::clone(disk)) {
            Ok(play) => Arc::new(play),
            Err(error) => return Self::impossible(dir, &error, kept),
        };
        if known.others_wrote.is_some() {
            // As a start does it. It is not there, or it goes.
            let _ = play.remove_file(&dir.join(rewritten::FILE));
        }
        let home = Home::new(play, dir.to_path_buf(), Handles::new(HANDLES))
            .rehearsed(whole)
            .compacted(known.cleaned)
            .whole_since(known.whole_from)
            .witnessed(known.has_recovery_point, known.high_watermark)
            .certain_recovery(known.recovery_is_certain)
            .certain_watermark(known.watermark_is_certain)
            .certain_start(known.certain_start)
            .vouched(known.vouched);
        let options = OpenOptions {
            config: LogConfig {
                cleanup_compact: known.compaction == Compaction::Was,
                ..LogConfig::default()
            },
            recovery_point: known.recovery_point.unwrap_or(0),
            log_start_offset: known.log_start.unwrap_or(0),
            clean: known.clean,
            leader_epoch: -1,
            now_ms: 0,
        };
        let (topic, partition) = match DirName::parse(name_of(dir)) {
            DirName::Partition { topic, partition } => (topic, partition),
            _ => ("", 0),
        };
        match Log::open_at(home, topic, partition, options, &known.noted) {
            Ok((log, report)) => {
                let refused = known.log_start.is_some_and(|start| start > log.marks().log_end);
                let start_is_new = known.start_is_lost || refused && !known.certain_start;
                Self { dir: dir.to_path_buf(), report, known: true, start_is_new, is_kafkas: false }
            }
            Err(error) => Self::impossible(dir, &error, kept),
        }
    }

    fn impossible(dir: &Path, error: &dyn std::fmt::Display, kept: &mut Kept) -> Self {
        let what = format!("it cannot be opened: {error}");
        kept.push(Finding::new(Severity::Damage, dir, what, Fate::Stays));
        Self::default()
    }

    /// The same of a directory of Kafka's, or of one of ours.
    pub(super) fn of_kafkas(self, is_kafkas: bool) -> Self {
        Self { is_kafkas, ..self }
    }

    /// What becomes of bytes of a segment that are no batch.
    pub(super) fn fate_of(&self, file: &Path, position: u64) -> Fate {
        let goes = |cut: &&Cut| cut.file == file && cut.position <= position;
        let cut = self.report.cuts.iter().find(goes).filter(|cut| !(self.is_kafkas && cut.good.is_some()));
        cut.map_or(Fate::Refused, |_| Fate::Cut { offset: self.log_end() })
    }

    /// Whether that takes whole batches with it.
    pub(super) fn takes_good_ones(&self, file: &Path, position: u64) -> bool {
        let goes = |cut: &Cut| cut.file == file && cut.position <= position && cut.good.is_some();
        self.report.cuts.iter().any(goes)
    }

    /// Where the log will end, if it is cut.
    fn log_end(&self) -> i64 {
        self.report.cuts.iter().map(|cut| cut.offset).min().unwrap_or(i64::MAX)
    }

    /// Tells what will be cut or rebuilt for reasons that lie elsewhere than in what `kept` tells of the same file already.
    pub(super) fn tell_the_rest(&self, told: &dyn Fn(&Path) -> bool, clean: bool, kept: &mut Kept) {
        if self.is_kafkas {
            return;
        }
        for Cut { file, position, bytes, reason, .. } in
            self.report.cuts.iter().filter(|cut| !told(&cut.file))
        {
            let what = format!("{bytes} bytes go: {reason}");
            let fate = Fate::Cut { offset: self.log_end() };
            kept.push(Finding::new(Severity::Damage, file, what, fate).at(*position));
        }
        for Range { start, end } in &self.report.undecided {
            let what = format!(
                "transactions that are open since this offset may have ended among records that are lost: readers of committed \
                 records are refused the offsets {start} to {}, and compaction leaves them alone",
                end - 1
            );
            kept.push(Finding::new(Severity::Damage, &self.dir, what, Fate::Refused).offset(*start));
        }
        // After a kill what is derived is never whole; that is no news.
        let follows = |file: &Path| self.start_is_new && file.ends_with(EPOCH_CHECKPOINT_FILE);
        let rebuilt = self.report.rebuilt.iter().filter(|file| self.known && clean && !follows(file));
        for file in rebuilt.filter(|file| !told(file)) {
            let what = "it is not what an orderly stop left";
            kept.push(Finding::new(Severity::Doubt, file, what, Fate::Rebuilt));
        }
        let more = self.report.rebuilt.left_out();
        if self.known && clean && more > 0 {
            let what = format!("{more} more files are not what an orderly stop left");
            kept.push(Finding::new(Severity::Doubt, &self.dir, what, Fate::Rebuilt).counting(more));
        }
    }
}

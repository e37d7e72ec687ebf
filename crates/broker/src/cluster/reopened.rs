//! Partitions of a directory that is served: those that could not be opened, and those whose directories were missing. They were
//! opened before the turn, for recovering them may take long; what is left to do in it is to see which of them still have a
//! topic, to show those, and to make anew what is gone where that is wanted.

use std::path::Path;

use pagewire_log::{FailedLog, LoadReport, LogError};
use pagewire_wire::ErrorCode;

use super::online::Online;
use super::shown::Shown;
use super::{Change, Known, Refused};

/// Partitions that are told one by one.
const TOLD_MAX: usize = 8;

impl Change {
    /// Of a directory that is served, shows what was opened again, and with `empty` makes anew what is gone. Nothing else in it
    /// is touched, and nothing at all where nothing came.
    pub(super) async fn show_reopened(
        &self,
        path: &Path,
        mut report: LoadReport,
        empty: bool,
    ) -> Result<Online, Refused> {
        let cluster = self.cluster();
        let (log_dirs, topics) = (&cluster.log_dirs, cluster.topic_records().await?);
        let dir = log_dirs.here().find(|dir| dir.path() == path);
        if let Some(dir) = &dir {
            // Their topics may have been deleted while they were opened.
            self.drop_deleted(dir, &topics, &report.loaded).await;
        }
        let known = Known::of(&topics, &self.config());
        let is_known = |topic: &str, partition| known.settings(topic, partition).is_some();
        report.loaded.retain(|log| is_known(&log.topic, log.partition));
        report.failed.retain(|log| is_known(&log.topic, log.partition));
        let mut shown = Shown::default();
        if cluster.has_unshown() || empty && !log_dirs.gone_in(path).is_empty() {
            // Clients are to look whether they have what is there. Before anybody is served.
            let least_epoch = cluster.catalog.raise_leader_epoch().await?;
            // What cannot be opened was tried, or is another directory's: recovering it would keep the turn.
            let failed = log_dirs.unopened().into_iter().collect();
            log_dirs.accept_gone(path, empty);
            shown = self.show(&topics, &failed, least_epoch).await;
            log_dirs.accept_gone(path, false);
            self.go_on_moving(Vec::new()).await;
        }
        if let Some(dir) = &dir {
            self.forget_behind_in(dir, &topics).await;
        }
        let Shown { partitions, error, .. } = shown;
        let trouble = error.map(|error| error.to_string());
        let mut gone = log_dirs.gone_in(path);
        gone.retain(|log| is_known(&log.topic, log.partition));
        if partitions.is_empty() {
            return Err(nothing_came(path, &report.failed, &gone, trouble));
        }
        report.failed.extend(gone);
        let (partitions, read_only) = self.apart(partitions);
        Ok(Online { partitions, read_only, report, trouble })
    }
}

/// Why none of the partitions that a directory lacks is served now.
fn nothing_came(path: &Path, failed: &[FailedLog], gone: &[FailedLog], trouble: Option<String>) -> Refused {
    let mut why: Vec<String> = trouble.into_iter().collect();
    why.extend(some_of(failed, |log| format!("{}: {}", name(log), log.error)));
    if why.is_empty() && !gone.is_empty() {
        why.push(format!(
            "the directories of {} are not there, as before: put them back, or, if they are lost, make the partitions anew \
             with --empty",
            some_of(gone, name).join(", ")
        ));
        // What lies beside them under another name may be what is missed.
        let with_stray: Vec<&FailedLog> =
            gone.iter().filter(|log| matches!(log.error, LogError::Gone { stray: Some(_), .. })).collect();
        why.extend(with_stray.iter().take(TOLD_MAX).map(|log| format!("{}: {}", name(log), log.error)));
    }
    let why = match why.as_slice() {
        [] => format!("{} is served already, and nothing of it is missing", path.display()),
        why => format!("nothing of it is served that was not before: {}", why.join("; ")),
    };
    Refused::new(ErrorCode::KafkaStorageError, why)
}

fn name(log: &FailedLog) -> String {
    format!("{}-{}", log.topic, log.partition)
}

fn some_of(logs: &[FailedLog], told: impl Fn(&FailedLog) -> String) -> Vec<String> {
    let more = logs.len().saturating_sub(TOLD_MAX);
    let some = logs.iter().take(TOLD_MAX).map(told);
    some.chain((more > 0).then(|| format!("{more} more"))).collect()
}

//! `pagewire backup verify`.

use std::path::PathBuf;

use anyhow::bail;
use pagewire_broker::backup::{Limits, Progress, verify};
use tokio::sync::watch;

use super::{Watching, damage, lacks};
use crate::commands::stop;
use crate::output::units::{bytes, several};
use crate::output::{Format, Out};

pub(super) async fn run(dir: PathBuf, format: Format) -> anyhow::Result<()> {
    let limits = Limits { ending: stop::on_signal()?, ..Limits::default() };
    let (tell, told) = watch::channel(None);
    let name = dir.display().to_string();
    let work = tokio::task::spawn_blocking(move || {
        verify(&dir, &limits, &|progress: &Progress| {
            // Nobody looks on any more when the work has ended.
            let _ = tell.send(Some(progress.clone()));
        })
    });
    let found = Watching::default().beside(told, async { work.await.unwrap_or_else(resumed) }).await?;
    let mut out = Out::new();
    if matches!(format, Format::Table) {
        lacks::print(&found.lacks, &mut out)?;
        damage::print(&found.damage, &mut out)?;
    }
    let altered = damage::files(&found.damage);
    match format {
        Format::Json => out.json(&found)?,
        Format::Table => out.line(format_args!(
            "{name}: cluster {}, node {}, {}, {}, {}: all {}as written, every {}batch is good",
            found.cluster_id,
            found.node_id,
            several(found.logs as u64, "log"),
            several(found.files as u64, "file"),
            bytes(found.bytes),
            if altered.is_none() { "" } else { "others " },
            if found.damage.stretches == 0 { "" } else { "other " },
        ))?,
    }
    out.flush()?;
    if let Some(files) = altered {
        bail!(
            "{files} not what was copied; a restore of it takes what can be used if it is given --accept-damage"
        );
    }
    damage::end(&found.damage, "it was so when the backup was made, or nobody looked then", &found.lacks)
}

/// A panic of the work goes on here.
pub(in crate::commands) fn resumed<T>(error: tokio::task::JoinError) -> T {
    std::panic::resume_unwind(error.into_panic())
}

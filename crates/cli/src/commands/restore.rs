//! `pagewire restore`.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use pagewire_broker::backup::{BackupFailed, Limits, Progress, RestoreOptions, restore};
use pagewire_disk::Pasted;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::backup::{Watching, damage, lacks, resumed};
use super::stop;
use crate::Stopped;
use crate::args::backup::RestoreArgs;
use crate::output::units::{bytes, several};
use crate::output::{Format, Out, complain};

/// Runs it.
pub(crate) async fn run(args: RestoreArgs) -> anyhow::Result<()> {
    let limits = Limits { rate_bytes_per_second: args.rate, ending: stop::on_signal()? };
    let (tell, told) = watch::channel(None);
    let to = args.to.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(",");
    let are_several = args.to.len() > 1;
    let RestoreArgs { from, to: dirs, link: links, accept_damage, .. } = args;
    let made = dirs.clone();
    let ways_on = ways_on(&from, &dirs, links);
    let options = RestoreOptions { from, to: dirs, links, accept_damage };
    let runtime = Handle::current();
    let work = tokio::task::spawn_blocking(move || {
        restore(&options, &runtime, &limits, &|progress: &Progress| {
            // Nobody looks on any more when the work has ended.
            let _ = tell.send(Some(progress.clone()));
        })
    });
    let done = Watching::default().beside(told, async { work.await.unwrap_or_else(resumed) }).await;
    if done.as_ref().is_err_and(anyhow::Error::is::<Stopped>) {
        let is_left = |dir: &PathBuf| dir.read_dir().is_ok_and(|mut entries| entries.next().is_some());
        if made.iter().any(is_left) {
            complain(format_args!("stopped: {to} is not whole and will not be served, remove it"));
        } else {
            complain(format_args!("stopped: nothing of it is left in {to}"));
        }
    }
    let done = done.map_err(|error| match error.downcast_ref::<BackupFailed>() {
        Some(failed) if failed.is_damage() => anyhow!("{failed}. {ways_on}"),
        _ => error,
    })?;
    let mut out = Out::new();
    match args.output.format {
        Format::Json => out.json(&done)?,
        Format::Table => {
            let linked = match done.linked_bytes {
                0 => String::new(),
                linked => format!(" ({} linked)", bytes(linked)),
            };
            lacks::print(&done.lacks, &mut out)?;
            if done.lacks.missing_logs > 0 {
                out.line("what is not in the backup begins anew: its topics are there, its records are not")?;
            }
            damage::print(&done.damage, &mut out)?;
            let how = serve(Path::new(&to), are_several);
            out.line(format_args!(
                "{to}: cluster {}, node {}, {}, {}{linked}; {how}",
                done.cluster_id,
                done.node_id,
                several(done.logs as u64, "log"),
                bytes(done.bytes),
            ))?;
        }
    }
    out.flush()?;
    damage::end(&done.damage, "its reads are refused", &done.lacks)
}

/// What to type where the backup went bad.
fn ways_on(from: &Path, to: &[PathBuf], links: bool) -> String {
    let to: Vec<String> = to.iter().map(|dir| format!(" --to {}", Pasted(dir))).collect();
    let to = to.concat();
    let (from, link) = (Pasted(from), if links { " --link" } else { "" });
    format!(
        "`pagewire backup verify {from}` names all such files; `pagewire restore --accept-damage --from {from}{to}{link}` takes \
         what can be used"
    )
}

/// What to type next.
fn serve(dirs: &Path, are_several: bool) -> String {
    let how = if are_several { "--set log.dirs=" } else { "--data-dir " };
    format!("pagewire serve {how}{}", Pasted(dirs))
}

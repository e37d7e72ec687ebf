//! `pagewire backup`: asks the broker that serves the directory, or copies what a stopped one left.

pub(super) mod damage;
pub(super) mod lacks;
mod verify;
mod watching;

use std::path::{Path, PathBuf, absolute};

use anyhow::Context;
use pagewire_broker::back_up_stopped;
use pagewire_broker::backup::{BackupOptions, BackupSummary, Limits};
use pagewire_broker::config::BrokerConfig;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::serve::settings;
use super::stop;
use crate::Stopped;
use crate::args::backup::{BackupArgs, BackupCommand};
use crate::args::serve::ServeArgs;
use crate::client::control::{Control, Word, silence};
use crate::output::units::{bytes, several};
use crate::output::{Format, Out, complain};
pub(super) use verify::resumed;
pub(super) use watching::Watching;

/// Runs it.
pub(crate) async fn run(args: BackupArgs) -> anyhow::Result<()> {
    let format = args.output.format;
    if let Some(BackupCommand::Verify { dir }) = args.command {
        return verify::run(dir, format).await;
    }
    let options = options(&args)?;
    let first = args.from.first().cloned();
    let serve = ServeArgs { config: args.config, data_dir: first, ..ServeArgs::default() };
    let (mut config, _) = settings::load(&serve)?;
    if args.from.len() > 1 {
        config.log_dirs = args.from;
    }
    let stop = stop::on_signal()?;
    let home = config.log_dirs.first().context("there is no data directory: name it with --from DIR")?;
    let summary = match Control::of(home).await? {
        Some(control) => asked(control, &options, &stop).await,
        None => Box::pin(stopped(config, options.clone(), stop)).await,
    };
    if summary.as_ref().is_err_and(anyhow::Error::is::<Stopped>) {
        // A broker that has said nothing may begin when it goes on, and end at once.
        let holds = if options.to.exists() { "holds" } else { "may come to hold" };
        complain(format_args!("stopped: {} {holds} an unfinished backup, remove it", options.to.display()));
    }
    let summary = summary?;
    let mut out = Out::new();
    match format {
        Format::Json => out.json(&summary)?,
        Format::Table => print(&summary, &options.to, &mut out)?,
    }
    out.flush()?;
    damage::end(&summary.damage, "it is in the backup as it is", &summary.lacks)
}

fn options(args: &BackupArgs) -> anyhow::Result<BackupOptions> {
    // The broker has a current directory of its own.
    let here = |path: &PathBuf| absolute(path).with_context(|| format!("{}", path.display()));
    Ok(BackupOptions {
        to: here(args.to.as_ref().context("--to is missing")?)?,
        base: args.base.as_ref().map(here).transpose()?,
        links: !args.copy,
        verify: !args.no_verify,
        rate_bytes_per_second: args.rate,
        exclude: args.exclude.clone(),
        allow_missing: args.allow_missing,
    })
}

/// By the broker. It ends when this is dropped.
async fn asked(
    control: Control,
    options: &BackupOptions,
    stop: &CancellationToken,
) -> anyhow::Result<BackupSummary> {
    let mut request = serde_json::to_value(options)?;
    request.as_object_mut().context("options are an object")?.insert("verb".to_owned(), "backup".into());
    let mut watching = Watching::default();
    let show = |word: Word| match word {
        // One that a newer broker tells in other words is not shown.
        Word::Progress(progress) => {
            if let Ok(progress) = serde_json::from_value(progress) {
                watching.show(&progress);
            }
        }
        Word::Silence(time) => watching.note(&silence(time)),
    };
    let result = tokio::select! {
        result = control.ask(&request, show) => result?,
        () = stop.cancelled() => return Err(Stopped.into()),
    };
    serde_json::from_value(result).context("the broker's answer is not understood")
}

/// By this program.
async fn stopped(
    config: BrokerConfig,
    options: BackupOptions,
    stop: CancellationToken,
) -> anyhow::Result<BackupSummary> {
    let limits = Limits { rate_bytes_per_second: options.rate_bytes_per_second, ending: stop };
    let (tell, told) = watch::channel(None);
    let tell = move |progress: &_| {
        // Nobody looks on any more when the work has ended.
        let _ = tell.send(Some(Clone::clone(progress)));
    };
    let work = Box::pin(back_up_stopped(config, options, limits, tell));
    Watching::default().beside(told, work).await
}

fn print(summary: &BackupSummary, to: &Path, out: &mut Out) -> anyhow::Result<()> {
    for topic in &summary.deleted {
        out.line(format_args!("{topic}: deleted meanwhile, not in the backup"))?;
    }
    match summary.deleted_topics - summary.deleted.len().min(summary.deleted_topics) {
        0 => {}
        more => out.line(format_args!("{}: deleted meanwhile", several(more as u64, "more topic")))?,
    }
    lacks::print(&summary.lacks, out)?;
    damage::print(&summary.damage, out)?;
    let ways = [
        ("copied", summary.copied_bytes),
        ("shared", summary.shared_bytes),
        ("linked", summary.linked_bytes),
        ("of the earlier one", summary.earlier_bytes),
    ];
    let ways = ways.iter().filter(|(_, moved)| *moved > 0);
    let ways: Vec<String> = ways.map(|(way, moved)| format!("{} {way}", bytes(*moved))).collect();
    out.line(format_args!(
        "{}: {}, {}, {}, {} ({}){}",
        to.display(),
        several(summary.topics as u64, "topic"),
        several(summary.logs as u64, "log"),
        several(summary.files as u64, "file"),
        bytes(summary.bytes),
        ways.join(", "),
        match (summary.verified, summary.damage.is_none()) {
            (true, true) => "; every batch is good",
            (true, false) => "; every other batch is good",
            (false, _) => "; not verified",
        },
    ))
}

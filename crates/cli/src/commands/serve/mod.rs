//! `pagewire serve`: settings, a runtime, a node, one line on standard output, a clean end.

mod logging;
pub(super) mod settings;

use std::num::NonZero;
use std::path::Path;

use anyhow::{Context, bail};
use pagewire_broker::config::BrokerConfig;
use pagewire_broker::{Loggers, Node, StartError};
use pagewire_takeover::{Begun, Unfinished};
use tracing::{info, warn};

use super::stop;
use crate::args::serve::ServeArgs;
use crate::output::Out;

/// Threads for what blocks besides the broker's own I/O pools and what waits aside: looking up names, little else.
const BLOCKING_THREADS_MAX: usize = 4;
/// Appends run in place on all workers but one, which goes on when a disk does not answer. One more than there are processors would be
/// woken for nothing again and again.
const WORKERS_MIN: usize = 2;

/// Serves until a signal comes.
pub(crate) fn run(args: &ServeArgs) -> anyhow::Result<()> {
    let loggers = logging::start(args.log_level.as_deref(), args.log_format.unwrap_or_default())?;
    let (config, notices) = settings::load(args)?;
    for notice in notices {
        warn!("{notice}");
    }
    refuse_half_imported(config.data_dir())?;
    let descriptors = pagewire_broker::raise_descriptor_limit();
    let descriptors = descriptors.map_or_else(|| "any number of".to_owned(), |limit| limit.to_string());
    info!("{descriptors} files and sockets may be open");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers(config.worker_threads))
        .max_blocking_threads(
            BLOCKING_THREADS_MAX + pagewire_broker::threads_aside_max(config.log_dirs.len()),
        )
        .thread_name("pagewire")
        .enable_all()
        .build()
        .context("the runtime cannot start")?;
    let result = runtime.block_on(serve(config, loggers));
    runtime.shutdown_background();
    result
}

/// Threads that serve connections where so many are asked for: 0 is one for each processor.
fn workers(asked: usize) -> usize {
    let wanted =
        if asked == 0 { std::thread::available_parallelism().map_or(1, NonZero::get) } else { asked };
    wanted.max(WORKERS_MIN)
}

/// A directory that an import has not given its name yet is not to be made as a new one.
fn refuse_half_imported(dir: &Path) -> anyhow::Result<()> {
    if dir.join(pagewire_metadata::FILE_NAME).exists() {
        return Ok(());
    }
    let (left, what) = match Begun::default().unfinished(dir) {
        Unfinished::None => return Ok(()),
        Unfinished::AtWork(left) => (left, "an import to it is at work in"),
        Unfinished::Whole(left) => (
            left,
            "an import to it was interrupted before it had its name, and the same `pagewire import` again gives it that: it left",
        ),
        Unfinished::Partial(left) => (
            left,
            "an import to it was interrupted, and the same `pagewire import` again begins it anew: it left",
        ),
    };
    bail!("{} is not whole yet: {what} {}", dir.display(), left.display())
}

async fn serve(config: BrokerConfig, loggers: Loggers) -> anyhow::Result<()> {
    let stop = stop::on_signal()?;
    let node = match Node::start_until(config, loggers, stop.clone()).await {
        // Not serving yet, so nothing was promised: what was begun is recovered at the next start.
        Err(StartError::Stopped) => {
            info!(
                "stopped by a signal before anything was served; the next start does again what this one had not finished"
            );
            return Ok(());
        }
        node => node?,
    };
    info!("{}", node.summary());
    announce(&node);
    stop.cancelled().await;
    node.stop().await?;
    Ok(())
}

/// Whoever started this may have closed standard output; the broker serves all the same.
fn announce(node: &Node) {
    let addresses: Vec<String> = node.addresses().iter().map(ToString::to_string).collect();
    let mut out = Out::new();
    let line = format!("ready on {}", addresses.join(", "));
    if out.line(line).and_then(|()| out.flush()).is_err() {
        warn!("nobody reads standard output");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_worker_is_left_whatever_hangs_and_none_is_to_spare() {
        assert_eq!([1, 2, 7].map(workers), [2, 2, 7]);
        assert_eq!(workers(0), std::thread::available_parallelism().unwrap().get().max(2));
    }
}

//! What a check found, told as it comes; those that fold ([`Folded`]) at the end, be that one that a signal makes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use pagewire_log::verify::{Fate, Finding, Onward};
use parking_lot::Mutex;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::folded::Folded;
use crate::output::progress::Progress;
use crate::output::units::{bytes, date};
use crate::output::{Format, Out, complain};

/// A finding for programs.
#[derive(Serialize)]
struct Line<'a> {
    severity: &'static str,
    path: &'a Path,
    position: Option<u64>,
    offset: Option<i64>,
    /// Of records that are damaged or missing: where good ones go on, null if none follow. Not there of anything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<NextOffset>,
    what: &'a str,
    fate: &'static str,
    /// Where the log ends afterwards, if it is cut.
    ends_at: Option<i64>,
    /// When what it tells of was last written to, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_ms: Option<i64>,
    /// How many it stands for.
    count: u64,
}

/// Where good records go on; none if none follow.
#[derive(Serialize)]
struct NextOffset(Option<i64>);

/// Whoever tells.
pub(super) struct Telling {
    format: Format,
    total: u64,
    done: Arc<AtomicU64>,
    progress: Arc<Progress>,
    page: Arc<Mutex<Option<Page>>>,
}

/// What was told, and what waits; whoever ends it takes it.
struct Page {
    folded: Folded,
    out: Out,
}

impl Page {
    /// What waited.
    fn end(mut self) -> anyhow::Result<Out> {
        self.folded.lines().try_for_each(|line| self.out.line(line))?;
        Ok(self.out)
    }
}

impl Telling {
    /// Nothing yet, of so many bytes.
    pub(super) fn new(format: Format, total: u64) -> Self {
        Self {
            format,
            total,
            done: Arc::default(),
            progress: Arc::new(Progress::new(true, Some(total))),
            page: Arc::new(Mutex::new(Some(Page { folded: Folded::default(), out: Out::new() }))),
        }
    }

    /// Once `stop` is cancelled, what was found until then is told, and the process ends.
    pub(super) fn end_on(&self, stop: &CancellationToken) {
        let (stop, total) = (stop.clone(), self.total);
        let (progress, page, done) =
            (Arc::clone(&self.progress), Arc::clone(&self.page), Arc::clone(&self.done));
        tokio::spawn(async move {
            stop.cancelled().await;
            end_soon();
            let Some(page) = page.lock().take() else { return };
            progress.clear();
            // Where nobody reads any more, nothing is to be said.
            let _ = page.end().and_then(|mut out| out.flush());
            let done = done.load(Ordering::Relaxed).min(total);
            complain(format_args!(
                "stopped: {} of {} of records were read; only what was found until then is told, and nothing was changed",
                bytes(done),
                bytes(total)
            ));
            std::process::exit(i32::from(crate::STOPPED));
        });
    }

    /// So much is read, and this is being read.
    pub(super) fn is_at(&self, done: u64, what: String) {
        self.done.store(done, Ordering::Relaxed);
        self.progress.set(done, what);
    }

    /// Programs hear of each finding, people of all of one cause at the end.
    pub(super) fn tell(&self, finding: Finding) -> anyhow::Result<()> {
        let mut page = self.page.lock();
        // The process is ending.
        let Some(Page { folded, out }) = page.as_mut() else { return Ok(()) };
        self.progress.aside(|| {
            match self.format {
                Format::Json => out.json_line(&line(&finding))?,
                Format::Table => folded.keep(dated(finding)).map_or(Ok(()), |finding| out.line(finding))?,
            }
            out.flush()
        })
    }

    /// Does something that is seen on standard error.
    pub(super) fn beside(&self, work: impl FnOnce()) {
        self.progress.aside(work);
    }

    /// All was told but how it sums up.
    pub(super) fn end(&self) -> anyhow::Result<Out> {
        self.progress.clear();
        let page = self.page.lock().take();
        // Whoever has it ends the process.
        page.map_or_else(|| Err(crate::Stopped.into()), Page::end)
    }
}

/// Who hears is waited for no longer than this: one that does not read keeps nobody from ending.
const ENDS_WITHIN: Duration = Duration::from_secs(2);

/// Ends the process, if nothing else does.
fn end_soon() {
    let ending = thread::Builder::new().spawn(|| {
        thread::sleep(ENDS_WITHIN);
        std::process::exit(i32::from(crate::STOPPED));
    });
    if ending.is_err() {
        std::process::exit(i32::from(crate::STOPPED));
    }
}

/// For people a time is in the words.
fn dated(finding: Finding) -> Finding {
    let Some(time) = finding.time_ms.map(date) else { return finding };
    Finding { what: format!("{}; it was last written to at {time}", finding.what), ..finding }
}

fn line(finding: &Finding) -> Line<'_> {
    let Finding { severity, path, position, offset, onward, what, fate, time_ms, count } = finding;
    Line {
        severity: severity.name(),
        path,
        position: *position,
        offset: *offset,
        next_offset: onward.map(|onward| match onward {
            Onward::At(offset) => NextOffset(Some(offset)),
            Onward::Nowhere => NextOffset(None),
        }),
        what,
        fate: fate.name(),
        ends_at: if let Fate::Cut { offset } = fate { Some(*offset) } else { None },
        time_ms: *time_ms,
        count: *count,
    }
}

//! Progress of long work: on standard error, and only where a person looks at it.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the display changes.
const TICK: Duration = Duration::from_millis(100);

/// A line that says how far work is.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Shown if `wanted` and standard error is a terminal. `total` in bytes, if it is known.
    pub(crate) fn new(wanted: bool, total: Option<u64>) -> Self {
        let shown = wanted && std::io::stderr().is_terminal();
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let template = if total.is_some() {
            "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {msg}"
        } else {
            "{spinner} {bytes} {bytes_per_sec} {msg}"
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(total, target).with_style(style);
        if shown {
            bar.enable_steady_tick(TICK);
        }
        Self { bar }
    }

    /// So many bytes are done.
    pub(crate) fn set(&self, bytes: u64, message: String) {
        self.bar.set_position(bytes);
        self.bar.set_message(message);
    }

    /// Takes the line away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

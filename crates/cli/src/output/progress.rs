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
        let bar = ProgressBar::with_draw_target(total, target).with_style(style(total.is_some()));
        if shown {
            bar.enable_steady_tick(TICK);
        }
        Self { bar }
    }

    /// Shown under the same conditions; counts steps and says how much time is left.
    pub(crate) fn steps(total: u64) -> Self {
        let this = Self::new(true, Some(total));
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len}, {eta} left  {wide_msg}");
        this.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        this
    }

    /// So much was done before anybody looked: that is no part of the rate.
    pub(crate) fn beginning_at(self, done: u64) -> Self {
        self.bar.set_position(done);
        // The length has the position looked at, which a position by itself is not always: the rate would begin below it.
        self.bar.set_length(self.bar.length().unwrap_or_default());
        self.bar.reset_eta();
        self
    }

    /// Writes a line above it, on standard error, whether it is shown or not.
    pub(crate) fn note(&self, line: &str) {
        self.bar.suspend(|| super::complain(line));
    }

    /// Takes it away while something is printed.
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// So much is done.
    pub(crate) fn set(&self, done: u64, message: String) {
        self.bar.set_position(done);
        self.bar.set_message(message);
    }

    /// So much of so much is done, which may not have been known before.
    pub(crate) fn set_of(&self, done: u64, total: u64, message: &str) {
        if self.bar.length().is_none() {
            self.bar.set_style(style(true));
        }
        self.bar.set_length(total);
        self.set(done, message.to_owned());
    }

    /// Takes the line away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// Of bytes. A part of nothing would look like all of it.
fn style(is_total_known: bool) -> ProgressStyle {
    let template = if is_total_known {
        "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {msg}"
    } else {
        "{spinner} {bytes} {bytes_per_sec} {msg}"
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_before_is_no_part_of_the_rate() {
        let line = Progress::new(false, Some(1 << 30));
        // As where it is shown: then a position by itself is looked at when the display changes.
        line.bar.enable_steady_tick(TICK);
        let line = line.beginning_at(32 << 20);
        line.set_of(32 << 20, 1 << 30, "");
        assert_eq!((line.bar.per_sec(), line.bar.position()), (0.0, 32 << 20));
    }
}

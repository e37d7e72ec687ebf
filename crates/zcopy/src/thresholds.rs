//! Which route is cheapest for which length: a short ladder, measured on a machine, kept as text.
//!
//! ```text
//!   # up to so many bytes   this route
//!   8192 copy
//!   max sendfile
//! ```
//!
//! One step a line, or several with commas between them, shortest first; the last one has no bound. `#` begins a
//! comment.

use std::fmt;
use std::str::FromStr;

use crate::Route;

/// Steps of a ladder at most.
pub const STEPS_MAX: usize = 8;
/// Text of a ladder at most, in bytes: what is longer is not one.
const TEXT_MAX: usize = 4096;
/// What is copied where nothing was measured: about where the page references of `sendfile` begin to cost less than
/// the copy (measured: a copy costs 0.7 to 0.95 times the CPU at 1 to 8 KiB, 1.3 to 2.5 times from 32 KiB to 1 MiB).
const COPY_MAX_BYTES: u64 = 8 << 10;

/// One step: pieces of at most so many bytes go this way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The longest piece, in bytes; `u64::MAX` for the last step.
    pub up_to_bytes: u64,
    /// The way.
    pub route: Route,
}

/// A ladder of [`Step`]s that covers every length. The default copies up to 8 KiB and sends the rest by `sendfile`.
///
/// To calibrate: time the routes (forced by [`TransferOptions::route`](crate::TransferOptions::route)) at a few lengths
/// on your machine, in CPU seconds of both sides, interleaved; write the cheapest down, keep the text, parse it at the
/// start. The text is a step a line, or several with commas between them; `#` begins a comment; at most 4,096 bytes.
///
/// ```
/// use pagewire_zcopy::{Route, Thresholds};
///
/// let measured: Thresholds = "4096 copy\n262144 sendfile\nmax splice".parse()?;
/// assert_eq!(measured.route_for(4096), Route::Copy);
/// assert_eq!(measured.route_for(1 << 20), Route::Splice);
/// assert_eq!(measured.to_string().parse(), Ok(measured));
/// # Ok::<(), pagewire_zcopy::ThresholdsError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Thresholds {
    steps: [Step; STEPS_MAX],
    len: u8,
}

/// Why steps are not a ladder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdsError {
    /// None, or more than [`STEPS_MAX`].
    #[error("{0} steps; 1 to {STEPS_MAX} are allowed")]
    Count(usize),
    /// A step does not reach further than the one before, or only the last may have no bound, or it has one.
    #[error("step {0}: lengths must rise, and the last step, and only that, must be max")]
    Order(usize),
    /// A line that is not a length and a route.
    #[error("line {line}: {text:?} is not a number of bytes (or max) and a route, such as `8192 copy`")]
    Line {
        /// Counted from 1.
        line: usize,
        /// As it stands.
        text: String,
    },
    /// A text so long is none.
    #[error("{0} bytes of text; a ladder has at most {TEXT_MAX}")]
    Text(usize),
}

impl Thresholds {
    /// A ladder of these steps, shortest first.
    ///
    /// # Errors
    /// [`ThresholdsError::Count`] for no steps or more than [`STEPS_MAX`], [`ThresholdsError::Order`] where lengths do
    /// not rise or the last step, and only that, is not `u64::MAX`.
    pub fn new(steps: &[Step]) -> Result<Self, ThresholdsError> {
        let len = steps.len();
        let mut all = [Step { up_to_bytes: u64::MAX, route: Route::Copy }; STEPS_MAX];
        let Some(taken) = all.get_mut(..len).filter(|_| len > 0) else {
            return Err(ThresholdsError::Count(len));
        };
        let mut before = None;
        for (index, step) in steps.iter().enumerate() {
            let last = index + 1 == len;
            if before.is_some_and(|before| step.up_to_bytes <= before)
                || last != (step.up_to_bytes == u64::MAX)
            {
                return Err(ThresholdsError::Order(index + 1));
            }
            before = Some(step.up_to_bytes);
        }
        taken.copy_from_slice(steps);
        Ok(Self { steps: all, len: len as u8 })
    }

    /// Pieces of at most `bytes` are copied, longer ones go by `sendfile`.
    pub fn copy_up_to(bytes: u64) -> Self {
        let mut steps = [Step { up_to_bytes: u64::MAX, route: Route::Sendfile }; STEPS_MAX];
        let [first, ..] = &mut steps;
        *first = Step { up_to_bytes: bytes, route: Route::Copy };
        Self { steps, len: if bytes == u64::MAX { 1 } else { 2 } }
    }

    /// The steps, shortest first.
    pub fn steps(&self) -> &[Step] {
        self.steps.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The route for a piece of `len` bytes.
    pub fn route_for(&self, len: u64) -> Route {
        let step = self.steps().iter().find(|step| len <= step.up_to_bytes);
        step.map_or(Route::Copy, |step| step.route)
    }
}

impl PartialEq for Thresholds {
    fn eq(&self, other: &Self) -> bool {
        self.steps() == other.steps()
    }
}

impl Eq for Thresholds {}

impl fmt::Debug for Thresholds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.steps()).finish()
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Self::copy_up_to(COPY_MAX_BYTES)
    }
}

impl fmt::Display for Thresholds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in self.steps() {
            match step.up_to_bytes {
                u64::MAX => writeln!(f, "max {}", step.route)?,
                bytes => writeln!(f, "{bytes} {}", step.route)?,
            }
        }
        Ok(())
    }
}

impl FromStr for Thresholds {
    type Err = ThresholdsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > TEXT_MAX {
            return Err(ThresholdsError::Text(text.len()));
        }
        let mut steps = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let text = line.split('#').next().unwrap_or_default();
            for words in text.split(',').filter(|words| !words.trim().is_empty()) {
                let wrong = || ThresholdsError::Line { line: index + 1, text: words.trim().to_owned() };
                steps.push(step(words).ok_or_else(wrong)?);
            }
        }
        Self::new(&steps)
    }
}

fn step(words: &str) -> Option<Step> {
    let mut words = words.split_whitespace();
    let (bound, route, rest) = (words.next()?, words.next()?, words.next());
    let up_to_bytes = if bound == "max" { u64::MAX } else { bound.parse().ok()? };
    rest.is_none().then_some(Step { up_to_bytes, route: Route::from_name(route)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_copies_up_to_eight_kibibytes() {
        let default = Thresholds::default();
        assert_eq!(default.to_string(), "8192 copy\nmax sendfile\n");
        assert_eq!((default.route_for(0), default.route_for(8192)), (Route::Copy, Route::Copy));
        assert_eq!(
            (default.route_for(8193), default.route_for(u64::MAX)),
            (Route::Sendfile, Route::Sendfile)
        );
    }

    #[test]
    fn copying_nothing_and_copying_everything_are_ladders_too() {
        assert_eq!(Thresholds::copy_up_to(0).route_for(1), Route::Sendfile);
        let all = Thresholds::copy_up_to(u64::MAX);
        assert_eq!((all.route_for(u64::MAX), all.to_string().parse()), (Route::Copy, Ok(all)));
    }

    #[test]
    fn text_with_comments_is_read_and_anything_else_refused_with_its_line() {
        let text = "# measured\n\n 100 copy, # small\nmax mmap\n";
        let read: Thresholds = text.parse().expect("a ladder");
        assert_eq!((read.steps().len(), read.route_for(101)), (2, Route::Mmap));
        for (bad, line) in
            [("x copy", 1), ("1 copy\n2", 2), ("max pigeon", 1), ("1 copy 2", 1), ("-1 copy", 1)]
        {
            let told = bad.parse::<Thresholds>();
            assert!(matches!(told, Err(ThresholdsError::Line { line: at, .. }) if at == line), "{told:?}");
        }
    }

    #[test]
    fn a_ladder_rises_ends_open_and_is_short() {
        assert_eq!("".parse::<Thresholds>(), Err(ThresholdsError::Count(0)));
        for (bad, step) in [("1 copy", 1), ("2 copy\n2 mmap\nmax sendfile", 2), ("max copy\n9 copy", 1)] {
            assert_eq!(bad.parse::<Thresholds>(), Err(ThresholdsError::Order(step)), "{bad}");
        }
        let many = "1 copy\n".repeat(STEPS_MAX) + "max copy";
        assert_eq!(many.parse::<Thresholds>(), Err(ThresholdsError::Count(STEPS_MAX + 1)));
        assert_eq!("x".repeat(5000).parse::<Thresholds>(), Err(ThresholdsError::Text(5000)));
    }
}

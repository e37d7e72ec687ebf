//! Where and when thresholds were measured: comments in front of the ladder, written and read by the same keys.
//!
//! ```text
//!   # kernel: 6.12.0
//!   # CPU: A Model 3
//!   # date: 2026-01-02T03:04:05Z
//!   8192 copy
//!   max sendfile
//! ```

use std::fmt;

/// The keys, in the order in which they are written.
const KEYS: [&str; 3] = ["kernel", "CPU", "date"];
/// Characters of one answer that are read: it may be anybody's, and goes to a terminal.
const CHARS_MAX: usize = 100;

/// Where and when [`Thresholds`](crate::Thresholds) were measured, as far as their text says. They serve on that kernel
/// and processor: keep this in front of them, and whoever reads them later can compare.
///
/// ```
/// use pagewire_zcopy::{MeasuredOn, Thresholds};
///
/// let here = MeasuredOn { kernel: Some("6.12.0".into()), cpu: Some("A Model 3".into()), date: None };
/// let text = format!("{here}{}", Thresholds::default());
/// assert_eq!(text.parse(), Ok(Thresholds::default()));
/// assert_eq!(MeasuredOn::told_by(&text), here);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MeasuredOn {
    /// The kernel's release, as `uname -r` prints it.
    pub kernel: Option<String>,
    /// The processor's name.
    pub cpu: Option<String>,
    /// When, in the writer's words.
    pub date: Option<String>,
}

impl MeasuredOn {
    /// What the comments of a ladder's text say; what they do not is `None`. Of each answer its first 100 characters, a
    /// space in place of each that steers a terminal.
    pub fn told_by(text: &str) -> Self {
        let [kernel, cpu, date] = KEYS.map(|key| text.lines().find_map(|line| answer(line, key)));
        Self { kernel, cpu, date }
    }
}

/// A comment a line, each ending with its line: the ladder follows. Names stay within their line, whatever is in them.
impl fmt::Display for MeasuredOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, answer) in KEYS.iter().zip([&self.kernel, &self.cpu, &self.date]) {
            if let Some(answer) = answer {
                writeln!(f, "# {key}: {}", answer.replace(char::is_control, " "))?;
            }
        }
        Ok(())
    }
}

/// The answer of the line `# key: answer`, if it is that line and says something.
fn answer(line: &str, key: &str) -> Option<String> {
    let said = line.strip_prefix('#')?.trim_start().strip_prefix(key)?.strip_prefix(':')?;
    let said = said.replace(char::is_control, " ");
    let said: String = said.trim().chars().take(CHARS_MAX).collect();
    (!said.is_empty()).then_some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(kernel: &str, cpu: &str, date: &str) -> MeasuredOn {
        let [kernel, cpu, date] = [kernel, cpu, date].map(|word| Some(word.to_owned()));
        MeasuredOn { kernel, cpu, date }
    }

    #[test]
    fn what_is_written_is_read() {
        for written in [
            on("6.12.0", "A Model 3", "2026-01-02T03:04:05Z"),
            MeasuredOn { cpu: None, ..on("6.12.0", "", "2026") },
            MeasuredOn::default(),
        ] {
            let text = format!("# a word before\n{written}8192 copy\nmax sendfile\n");
            assert_eq!(MeasuredOn::told_by(&text), written, "{text}");
        }
    }

    #[test]
    fn the_first_answer_counts_and_an_empty_one_is_none() {
        let text = "# kernel: 1\n# kernel: 2\n# CPU:\n# dates: 3\nmax copy # date: 4\n";
        assert_eq!(
            MeasuredOn::told_by(text),
            MeasuredOn { kernel: Some("1".to_owned()), ..MeasuredOn::default() }
        );
    }

    #[test]
    fn an_answer_stays_in_its_line_and_has_an_end_and_steers_no_terminal() {
        let written = on("1\n8192 pigeon", &"x".repeat(2 * CHARS_MAX), "a\u{1b}[2Jb").to_string();
        assert_eq!(written.lines().count(), KEYS.len());
        let read = MeasuredOn::told_by(&(written + "# date: \u{1b}[2J\n"));
        assert_eq!(read, on("1 8192 pigeon", &"x".repeat(CHARS_MAX), "a [2Jb"));
    }
}

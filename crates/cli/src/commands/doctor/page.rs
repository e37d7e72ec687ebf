//! Findings for people: groups under headings, the state in front, the words wrapped beside it to the terminal's width.
//! Colour only where a terminal shows it and NO_COLOR is not set.

use console::{Style, Term};
use pagewire_doctor::{Finding, Group, State};
use textwrap::{Options, WordSplitter, wrap};

use crate::output::Out;

/// Columns of what is not a terminal.
const COLUMNS: usize = 100;
/// Fewer columns are not wrapped to, more are hard to read.
const COLUMNS_MIN: usize = 40;
const COLUMNS_MAX: usize = 120;
/// Columns of the longest state, and what stands before and after it.
const STATE: usize = 15;
const INDENT: usize = 2 + STATE + 2;

/// The page as it is being printed.
#[derive(Debug)]
pub(super) struct Page {
    columns: usize,
    group: Option<Group>,
}

impl Page {
    /// For the terminal that standard output is, if it is one.
    pub(super) fn new() -> Self {
        let columns = Term::stdout().size_checked().map_or(COLUMNS, |(_, columns)| columns.into());
        Self::of(columns)
    }

    fn of(columns: usize) -> Self {
        Self { columns: columns.clamp(COLUMNS_MIN, COLUMNS_MAX), group: None }
    }

    /// One finding, under its group's heading.
    pub(super) fn print(&mut self, group: Group, finding: &Finding, out: &mut Out) -> anyhow::Result<()> {
        if self.group != Some(group) {
            if self.group.is_some() {
                out.line("")?;
            }
            out.line(Style::new().bold().apply_to(group))?;
            self.group = Some(group);
        }
        let lines = self.lines(finding);
        let mut lines = lines.iter();
        if let Some(first) = lines.next() {
            let state = style(finding.state).apply_to(format!("{:<STATE$}", finding.state));
            out.line(format_args!("  {state}  {first}"))?;
        }
        lines.try_for_each(|line| out.line(format_args!("{:INDENT$}{line}", "")))
    }

    /// The words of a finding, wrapped to what is left beside the state.
    fn lines(&self, finding: &Finding) -> Vec<String> {
        let width = self.columns.saturating_sub(INDENT);
        let found = format!("{}: {}", finding.check, finding.found);
        // Options and names of files are copied from here: they are not broken at their hyphens.
        let whole = Options::new(width).word_splitter(WordSplitter::NoHyphenation);
        let mut lines: Vec<String> = wrap(&found, whole.clone()).into_iter().map(Into::into).collect();
        if !finding.advice.is_empty() {
            let hanging = whole.initial_indent("→ ").subsequent_indent("  ");
            lines.extend(wrap(&finding.advice, hanging).into_iter().map(String::from));
        }
        lines
    }

    /// The last line.
    pub(super) fn sum_up(ok: usize, better: usize, broken: usize, out: &mut Out) -> anyhow::Result<()> {
        let part = |count: usize, state: State| {
            let style = if count == 0 { Style::new() } else { style(state) };
            style.apply_to(format!("{count} {state}")).to_string()
        };
        out.line("")?;
        let parts = [(ok, State::Ok), (better, State::CouldBeBetter), (broken, State::Broken)];
        out.line(parts.map(|(count, state)| part(count, state)).join(", "))
    }
}

fn style(state: State) -> Style {
    match state {
        State::Ok => Style::new().green(),
        State::CouldBeBetter => Style::new().yellow(),
        State::Broken => Style::new().red().bold(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding() -> Finding {
        Finding {
            check: "space".to_owned(),
            state: State::Broken,
            found: "a few words that are longer than what a narrow terminal shows in one line".to_owned(),
            advice: "make room, or choose another directory with --data-dir".to_owned(),
        }
    }

    #[test]
    fn words_are_wrapped_to_the_width_and_the_advice_hangs() {
        let lines = Page::of(50).lines(&finding());
        assert!(lines.iter().all(|line| line.chars().count() <= 50 - INDENT), "{lines:?}");
        assert!(lines[0].starts_with("space: "));
        let advice = lines.iter().position(|line| line.starts_with("→ ")).expect("an advice");
        assert!(lines[advice + 1..].iter().all(|line| line.starts_with("  ")), "{lines:?}");
    }

    #[test]
    fn an_option_that_is_to_be_copied_is_not_broken_at_its_hyphens() {
        for columns in COLUMNS_MIN..COLUMNS_MAX {
            let lines = Page::of(columns).lines(&finding());
            assert!(lines.iter().any(|line| line.contains("--data-dir")), "{lines:?}");
        }
    }

    #[test]
    fn a_width_that_makes_no_sense_is_no_width() {
        assert_eq!([0, 80, 1000].map(|columns| Page::of(columns).columns), [COLUMNS_MIN, 80, COLUMNS_MAX]);
    }
}

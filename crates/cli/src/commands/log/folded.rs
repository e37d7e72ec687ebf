//! What a check has to say of many places for one cause, in one line: the start of a broker that was killed may leave the same note
//! in each of a thousand partitions. Damage, and whatever is at an offset or a position, is not folded: each has its own place. But of a
//! file that is rebuilt from the log the first is told, and how many more there are: of one full of garbage each entry is wrong.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

use pagewire_log::verify::{Fate, Finding, Severity};

use crate::output::units::count;

/// Places that are named of each cause.
const NAMED_MAX: usize = 3;
/// Causes that are kept until the end. Of more each finding is told by itself.
const CAUSES_MAX: usize = 256;

/// Findings by their causes, in the order of their first.
#[derive(Debug, Default)]
pub(super) struct Folded {
    causes: Vec<Cause>,
    known: HashMap<(Severity, &'static str, String), usize>,
    files: Vec<File>,
    known_files: HashMap<PathBuf, usize>,
}

/// A file that is rebuilt.
#[derive(Debug)]
struct File {
    first: Finding,
    more: u64,
}

/// One of them.
#[derive(Debug)]
struct Cause {
    severity: Severity,
    what: String,
    fate: Fate,
    named: Vec<PathBuf>,
    places: u64,
}

impl Folded {
    /// Keeps a finding until the end; gives back one that is to be told by itself.
    pub(super) fn keep(&mut self, finding: Finding) -> Option<Finding> {
        let finding = if finding.fate == Fate::Rebuilt { self.keep_of_file(finding)? } else { finding };
        let Finding { severity, position, offset, fate, count, .. } = finding;
        let has_its_own_place = position.is_some() || offset.is_some() || count != 1;
        if severity == Severity::Damage || has_its_own_place {
            return Some(finding);
        }
        let key = (severity, fate.name(), finding.what.clone());
        let at = self.known.get(&key).copied();
        let Some(cause) = at.and_then(|at| self.causes.get_mut(at)) else {
            if self.causes.len() >= CAUSES_MAX {
                return Some(finding);
            }
            self.known.insert(key, self.causes.len());
            let Finding { path, what, .. } = finding;
            self.causes.push(Cause { severity, what, fate, named: vec![path], places: 1 });
            return None;
        };
        cause.places += 1;
        if cause.named.len() < NAMED_MAX {
            cause.named.push(finding.path);
        }
        None
    }

    /// The same of a file of which entries are wrong.
    fn keep_of_file(&mut self, finding: Finding) -> Option<Finding> {
        let at = self.known_files.get(&finding.path).copied();
        if let Some(file) = at.and_then(|at| self.files.get_mut(at)) {
            file.more += finding.count;
            if finding.severity > file.first.severity {
                file.first = finding;
            }
            return None;
        }
        if finding.position.is_none() || self.files.len() >= CAUSES_MAX {
            return Some(finding);
        }
        self.known_files.insert(finding.path.clone(), self.files.len());
        self.files.push(File { first: finding, more: 0 });
        None
    }

    /// A line for each file and each cause.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        self.files.iter().map(ToString::to_string).chain(self.causes.iter().map(ToString::to_string))
    }
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, more } = self;
        if *more == 0 {
            return first.fmt(f);
        }
        let what = format!("{}, and {} more in this file", first.what, count(*more));
        Finding { what, ..first.clone() }.fmt(f)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, what, fate, named, places } = self;
        let names: Vec<_> = named.iter().map(|path| path.display().to_string()).collect();
        let names = names.join(", ");
        match places - named.len() as u64 {
            _ if *places == 1 => write!(f, "{severity}: {names}: {what} ({fate})"),
            0 => write!(f, "{severity}: in {places} places ({names}): {what} ({fate})"),
            more => {
                write!(
                    f,
                    "{severity}: in {} places ({names} and {} more): {what} ({fate})",
                    count(*places),
                    count(more)
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(severity: Severity, path: &str, what: &str) -> Finding {
        Finding::new(severity, path, what, Fate::Removed)
    }

    fn told(findings: impl IntoIterator<Item = Finding>) -> (usize, Vec<String>) {
        let mut folded = Folded::default();
        let apart = findings.into_iter().filter_map(|finding| folded.keep(finding)).count();
        (apart, folded.lines().collect())
    }

    #[test]
    fn notes_of_one_cause_are_one_line_with_their_number_and_three_names() {
        let of = |count: usize| (0..count).map(|n| finding(Severity::Note, &format!("/d/t-{n}/f"), "old"));
        let line = |count| told(of(count)).1.concat();
        assert_eq!(line(1), "note: /d/t-0/f: old (removed at the next start)");
        assert_eq!(line(2), "note: in 2 places (/d/t-0/f, /d/t-1/f): old (removed at the next start)");
        assert_eq!(
            line(1234),
            "note: in 1,234 places (/d/t-0/f, /d/t-1/f, /d/t-2/f and 1,231 more): old (removed at the next start)"
        );
    }

    #[test]
    fn what_has_another_cause_or_is_damage_or_has_a_place_is_told_apart() {
        let findings = [
            finding(Severity::Note, "/d/a", "old"),
            finding(Severity::Note, "/d/b", "odd"),
            finding(Severity::Doubt, "/d/c", "old"),
            finding(Severity::Damage, "/d/d", "old"),
            Finding { offset: Some(7), ..finding(Severity::Doubt, "/d/e", "old") },
        ];
        let (apart, lines) = told(findings);
        assert_eq!((apart, lines.len()), (2, 3), "{lines:?}");
    }

    #[test]
    fn of_a_file_that_is_rebuilt_the_first_is_told_and_how_many_more_there_are() {
        let entry = |path: &str, position| Finding {
            position: Some(position),
            ..Finding::new(Severity::Damage, path, format!("entry {position} is wrong"), Fate::Rebuilt)
        };
        let end = Finding::new(Severity::Doubt, "/d/a", "ends at time -1", Fate::Rebuilt);
        let refused = Finding { fate: Fate::Refused, ..entry("/d/log", 7) };
        let all = [entry("/d/a", 0), entry("/d/b", 8), entry("/d/a", 8), refused, end];
        let (apart, lines) = told(all);
        assert_eq!(apart, 1);
        assert_eq!(
            lines,
            [
                "damage: /d/a at position 0: entry 0 is wrong, and 2 more in this file (rebuilt from the log)",
                "damage: /d/b at position 8: entry 8 is wrong (rebuilt from the log)"
            ]
        );
    }

    #[test]
    fn causes_beyond_the_limit_are_told_as_they_come() {
        let findings = (0..CAUSES_MAX + 5).map(|n| finding(Severity::Note, "/d/a", &format!("number {n}")));
        let (apart, lines) = told(findings);
        assert_eq!((apart, lines.len()), (5, CAUSES_MAX));
    }
}

//! What a part came to, and the table at the end.

use std::time::Duration;

use anyhow::Result;

/// How a part ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    /// But for facts that this machine does not let be tried, for these reasons.
    PassedWithout(String),
    Failed(String),
    /// A tool is missing here.
    Skipped(String),
}

impl Outcome {
    #[expect(clippy::unnecessary_wraps, reason = "the shape every part has")]
    pub(crate) fn of(passed: bool) -> Result<Self> {
        Ok(if passed { Self::Passed } else { Self::Failed("see above".into()) })
    }

    /// In continuous integration nothing may be skipped that a tool would do. What a kernel refuses no tool would mend: it is told.
    pub(crate) fn strict(self, strict: bool) -> Self {
        match self {
            Self::Skipped(why) if strict => {
                Self::Failed(format!("skipped, which CI=true does not allow: {why}"))
            }
            other => other,
        }
    }
}

/// A line of the summary.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) took: Duration,
}

/// Prints the table. `true` if nothing failed.
pub(crate) fn summary(rows: &[Row]) -> bool {
    println!("\n{:<14} {:<8} {:>8}  remark", "part", "result", "seconds");
    for row in rows {
        let (word, remark) = match &row.outcome {
            Outcome::Passed => ("ok", ""),
            Outcome::PassedWithout(why) => ("in part", why.as_str()),
            Outcome::Failed(why) => ("FAILED", why.as_str()),
            Outcome::Skipped(why) => ("skipped", why.as_str()),
        };
        let mut remarks = remark.lines();
        let first = remarks.next().unwrap_or_default();
        println!("{:<14} {:<8} {:>8.1}  {first}", row.name, word, row.took.as_secs_f64());
        for more in remarks {
            println!("{:<34}{more}", "");
        }
    }
    let count = |wanted: fn(&Outcome) -> bool| rows.iter().filter(|row| wanted(&row.outcome)).count();
    let failed = count(|o| matches!(o, Outcome::Failed(_)));
    let skipped = count(|o| matches!(o, Outcome::Skipped(_)));
    let in_part = count(|o| matches!(o, Outcome::PassedWithout(_)));
    let passed = rows.len() - in_part - failed - skipped;
    println!("\n{passed} passed, {in_part} in part, {failed} failed, {skipped} skipped");
    failed == 0
}

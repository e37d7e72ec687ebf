//! What a broker says of partitions that move between its log directories.

use serde::{Deserialize, Serialize};

use crate::output::units::{bytes, count, date};
use crate::output::{Out, Table};

/// How many there are, and some of them.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Moves {
    copying: u64,
    waiting: u64,
    given_up: u64,
    some: Vec<Move>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Move {
    topic: String,
    partition: i32,
    from: Option<String>,
    to: String,
    state: String,
    copied_bytes: u64,
    log_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure_ms: Option<i64>,
}

impl Move {
    /// What it is at, and what went wrong last.
    fn note(&self) -> String {
        let waits = self.waits_for.as_ref().map(|what| format!("waits for {what}"));
        let state = waits.unwrap_or_else(|| self.state.replace('_', " "));
        let Some(why) = &self.last_failure else { return state };
        let at = self.last_failure_ms.map(|at| format!(" at {}", date(at))).unwrap_or_default();
        format!("{state}; broke off{at}: {why}")
    }
}

impl Moves {
    /// A table of them, if there are any.
    pub(super) fn print(&self, node: i32, out: &mut Out) -> anyhow::Result<()> {
        if self.some.is_empty() {
            return Ok(());
        }
        out.line("")?;
        let mut table = Table::new(&[">NODE", "MOVES", "FROM", "TO", ">COPIED", ">OF", "NOTE"]);
        for one in &self.some {
            table.row([
                node.to_string(),
                format!("{}-{}", one.topic, one.partition),
                one.from.clone().unwrap_or_else(|| "?".to_owned()),
                one.to.clone(),
                bytes(one.copied_bytes),
                bytes(one.log_bytes),
                one.note(),
            ]);
        }
        table.print(out)?;
        let more = (self.copying + self.waiting + self.given_up).saturating_sub(self.some.len() as u64);
        if more > 0 {
            out.line(format_args!("node {node}: {} more that move, or were to", count(more)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_says_what_it_waits_for_and_why_it_broke_off_last() {
        let copying = Move { state: "copying".to_owned(), ..Move::default() };
        assert_eq!(copying.note(), "copying");
        let waits_for = Some("another attempt".to_owned());
        let (last_failure, last_failure_ms) = (Some("EIO".to_owned()), Some(0));
        let waiting = Move { waits_for, last_failure, last_failure_ms, ..copying };
        assert_eq!(waiting.note(), "waits for another attempt; broke off at 1970-01-01T00:00:00.000Z: EIO");
        let given_up = Move { state: "given_up".to_owned(), waits_for: None, ..waiting };
        assert_eq!(given_up.note(), "given up; broke off at 1970-01-01T00:00:00.000Z: EIO");
    }
}

//! Reading records from JSON lines: each is told by the field that only its kind has, and checked whole.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Records;
use crate::record::{DriveCell, ProofLine, RouteCell};
use crate::spread::Spread;

/// Records of all kinds together may be so many: a run of `lab routes` has some hundreds.
const RECORDS_MAX: usize = 50_000;

/// Why a line is no record. The caller adds which line of which file it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// It is not JSON, or a field is missing or of the wrong type.
    #[error("no record of the lab: {0}")]
    Malformed(serde_json::Error),
    /// It is an object of no kind that the lab writes.
    #[error("no record of the lab: it has none of the fields claim, broker, available, bytes")]
    Unknown,
    /// A figure cannot be: negative, not finite, a median outside its own spread, a share above one.
    #[error("{0} cannot be what it says")]
    Impossible(String),
    /// There are too many.
    #[error("more than {RECORDS_MAX} records")]
    TooMany,
}

impl Records {
    /// Adds the record on this line. A line of nothing but blanks is none.
    pub fn push_line(&mut self, line: &str) -> Result<(), LineError> {
        if line.trim().is_empty() {
            return Ok(());
        }
        if self.len() >= RECORDS_MAX {
            return Err(LineError::TooMany);
        }
        let value: Value = serde_json::from_str(line).map_err(LineError::Malformed)?;
        let has = |field| value.get(field).is_some();
        if has("claim") {
            self.claims.push(read(value)?);
        } else if has("broker") {
            self.drive.push(checked(read(value)?, of_drive)?);
        } else if has("available") {
            self.proof.push(checked(read(value)?, of_proof)?);
        } else if has("bytes") {
            self.routes.push(checked(read(value)?, of_route)?);
        } else {
            return Err(LineError::Unknown);
        }
        Ok(())
    }

    /// How many there are.
    fn len(&self) -> usize {
        self.routes.len() + self.proof.len() + self.claims.len() + self.drive.len()
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, LineError> {
    serde_json::from_value(value).map_err(LineError::Malformed)
}

fn checked<T>(record: T, impossible: impl Fn(&T) -> Option<&str>) -> Result<T, LineError> {
    match impossible(&record) {
        Some(field) => Err(LineError::Impossible(field.to_owned())),
        None => Ok(record),
    }
}

/// The field that cannot be, if there is one.
fn of_route(cell: &RouteCell) -> Option<&str> {
    let spreads = [
        ("cpu_s_per_gb", cell.cpu_s_per_gb),
        ("system_cpu_s_per_gb", cell.system_cpu_s_per_gb),
        ("mb_per_s", cell.mb_per_s),
        ("cpu_us_per_response", cell.cpu_us_per_response),
    ];
    let shares = [("by_route", cell.by_route)];
    let spread = spreads.into_iter().find(|(_, spread)| !is_spread(*spread)).map(|(field, _)| field);
    let share = shares.into_iter().find(|(_, share)| !is_share(*share)).map(|(field, _)| field);
    spread.or(share).or((cell.bytes == 0).then_some("bytes"))
}

fn of_proof(line: &ProofLine) -> Option<&str> {
    let shares =
        [("aliased", line.aliased), ("control", line.control), ("reported_copied", line.reported_copied)];
    shares.into_iter().find(|(_, share)| share.is_some_and(|share| !is_share(share))).map(|(field, _)| field)
}

fn of_drive(cell: &DriveCell) -> Option<&str> {
    let mut spreads = cell.figures.iter().chain(&cell.latency_us);
    spreads.find(|(_, spread)| !is_spread(**spread)).map(|(field, _)| field.as_str())
}

fn is_spread(Spread { min, median, max }: Spread) -> bool {
    0.0 <= min && min <= median && median <= max && max.is_finite()
}

fn is_share(share: f64) -> bool {
    (0.0..=1.0).contains(&share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn every_kind_reads_back_as_what_was_written() {
        let written = testing::records();
        let mut read = Records::default();
        for line in testing::lines(&written) {
            read.push_line(&line).unwrap();
        }
        assert_eq!(read, written);
    }

    #[test]
    fn blank_lines_are_skipped_and_others_refused_with_what_is_wrong() {
        let mut records = Records::default();
        records.push_line("  \r").unwrap();
        assert!(records.is_empty());
        for (line, says) in [
            ("{", "no record of the lab: EOF"),
            ("[1]", "none of the fields"),
            ("{\"check\":\"io_uring\"}", "none of the fields"),
            ("{\"route\":\"copy\",\"available\":1}", "invalid type"),
            ("{\"claim\":\"a\"}", "missing field"),
        ] {
            let error = records.push_line(line).unwrap_err().to_string();
            assert!(error.contains(says), "{line}: {error}");
        }
    }

    #[test]
    fn figures_that_cannot_be_are_refused_by_name() {
        let mut route = testing::route("copy", 1024, 0.5);
        route.cpu_s_per_gb.median = route.cpu_s_per_gb.max * 2.0;
        let mut drive = testing::drive("one", "produce", 1.0);
        drive.latency_us.insert("p99".into(), Spread { min: -1.0, median: 0.0, max: 1.0 });
        let proof = testing::proof("copy", 1.5);
        let records =
            Records { routes: vec![route], proof: vec![proof], drive: vec![drive], ..Records::default() };
        let refused: Vec<String> = testing::lines(&records)
            .iter()
            .map(|line| Records::default().push_line(line).unwrap_err().to_string())
            .collect();
        let expected =
            ["cpu_s_per_gb", "aliased", "p99"].map(|field| format!("{field} cannot be what it says"));
        assert_eq!(refused, expected);
    }
}

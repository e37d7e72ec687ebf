//! Reading records from JSON lines: each is told by the field that only its kind has, and checked whole.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Records;
use crate::record::RouteCell;
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
    /// A figure cannot be: negative, not finite, or a median outside its own spread.
    #[error("{0} cannot be what it says")]
    Impossible(&'static str),
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
            self.drive.push(read(value)?);
        } else if has("available") {
            self.proof.push(read(value)?);
        } else if has("bytes") {
            let cell: RouteCell = read(value)?;
            possible(&cell)?;
            self.routes.push(cell);
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

fn possible(cell: &RouteCell) -> Result<(), LineError> {
    let spreads = [
        ("cpu_s_per_gb", cell.cpu_s_per_gb),
        ("system_cpu_s_per_gb", cell.system_cpu_s_per_gb),
        ("mb_per_s", cell.mb_per_s),
        ("cpu_us_per_response", cell.cpu_us_per_response),
    ];
    for (field, Spread { min, median, max }) in spreads {
        if !(0.0 <= min && min <= median && median <= max && max.is_finite()) {
            return Err(LineError::Impossible(field));
        }
    }
    if cell.bytes == 0 {
        return Err(LineError::Impossible("bytes"));
    }
    Ok(())
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
    fn a_median_outside_its_spread_is_refused() {
        let mut cell = testing::route("copy", 1024, 0.3);
        cell.cpu_s_per_gb.median = cell.cpu_s_per_gb.max * 2.0;
        let line = serde_json::to_string(&cell).unwrap();
        assert!(matches!(Records::default().push_line(&line), Err(LineError::Impossible("cpu_s_per_gb"))));
    }
}

//! What a case came to: a row for each broker, least / middle / largest of every figure, the ratios of its middle to the first
//! broker's and to Kafka's, and the goals. The same for people, as Markdown, and for programs, as JSON.

use std::fmt::{self, Display};

use pagewire_lab::spread::Spread;
use serde::{Deserialize, Serialize};

use crate::broker::KAFKA;
use crate::goals::Verdict;

/// A share: one that is next to nothing is no multiple of another that is.
const WITHOUT_RATIO: &str = "disk_bytes_per_byte";
/// Of the bytes that left files, those that did by `sendfile`.
pub(crate) const SENDFILE_SHARE: &str = "sendfile_bytes_per_file_byte";

/// A measured case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) case: String,
    pub(crate) what: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Row>,
    /// The load average over the last minute, when it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) load: Option<f64>,
    /// What must be known to read it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) goals: Vec<Verdict>,
}

/// A figure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Column {
    pub(crate) key: String,
    /// What it is called, with its unit.
    pub(crate) name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) broker: String,
    /// One for each column; none where it was not measured.
    pub(crate) cells: Vec<Option<Cell>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cell {
    #[serde(flatten)]
    pub(crate) spread: Spread,
    /// Of the medians, to the first broker's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ratio: Option<f64>,
    /// To Kafka's, where that is not the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) to_kafka: Option<f64>,
    /// Of each round, where they are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) samples: Vec<f64>,
}

impl Table {
    /// The middle of a broker's rounds.
    pub(crate) fn median(&self, broker: &str, key: &str) -> Option<f64> {
        self.spread(broker, key).map(|spread| spread.median)
    }

    /// Least, middle and largest of them.
    pub(crate) fn spread(&self, broker: &str, key: &str) -> Option<Spread> {
        self.cell(broker, key).map(|cell| cell.spread)
    }

    fn cell(&self, broker: &str, key: &str) -> Option<&Cell> {
        let at = self.columns.iter().position(|column| column.key == key)?;
        let row = self.rows.iter().find(|row| row.broker == broker)?;
        row.cells.get(at)?.as_ref()
    }

    /// How many rounds of a broker have a figure; none of one that was measured once beside them.
    pub(crate) fn rounds(&self, broker: &str, key: &str) -> Option<usize> {
        self.cell(broker, key).map(|cell| cell.samples.len()).filter(|rounds| *rounds > 0)
    }

    /// One figure more of a broker, measured once over all of its rounds.
    pub(crate) fn add(&mut self, broker: &str, column: Column, value: f64) {
        let at = self.columns.iter().position(|one| one == &column).unwrap_or(self.columns.len());
        if at == self.columns.len() {
            self.columns.push(column);
        }
        for row in &mut self.rows {
            row.cells.resize(self.columns.len(), None);
            if row.broker == broker {
                let spread = Spread { min: value, median: value, max: value };
                row.cells[at] = Some(Cell { spread, ratio: None, to_kafka: None, samples: vec![value] });
            }
        }
    }

    /// With the ratios to the first broker and to Kafka.
    pub(crate) fn compared(mut self) -> Self {
        let first = self.rows.first().map(|row| row.broker.clone());
        let keys: Vec<_> = self.columns.iter().map(|column| column.key.clone()).collect();
        let of = |broker: Option<&str>| -> Vec<Option<f64>> {
            keys.iter().map(|key| self.median(broker?, key)).collect()
        };
        let (firsts, kafkas) = (of(first.as_deref()), of(Some(KAFKA)));
        let kafka_is_first = first.as_deref() == Some(KAFKA);
        for (row, at) in self.rows.iter_mut().zip(0..) {
            let is_kafka = row.broker == KAFKA;
            let figures = keys.iter().zip(firsts.iter().zip(&kafkas));
            for (cell, (key, (first, kafka))) in row.cells.iter_mut().zip(figures) {
                let Some(cell) = cell.as_mut().filter(|_| key.as_str() != WITHOUT_RATIO) else {
                    continue;
                };
                let ratio =
                    |to: Option<f64>| Some(cell.spread.median / to?).filter(|ratio| ratio.is_finite());
                cell.ratio = ratio(first.filter(|_| at > 0));
                cell.to_kafka = ratio(kafka.filter(|_| !is_kafka && !kafka_is_first));
            }
        }
        self
    }
}

impl Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.columns.iter().map(|column| column.name.as_str()).collect();
        writeln!(out, "| broker | {} |\n|-|{}", names.join(" | "), "-|".repeat(names.len()))?;
        for row in &self.rows {
            let cells: Vec<_> =
                row.cells.iter().map(|cell| cell.as_ref().map_or_else(String::new, spread)).collect();
            writeln!(out, "| {} | {} |", row.broker, cells.join(" | "))?;
        }
        let load = self.load.map(|load| format!("load {} when it began", short(load)));
        let goals = self.goals.iter().map(Verdict::to_string);
        for line in load.into_iter().chain(self.notes.iter().cloned()).chain(goals) {
            write!(out, "\n{line}\n")?;
        }
        Ok(())
    }
}

fn spread(cell: &Cell) -> String {
    let Spread { min, median, max } = cell.spread;
    let first = cell.ratio.map(|ratio| format!(" ({ratio:.2})")).unwrap_or_default();
    let kafka = cell.to_kafka.map(|ratio| format!(" \\[{}\\]", short(ratio))).unwrap_or_default();
    format!("{} / **{}** / {}{first}{kafka}", short(min), short(median), short(max))
}

/// With three digits.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::{Cell, Column, Row, Spread, Table};

    /// A table of one round: figures, and for each broker a value of each.
    pub(crate) fn table(figures: &[&str], rows: &[(&str, &[f64])]) -> Table {
        let cell = |value: &f64| {
            let spread = Spread { min: *value, median: *value, max: *value };
            Some(Cell { spread, ratio: None, to_kafka: None, samples: vec![*value] })
        };
        Table {
            case: "case".to_owned(),
            what: "what is done".to_owned(),
            columns: figures.iter().map(|key| Column { key: (*key).into(), name: (*key).into() }).collect(),
            rows: rows
                .iter()
                .map(|(broker, values)| Row {
                    broker: (*broker).to_owned(),
                    cells: values.iter().map(cell).collect(),
                })
                .collect(),
            load: None,
            notes: Vec::new(),
            goals: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::table;
    use super::*;
    use crate::goals::Became;

    #[test]
    fn ratios_are_of_medians_to_the_first_broker_and_to_kafka() {
        let told = table(&["CPU"], &[("floor", &[0.5]), ("pagewire", &[1.0]), (KAFKA, &[4.0])]).compared();
        let of =
            |row: usize| told.rows[row].cells[0].as_ref().map(|cell| (cell.ratio, cell.to_kafka)).unwrap();
        assert_eq!([of(0), of(1), of(2)], [(None, Some(0.125)), (Some(2.0), Some(0.25)), (Some(8.0), None)]);
        let text = told.to_string();
        assert!(text.contains("| pagewire | 1.00 / **1.00** / 1.00 (2.00) \\[0.250\\] |"), "{text}");
        assert!(text.contains("| kafka | 4.00 / **4.00** / 4.00 (8.00) |"), "{text}");
    }

    #[test]
    fn a_figure_that_is_added_stands_with_those_who_have_it() {
        let mut told = table(&["CPU"], &[("floor", &[0.5]), ("pagewire", &[1.0]), ("another", &[2.0])]);
        let column = || Column { key: "share".into(), name: "share".into() };
        told.add("pagewire", column(), 0.75);
        told.add("another", column(), 0.25);
        let shares: Vec<_> = ["floor", "pagewire", "another"].map(|name| told.median(name, "share")).into();
        assert_eq!(shares, [None, Some(0.75), Some(0.25)]);
        assert_eq!(told.columns.len(), 2);
    }

    #[test]
    fn of_a_share_there_is_no_ratio() {
        let told = table(&["disk_bytes_per_byte"], &[("floor", &[1e-6]), ("pagewire", &[0.03])]).compared();
        assert_eq!(told.rows[1].cells[0].as_ref().map(|cell| cell.ratio), Some(None));
    }

    #[test]
    fn people_and_programs_get_the_same() {
        let mut told = table(&["CPU", "p99"], &[("floor", &[0.5, 123.4]), ("pagewire", &[1.0, 12.34])]);
        told.rows[1].cells[0].as_mut().unwrap().ratio = Some(2.0);
        told.rows[1].cells[1] = None;
        told.load = Some(1.5);
        let became = Became::Measured { reached: 2.0, met: false };
        told.goals = vec![Verdict { goal: "CPU at most 1.30 of floor's".into(), became }];
        assert_eq!(
            told.to_string(),
            "| broker | CPU | p99 |\n|-|-|-|\n\
             | floor | 0.500 / **0.500** / 0.500 | 123 / **123** / 123 |\n\
             | pagewire | 1.00 / **1.00** / 1.00 (2.00) |  |\n\
             \nload 1.50 when it began\n\
             \ngoal MISSED: CPU at most 1.30 of floor's; it is 2.00\n"
        );
        let read: Table = serde_json::from_str(&serde_json::to_string(&told).unwrap()).unwrap();
        assert_eq!(read, told);
    }
}

//! The cells of `lab drive` by case: brokers under the same load in one run.

use std::collections::BTreeMap;

use crate::record::DriveCell;
use crate::spread::Spread;

use super::rate::{CLIENT, cost_beside, is_rate, stand_ins};

/// Figures in the order in which they matter, cost before what it bought; others follow by their names.
const FIRST: [&str; 9] = [
    "cpu_s_per_gb",
    "mb_per_s",
    "rss_mib",
    "cpu_us_per_record",
    "records_per_s",
    "peak_rss_mib",
    "cpu_us_per_connect",
    "connects_per_s",
    "idle_kib_per_connection",
];

/// A figure in relation to the first broker's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ratio {
    /// The median over the rounds, or the ratio of the medians.
    pub(super) median: f64,
    /// Over the rounds, where they were recorded.
    pub(super) spread: Option<Spread>,
    /// Whether the spread leaves open which of the two is larger.
    pub(super) open: bool,
}

/// Brokers that may be compared.
#[derive(Debug)]
pub(super) struct Group<'a> {
    /// The case.
    pub(super) case: &'a str,
    /// Its settings in words; empty where there are none.
    pub(super) settings: String,
    /// When the run began.
    pub(super) began: &'a str,
    /// A cell per broker, in the order of the command line.
    pub(super) cells: Vec<&'a DriveCell>,
}

/// The groups, in the order in which they were recorded.
pub(super) fn groups(cells: &[DriveCell]) -> Vec<Group<'_>> {
    let mut found: Vec<Group<'_>> = Vec::new();
    for cell in cells {
        let settings: Vec<String> =
            cell.settings.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let (case, settings, began) = (cell.case.as_str(), settings.join(", "), cell.machine.began.as_str());
        let same =
            |group: &&mut Group<'_>| (group.case, &group.settings, group.began) == (case, &settings, began);
        match found.iter_mut().find(same) {
            Some(group) => group.cells.push(cell),
            None => found.push(Group { case, settings, began, cells: vec![cell] }),
        }
    }
    found
}

impl Group<'_> {
    /// The names of the figures that any of the brokers has: what it cost the broker, what that bought, the rest, the
    /// client; where a broker's cost is unknown, the client's stands in its place. Rates without any cost are left out.
    pub(super) fn figures(&self) -> Vec<&str> {
        let (mut found, _) = self.priced();
        let stand_ins = stand_ins(&self.cells);
        found.sort_by_key(|name| {
            let plain = name.strip_prefix(CLIENT);
            let known = FIRST.iter().position(|first| *first == plain.unwrap_or(name)).unwrap_or(FIRST.len());
            let aside = plain.is_some() && !stand_ins.iter().any(|cost| cost == name);
            (aside, known, plain.is_some())
        });
        found
    }

    /// Rates that are left out, because no CPU is known that could stand beside them.
    pub(super) fn unpriced(&self) -> Vec<&str> {
        self.priced().1
    }

    fn priced(&self) -> (Vec<&str>, Vec<&str>) {
        let all = names(self.cells.iter().map(|cell| &cell.figures)).into_iter();
        all.partition(|name| !is_rate(name) || cost_beside(&self.cells, name).is_some())
    }

    /// A figure of a broker in relation to the first broker's: round by round where that was recorded, else by the
    /// medians.
    pub(super) fn to_first(&self, cell: &DriveCell, name: &str) -> Option<Ratio> {
        let of = |cell: &DriveCell| cell.figures.get(name).or_else(|| cell.latency_us.get(name)).copied();
        let recorded =
            cell.ratio_to_first.get(name).or_else(|| cell.ratio_to_first.get(&format!("{name}_us")));
        if let Some(spread) = recorded {
            let open = spread.min <= 1.0 && spread.max >= 1.0;
            return Some(Ratio { median: spread.median, spread: Some(*spread), open });
        }
        let (first, own) = (of(self.cells.first()?)?, of(cell)?);
        let open = own.min <= first.max && first.min <= own.max;
        (first.median > 0.0).then(|| Ratio { median: own.median / first.median, spread: None, open })
    }

    /// The names of the latencies that any of the brokers has, by percentile.
    pub(super) fn latencies(&self) -> Vec<&str> {
        let mut found = names(self.cells.iter().map(|cell| &cell.latency_us));
        found.sort_by(|one, other| percentile(one).total_cmp(&percentile(other)));
        found
    }
}

/// The percentile that a name stands for; `max` is 100.
pub(super) fn percentile(name: &str) -> f64 {
    name.strip_prefix('p').and_then(|number| number.parse().ok()).unwrap_or(100.0)
}

fn names<'a, V: 'a>(maps: impl Iterator<Item = &'a BTreeMap<String, V>>) -> Vec<&'a str> {
    let mut found: Vec<&str> = maps.flat_map(|map| map.keys().map(String::as_str)).collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::rate::tests::unknown;
    use crate::report::testing::drive;

    #[test]
    fn brokers_of_one_case_and_settings_stand_together_in_their_order() {
        let mut other = drive("one", "produce", 0.5);
        other.settings.insert("record_bytes".into(), "100".into());
        let cells = [
            drive("two", "produce", 1.0),
            drive("one", "produce", 0.5),
            drive("one", "fetch-hot", 0.2),
            other,
        ];
        let groups = groups(&cells);
        assert_eq!(groups.len(), 3);
        let brokers: Vec<&str> = groups[0].cells.iter().map(|cell| &*cell.broker).collect();
        assert_eq!(brokers, ["two", "one"]);
        assert_eq!(groups[0].settings, "record_bytes 1024");
        assert_eq!(groups[0].figures(), ["cpu_s_per_gb", "mb_per_s", "client_cpu_cores"]);
        assert_eq!(groups[0].latencies(), ["p50", "p99", "p99.9", "max"]);
    }

    #[test]
    fn a_rate_comes_after_its_cost_and_never_without_one() {
        let cells = [unknown("one"), unknown("other")];
        assert_eq!(groups(&cells)[0].figures(), ["client_cpu_s_per_gb", "mb_per_s", "client_cpu_cores"]);
        let cells = cells.map(|mut cell| {
            cell.figures.remove("client_cpu_s_per_gb");
            cell
        });
        assert_eq!(groups(&cells)[0].figures(), ["client_cpu_cores"]);
        assert_eq!(groups(&cells)[0].unpriced(), ["mb_per_s"]);
    }

    #[test]
    fn rounds_go_before_medians_in_a_ratio() {
        let mut other = drive("other", "produce", 1.0);
        other.figures.remove("mb_per_s");
        let recorded = Spread { min: 0.9, median: 1.5, max: 2.0 };
        other.ratio_to_first.insert("p99_us".into(), recorded);
        let cells = [drive("first", "produce", 0.5), other];
        let groups = groups(&cells);
        let ratio = |name| groups[0].to_first(groups[0].cells[1], name);
        assert_eq!(ratio("p99"), Some(Ratio { median: 1.5, spread: Some(recorded), open: true }));
        assert_eq!(ratio("cpu_s_per_gb"), Some(Ratio { median: 2.0, spread: None, open: false }));
        assert_eq!(ratio("mb_per_s"), None);
    }
}

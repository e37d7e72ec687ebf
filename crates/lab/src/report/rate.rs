//! Rates of `lab drive` and what they cost: none stands without CPU beside it, the broker's, else the client's.

use crate::record::DriveCell;

/// What so begins is about the client that loads, not about the broker.
pub(super) const CLIENT: &str = "client_";
/// How fast bytes moved.
pub(super) const BYTES: &str = "mb_per_s";
/// Each rate, and the broker's CPU by what it counts.
const RATES: [(&str, &str); 4] = [
    (BYTES, "cpu_s_per_gb"),
    ("records_per_s", "cpu_us_per_record"),
    ("requests_per_s", "cpu_us_per_request"),
    ("connects_per_s", "cpu_us_per_connect"),
];

/// Whether it says how much, and not for how much.
pub(super) fn is_rate(name: &str) -> bool {
    name.ends_with("_per_s")
}

/// The figure of CPU that all cells with this rate have: the broker's, else the client's. Without one, the rate says
/// nothing that could be compared.
pub(super) fn cost_beside(cells: &[&DriveCell], rate: &str) -> Option<String> {
    let (_, cost) = RATES.iter().find(|(name, _)| *name == rate)?;
    let fast: Vec<_> = cells.iter().filter(|cell| cell.figures.contains_key(rate)).collect();
    let all_have =
        |name: &String| !fast.is_empty() && fast.iter().all(|cell| cell.figures.contains_key(name));
    [(*cost).to_owned(), format!("{CLIENT}{cost}")].into_iter().find(all_have)
}

/// The client's costs that stand in for brokers' that are unknown.
pub(super) fn stand_ins(cells: &[&DriveCell]) -> Vec<String> {
    let costs = RATES.iter().filter_map(|(rate, _)| cost_beside(cells, rate));
    costs.filter(|cost| cost.starts_with(CLIENT)).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::report::testing::drive;
    use crate::spread::Spread;

    /// A broker whose CPU is unknown; the client's is.
    pub(in crate::report) fn unknown(broker: &str) -> DriveCell {
        let mut cell = drive(broker, "produce", 1.0);
        cell.figures.remove("cpu_s_per_gb");
        let client = Spread { min: 0.25, median: 0.5, max: 0.75 };
        cell.figures.insert("client_cpu_s_per_gb".into(), client);
        cell
    }

    #[test]
    fn a_rate_stands_beside_the_brokers_cpu_else_the_clients_else_nothing() {
        let (known, unknown) = (drive("one", "produce", 1.0), unknown("other"));
        assert_eq!(cost_beside(&[&known], BYTES).as_deref(), Some("cpu_s_per_gb"));
        assert_eq!(cost_beside(&[&unknown], BYTES).as_deref(), Some("client_cpu_s_per_gb"));
        assert_eq!(cost_beside(&[&known, &unknown], BYTES), None);
        assert_eq!(stand_ins(&[&known]), [""; 0]);
        assert_eq!(stand_ins(&[&unknown]), ["client_cpu_s_per_gb"]);
        let mut bare = unknown;
        bare.figures.remove("client_cpu_s_per_gb");
        assert_eq!(cost_beside(&[&bare], BYTES), None);
    }
}

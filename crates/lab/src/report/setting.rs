//! The cells of `lab routes` by setting: what may be compared with each other.
//!
//! Two cells are comparable when they come from one run and differ only in route and size. A cell most of whose bytes
//! went another way, because the kernel refused its route, says nothing about that route: it is named and not compared.

use std::collections::BTreeMap;

use super::records::BARE;
use crate::record::{Link, Receiver, Residency, RouteCell};
pub(super) use crate::routes::is_own;
use crate::routes::{First, cheapest};

/// All cells of one setting of one run.
#[derive(Debug)]
pub(super) struct Setting<'a> {
    /// When the run began.
    pub(super) began: &'a str,
    link: Link,
    residency: Residency,
    receiver: Receiver,
    /// Its cells by size and route; of two alike the later one.
    cells: BTreeMap<(u64, &'a str), &'a RouteCell>,
    /// Those whose bytes went another way.
    astray: Vec<&'a RouteCell>,
}

/// The settings there are, the plainest first, run by run.
pub(super) fn settings(cells: &[RouteCell]) -> Vec<Setting<'_>> {
    let mut found: BTreeMap<_, Setting<'_>> = BTreeMap::new();
    for cell in cells {
        let began = cell.machine.began.as_str();
        let (link, residency, receiver) = (cell.link, cell.residency, cell.receiver);
        let setting = found.entry((began, link, residency, receiver)).or_insert_with(|| Setting {
            began,
            link,
            residency,
            receiver,
            cells: BTreeMap::new(),
            astray: Vec::new(),
        });
        if is_own(cell) {
            setting.cells.insert((cell.bytes, &cell.route), cell);
        } else {
            setting.astray.push(cell);
        }
    }
    found.into_values().collect()
}

impl<'a> Setting<'a> {
    /// In words: `loopback, hot file, receiver drains`.
    pub(super) fn name(&self) -> String {
        let residency = match self.residency {
            Residency::Hot => "hot file",
            Residency::Cold => "cold file",
        };
        let receiver = match self.receiver {
            Receiver::Drain => "receiver drains",
            Receiver::Read => "receiver reads",
        };
        format!("{}, {residency}, {receiver}", link(self.link))
    }

    /// The cells whose bytes went another way, as they were recorded.
    pub(super) fn astray(&self) -> &[&'a RouteCell] {
        &self.astray
    }

    /// The cells that may be compared, by size, then route.
    pub(super) fn cells(&self) -> impl Iterator<Item = &'a RouteCell> {
        self.cells.values().copied()
    }

    /// The sizes, ascending.
    pub(super) fn sizes(&self) -> Vec<u64> {
        let mut sizes: Vec<u64> = self.cells.keys().map(|(bytes, _)| *bytes).collect();
        sizes.dedup();
        sizes
    }

    /// The routes by name, the bare loop first.
    pub(super) fn routes(&self) -> Vec<&'a str> {
        let mut routes: Vec<&str> = self.cells.keys().map(|(_, route)| *route).collect();
        routes.sort_unstable_by_key(|route| (*route != BARE, *route));
        routes.dedup();
        routes
    }

    /// The cell of this route and size.
    pub(super) fn cell(&self, route: &str, bytes: u64) -> Option<&'a RouteCell> {
        self.cells.get(&(bytes, route)).copied()
    }

    /// The cells of this size, the cheapest first by the median of the sender's CPU.
    pub(super) fn by_cost(&self, bytes: u64) -> Vec<&'a RouteCell> {
        let mut cells: Vec<&RouteCell> = self.cells().filter(|cell| cell.bytes == bytes).collect();
        cells.sort_by(|one, other| one.cpu_s_per_gb.median.total_cmp(&other.cpu_s_per_gb.median));
        cells
    }

    /// The cheapest route of this size, and whether that is settled.
    pub(super) fn first(&self, bytes: u64) -> Option<First<'a>> {
        cheapest(&self.by_cost(bytes))
    }

    /// What a cell costs beside the bare loop of the same size: round by round where that was recorded, else by the
    /// medians.
    pub(super) fn to_bare(&self, cell: &RouteCell) -> Option<f64> {
        if cell.x_bare.is_some() {
            return cell.x_bare;
        }
        let bare = self.cell(BARE, cell.bytes)?.cpu_s_per_gb.median;
        (bare > 0.0).then(|| cell.cpu_s_per_gb.median / bare)
    }

    /// The size at which routes are set side by side: 1 MiB, or the one next to it.
    pub(super) fn typical_size(&self) -> Option<u64> {
        const TYPICAL: u64 = 1 << 20;
        self.sizes()
            .into_iter()
            .min_by_key(|bytes| (bytes.leading_zeros().abs_diff(TYPICAL.leading_zeros()), *bytes))
    }
}

/// A link in words.
pub(super) fn link(link: Link) -> &'static str {
    match link {
        Link::Loopback => "loopback",
        Link::Veth => "veth pair",
        Link::VethNosg => "veth pair without scatter-gather",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::route;

    #[test]
    fn only_cells_of_one_run_and_setting_stand_together() {
        let mut cold = route("copy", 1024, 0.5);
        cold.residency = Residency::Cold;
        let mut later = route("copy", 1024, 0.5);
        later.machine.began = "2027-01-01T00:00:00Z".into();
        let cells = [cold, route("copy", 1024, 0.4), route(BARE, 1024, 0.2), later];
        let settings = settings(&cells);
        let sizes: Vec<usize> = settings.iter().map(|setting| setting.cells().count()).collect();
        assert_eq!(sizes, [2, 1, 1]);
        assert_eq!(settings[0].name(), "loopback, hot file, receiver drains");
        assert_eq!(settings[0].routes(), [BARE, "copy"]);
    }

    #[test]
    fn a_cell_whose_bytes_went_another_way_is_not_compared() {
        let refused = RouteCell { by_route: 0.0, ..route("ktls", 1024, 0.1) };
        let cells = [refused, route("copy", 1024, 0.4)];
        let settings = settings(&cells);
        assert_eq!(settings[0].routes(), ["copy"]);
        assert_eq!(settings[0].astray().len(), 1);
    }

    #[test]
    fn the_ratio_is_to_the_bare_loop_of_the_same_size() {
        let cells = [route("copy", 1024, 0.4), route(BARE, 1024, 0.2), route("copy", 4096, 0.4)];
        let settings = settings(&cells);
        let ratios: Vec<_> = settings[0].cells().map(|cell| settings[0].to_bare(cell)).collect();
        assert_eq!(ratios, [Some(2.0), Some(1.0), None]);
        let recorded = RouteCell { x_bare: Some(1.9), ..route("copy", 1024, 0.4) };
        assert_eq!(settings[0].to_bare(&recorded), Some(1.9));
        assert_eq!(settings[0].typical_size(), Some(4096));
    }
}

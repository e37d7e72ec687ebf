//! Which route is cheapest, out of cells of one setting and size, and whether that is more than chance. Pure; the
//! terminal and the page both ask here, so that they never crown different winners.
//!
//! Cheap means: the median of the sender's CPU per GB. Only the library's routes by name compete, because they are what
//! can be asked for: `auto` stands for one of them, the bare loops are there to compare with. The first place is open
//! where the least sample of another route is not above the largest of the first.

use crate::measure::way::Way;
use crate::record::RouteCell;

/// Below this share of the bytes a route's figures are no longer its own.
const OWN_MIN: f64 = 0.99;
/// Fewer rounds than this have no spread that could tell anything.
const ROUNDS_MIN: usize = 2;

/// Who comes first.
#[derive(Debug, Clone)]
pub struct First<'c> {
    /// The route with the least median.
    pub cell: &'c RouteCell,
    /// Other routes that the spread of the rounds does not tell from it, the cheapest first.
    pub rivals: Vec<&'c RouteCell>,
    /// Whether nobody else took part.
    pub is_alone: bool,
}

impl First<'_> {
    /// Whether the first place is more than chance.
    pub fn is_settled(&self) -> bool {
        !self.is_alone && self.rivals.is_empty()
    }
}

/// Whether the bytes of a cell went the way that it is named after. A cell half of whose bytes another way carried says
/// nothing about its own.
pub fn is_own(cell: &RouteCell) -> bool {
    cell.by_route >= OWN_MIN
}

/// The first of these cells, which are of one setting and one size. `None` where no route took part.
pub fn cheapest<'c>(cells: &[&'c RouteCell]) -> Option<First<'c>> {
    let mut routes: Vec<&RouteCell> = cells.iter().copied().filter(|cell| competes(cell)).collect();
    routes.sort_by(|one, other| one.cpu_s_per_gb.median.total_cmp(&other.cpu_s_per_gb.median));
    let (&cell, others) = routes.split_first()?;
    let rivals = others.iter().copied().filter(|other| !is_told_apart(cell, other)).collect();
    Some(First { cell, rivals, is_alone: others.is_empty() })
}

fn competes(cell: &RouteCell) -> bool {
    matches!(Way::from_name(&cell.route), Some(Way::Library(_))) && is_own(cell)
}

fn is_told_apart(first: &RouteCell, other: &RouteCell) -> bool {
    first.rounds.min(other.rounds) >= ROUNDS_MIN && first.cpu_s_per_gb.max < other.cpu_s_per_gb.min
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::route;

    /// The first, who it is not told apart from, and whether that is settled.
    fn first(cells: &[RouteCell]) -> Option<(String, Vec<String>, bool)> {
        let cells: Vec<&RouteCell> = cells.iter().collect();
        let first = cheapest(&cells)?;
        let rivals = first.rivals.iter().map(|cell| cell.route.clone()).collect();
        Some((first.cell.route.clone(), rivals, first.is_settled()))
    }

    #[test]
    fn a_place_is_settled_where_no_range_reaches_into_that_of_the_first() {
        let clear = [route("sendfile", 1024, 2.0), route("copy", 1024, 1.0)];
        assert_eq!(first(&clear), Some(("copy".into(), vec![], true)));
        let near = [clear[1].clone(), route("splice", 1024, 1.1), route("sendfile", 1024, 3.0)];
        assert_eq!(first(&near), Some(("copy".into(), vec!["splice".into()], false)));
    }

    #[test]
    fn neither_the_choice_of_the_library_nor_a_bare_loop_competes() {
        let cells = ["auto", "sendfile-bare", "read-write-32k"].map(|name| route(name, 1024, 0.1)).to_vec();
        assert_eq!(first(&cells), None);
        let cells = [cells, vec![route("copy", 1024, 1.0), route("mmap", 1024, 2.0)]].concat();
        assert_eq!(first(&cells), Some(("copy".into(), vec![], true)));
    }

    #[test]
    fn one_round_settles_nothing_and_one_alone_has_won_nothing() {
        let once = |name, cost| RouteCell { rounds: 1, ..route(name, 1024, cost) };
        let cells = [once("copy", 1.0), once("mmap", 9.0)];
        assert_eq!(first(&cells), Some(("copy".into(), vec!["mmap".into()], false)));
        assert_eq!(first(&[route("copy", 1024, 1.0)]), Some(("copy".into(), vec![], false)));
    }

    #[test]
    fn what_went_another_way_takes_no_part() {
        let astray = RouteCell { by_route: 0.5, ..route("ktls", 1024, 0.1) };
        assert_eq!(first(std::slice::from_ref(&astray)), None);
        let cells = [astray, route("copy", 1024, 1.0), route("mmap", 1024, 2.0)];
        assert_eq!(first(&cells), Some(("copy".into(), vec![], true)));
    }
}

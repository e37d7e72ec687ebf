//! Which way is cheapest, out of cells of one setting. Pure.

use pagewire_lab::measure::way::Way;
use pagewire_lab::record::RouteCell;

/// A cell that was half carried by another way says nothing about its own.
const MOSTLY: f64 = 0.99;
/// Medians closer than this are the same: the noise between rounds is larger.
const SAME: f64 = 1.03;

/// Whether the figures are those of the way that gave the cell its name.
pub(super) fn counts(cell: &RouteCell) -> bool {
    cell.by_route >= MOSTLY
}

/// Whether it is one of the library's ways by name, and so can be asked for; the bare loops are there to compare with,
/// and `auto` stands for others.
fn is_route(cell: &RouteCell) -> bool {
    matches!(Way::from_name(&cell.route), Some(Way::Library(_)))
}

/// The cheapest route by CPU of the sender, and those that are as cheap.
pub(super) fn cheapest<'c>(cells: &[&'c RouteCell]) -> Option<(&'c RouteCell, Vec<&'c RouteCell>)> {
    let mut routes: Vec<&RouteCell> =
        cells.iter().copied().filter(|cell| is_route(cell) && counts(cell)).collect();
    routes.sort_by(|a, b| a.cpu_s_per_gb.median.total_cmp(&b.cpu_s_per_gb.median));
    let (first, rest) = routes.split_first()?;
    let bound = first.cpu_s_per_gb.median * SAME;
    let same = rest.iter().copied().filter(|cell| cell.cpu_s_per_gb.median <= bound).collect();
    Some((first, same))
}

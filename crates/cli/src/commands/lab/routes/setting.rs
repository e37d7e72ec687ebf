//! Cells that belong into one table: of one link, residency and receiver.

use pagewire_lab::record::RouteCell;

/// Cells of one link, residency and receiver.
pub(super) struct Setting<'c> {
    pub(super) name: String,
    pub(super) cells: Vec<&'c RouteCell>,
}

impl<'c> Setting<'c> {
    /// In order.
    pub(super) fn sizes(&self) -> Vec<u64> {
        let mut sizes: Vec<u64> = self.cells.iter().map(|cell| cell.bytes).collect();
        sizes.sort_unstable();
        sizes.dedup();
        sizes
    }

    pub(super) fn of_size(&self, bytes: u64) -> Vec<&'c RouteCell> {
        self.cells.iter().copied().filter(|cell| cell.bytes == bytes).collect()
    }
}

/// In the order in which they were measured.
pub(super) fn settings(cells: &[RouteCell]) -> Vec<Setting<'_>> {
    let mut settings: Vec<Setting<'_>> = Vec::new();
    for cell in cells {
        let name = format!("{}, {}, {}", cell.link.name(), cell.residency.name(), cell.receiver.name());
        match settings.iter_mut().find(|setting| setting.name == name) {
            Some(setting) => setting.cells.push(cell),
            None => settings.push(Setting { name, cells: vec![cell] }),
        }
    }
    settings
}
